"""From the magnitudes of a catalogue to those that a model learnt from: with or without the Galaxy's extinction."""

from __future__ import annotations

import numpy as np

from common.data.sources.chunk import Loaded, Source
from common.outputs.flags import Flag
from sdss_gs.schema import EXTINCTION, Input
from sdss_gs.tables.columns import BOTH, DUSTY
from sdss_gs.tables.names import DEREDDENED, EBV_NAMES, MODEL, STATEMENTS, UNSTATED
from sdss_gs.tables.readers.table import listed

KINDS = (MODEL, UNSTATED, DEREDDENED)
"""Kinds that the Galaxy's extinction tells apart, and nothing else."""
RAW = next(word for word, kind in STATEMENTS.items() if kind == UNSTATED)


def as_learnt(item: Input, loaded: Loaded, learnt: str) -> tuple[np.ndarray, np.ndarray]:
    """Bring magnitudes to the kind that a model learnt from, where that is exact, and flag those of another kind.

    Parameters
    ----------
    item : Input
        As the model has it.
    loaded : Loaded
    learnt : str
        Kind of the magnitudes that it learnt from, or two, with `BOTH` between them; empty where nobody knows.

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
    if given.dereddened is not None:
        dereddened = np.where(np.isnan(given.dereddened), dereddened, given.dereddened > 0)
    extinction = np.full((count, len(EXTINCTION)), np.nan) if given.extinction is None else given.extinction
    known = np.isfinite(extinction).all(axis=1)
    wanted = dereddened | known if len(kinds) > 1 else np.full(count, kinds[0] == DEREDDENED)
    sign = np.where(known, wanted.astype(int) - dereddened, 0)
    values = values.copy()
    values[:, :bands] -= (sign[:, None] * np.where(known[:, None], extinction, 0)).astype(values.dtype)
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
