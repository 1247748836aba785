"""From the magnitudes of a catalogue to those that a model learnt from: with or without the Galaxy's extinction."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from common.data.sources.chunk import Loaded, Source
from common.data.sources.folder import photometry_of
from common.outputs.flags import Flag
from sdss_gs.errors import OptionError
from sdss_gs.schema import DEREDDENED, EXTINCTION, INPUTS, Input
from sdss_gs.tables.catalogue import Catalogue
from sdss_gs.tables.columns import BOTH, DUSTY
from sdss_gs.tables.names import AUTO, BOTH_KINDS, EBV_NAMES, MODEL, RAW, UNSTATED
from sdss_gs.tables.readers.table import listed

KINDS = (MODEL, UNSTATED, DEREDDENED)
"""Kinds that the Galaxy's extinction tells apart, and nothing else."""
TOLD_APART = f"{DEREDDENED}{BOTH}{MODEL}"
"""What a model learnt from that is told of each row which of these it has."""


def as_learnt(item: Input, loaded: Loaded, learnt: str) -> tuple[np.ndarray, np.ndarray]:
    """Bring magnitudes to the kind that a model learnt from, where that is exact, and flag those of another kind.

    Parameters
    ----------
    item : Input
        As the model has it.
    loaded : Loaded
    learnt : str
        Kind of the magnitudes that it learnt from, `TOLD_APART`, or empty where nobody knows.

    Returns
    -------
    values : ndarray, shape (n, columns)
    flags : ndarray of int32, shape (n,)
        With OTHER_MAGNITUDE where the magnitudes are of another kind.
    """
    values, flags, given = loaded.values, loaded.flags.astype(np.int32), loaded.photometry
    if given is None or not learnt:
        return values, flags
    kinds = learnt.split(BOTH)
    if item.name != DUSTY or given.kind not in KINDS or not set(kinds) & set(KINDS):
        return values, flags | (int(Flag.OTHER_MAGNITUDE) if given.kind not in (UNSTATED, *kinds) else 0)
    count, bands = len(flags), len(item.magnitudes)
    dereddened = np.full(count, given.kind == DEREDDENED)
    for stated in filter(lambda one: one is not None, (values[:, -1] if item.told_apart else None, given.dereddened)):
        dereddened = np.where(np.isnan(stated), dereddened, stated > 0)
    extinction = np.full((count, len(EXTINCTION)), np.nan) if given.extinction is None else given.extinction
    known = np.isfinite(extinction).all(axis=1)
    wanted = dereddened | known if len(kinds) > 1 else np.full(count, kinds[0] == DEREDDENED)
    sign = np.where(known, wanted.astype(int) - dereddened, 0)
    values = values.copy()
    values[:, :bands] -= (sign[:, None] * np.where(known[:, None], extinction, 0)).astype(values.dtype)
    if item.told_apart:
        values[:, -1] = wanted
    return values, flags | ((wanted != dereddened) & ~known) * np.int32(Flag.OTHER_MAGNITUDE)


def photometry_notes(name: str, source: Source, learnt: str) -> list[str]:
    """Say in a line what becomes of magnitudes of another kind than a model learnt from; none where they are the same.

    Parameters
    ----------
    name : str
        Of the model.
    source : Source
    learnt : str
        As for `as_learnt`.
    """
    given, kinds = source.photometry.get(DUSTY), learnt.split(BOTH)
    if given is None or given not in KINDS or not set(kinds) & set(KINDS):
        return []
    wanted, stated = (DEREDDENED if kind else RAW for kind in (DEREDDENED in kinds, given == DEREDDENED))
    if stated == wanted and not source.by_row:
        return []
    found = f"{RAW} and {DEREDDENED} (column {source.by_row})" if source.by_row else stated
    if source.extinction:
        done = DEREDDENED if wanted == DEREDDENED else "reddened"
        return [f"{name}: {found} magnitudes, {done} with {listed(source.extinction)} as those that it learnt from"]
    if len(kinds) > 1:
        return []
    expected = f"{name}: expected {wanted} magnitudes, found {found} ones without E(B-V)"
    return [f"{expected}: flag {int(Flag.OTHER_MAGNITUDE)}; a column {EBV_NAMES[0]} converts them, or say --photometry"]


def catalogue_as_learnt(catalogue: Catalogue, wanted: str) -> Catalogue:
    """Bring the magnitudes of a data set to the kind that is to be learnt from; what cannot be brought is missing.

    Parameters
    ----------
    catalogue : Catalogue
    wanted : str
        ``raw``, ``dereddened``, ``both``, or ``auto``: both where the catalogue says it of each row, else as they are.

    Raises
    ------
    OptionError
        If the magnitudes are of a kind that is neither.
    """
    if wanted == AUTO:
        wanted = BOTH_KINDS if np.isfinite(catalogue.numbers[DEREDDENED]).any() else ""
    if not wanted:
        return catalogue
    kind = catalogue.photometry.get(DUSTY, UNSTATED)
    if kind not in KINDS:
        raise OptionError(f"photometry: expected auto for {kind} magnitudes, found {wanted}")
    learnt = {RAW: MODEL, DEREDDENED: DEREDDENED, BOTH_KINDS: TOLD_APART}[wanted]
    item, everything = INPUTS[DUSTY], np.arange(len(catalogue))
    if learnt == TOLD_APART:
        item = replace(item, columns=(*item.columns, DEREDDENED), told_apart=True)
    values = np.stack([catalogue.numbers[column] for column in item.columns], axis=1)
    there = np.isfinite(values[:, : len(item.magnitudes)]).any(axis=1)
    loaded = Loaded(values, np.zeros(len(values), np.int32), photometry=photometry_of(catalogue, everything, item))
    values, flags = as_learnt(item, loaded, learnt)
    other = flags & int(Flag.OTHER_MAGNITUDE) > 0
    values[other] = np.nan
    notes = []
    if left_out := int((other & there).sum()):
        notes.append(f"{left_out:,} objects have no {wanted} magnitudes, and no E(B-V) to make them: left out")
    if learnt == TOLD_APART:
        notes.append(f"{int(values[there, -1].sum()):,} of {int(there.sum()):,} objects are dereddened")
    return replace(
        catalogue,
        numbers=catalogue.numbers | dict(zip(item.columns, values.T, strict=True)),
        photometry=dict(catalogue.photometry) | {DUSTY: learnt},
        notes=(*catalogue.notes, *notes),
    )


def option_of(learnt: str) -> str:
    """Return the choice of the option ``photometry`` by which a model learnt from magnitudes of some kind."""
    return {MODEL: RAW, DEREDDENED: DEREDDENED, TOLD_APART: BOTH_KINDS}.get(learnt, AUTO)
