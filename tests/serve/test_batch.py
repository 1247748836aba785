"""Rows of a request, read as those of a catalogue."""

import json

import pytest
from helpers.trained import by_hand

from common.outputs.flags import Flag
from common.serve.batch import read_batch, read_body
from common.serve.magnitudes import KEPT_CHARACTERS, _chosen_of

GALAXY = {"u": 18.5, "g": 17.2, "r": 16.5, "i": 16.1, "z": 15.8}


def flags_of(row, photometry=""):
    model = by_hand(photometry=photometry)
    return model.predict_loaded(read_batch(model, read_body(json.dumps({"rows": [row]}).encode()), 10))["flag"].tolist()


@pytest.mark.parametrize("flux", [-9999, None])
def test_flux_that_was_not_measured_is_missing(flux):
    row = {f"modelFlux_{band}": 10 ** (-0.4 * (value - 22.5)) for band, value in GALAXY.items()}
    assert flags_of(row) == [0]
    assert flags_of(row | {"modelFlux_u": flux}) == [Flag.MISSING]


def test_kind_of_magnitudes_is_flagged_only_where_it_is_known_what_was_learnt():
    row = {f"dered_{band}": value for band, value in GALAXY.items()}
    assert flags_of(row) == [0]
    assert flags_of(row, "dereddened") == [0]
    assert flags_of(row, "model") == [Flag.OTHER_MAGNITUDE]


def test_names_of_columns_are_remembered_but_no_long_ones():
    _chosen_of.cache_clear()
    for more in ({}, {"name": "M31"}, {"x" * KEPT_CHARACTERS: 1}):
        assert [flags_of(GALAXY | more) for _ in range(2)] == [[0], [0]]
    assert (_chosen_of.cache_info().hits, _chosen_of.cache_info().currsize) == (2, 2)
