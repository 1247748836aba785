"""A file of predictions with all that may be lost on its way to another program."""

from functools import partial

import numpy as np
import pyarrow as pa

from common.data.sources import Chunk, Loaded, Source
from common.outputs.flags import Flag
from common.predict.predict import predict
from helpers.trained import MAGNITUDES, by_hand

IDS = {
    # Neighbours that are one number as doubles, which have 53 binary digits; a null; what is below zero.
    "int64": [2**53, 2**53 + 1, 2**53 + 2, None, -5, 1237648721249206521],
    # Above 2^63, as specObjID of SDSS's later spectra.
    "uint64": [2**53 + 1, 2**63 + 1, 11530774492817285121, None, 2**64 - 2, 0],
    "text": ["plain", 'a, "quoted" one', "O'Neil; <b> & co", None, "17", "0017"],
}
MISSING, BAD = (2, 3), 4
"""Rows without an input: the second chunk, so that it has no number and no class at all; a row with a wrong one."""
PROBLEM = 'u: expected a number, found "a, b"'


def source_of(ids, kind):
    """Take so many galaxies with ids of a kind, two to a chunk."""
    ids = pa.array(ids, getattr(pa, {"text": "string"}.get(kind, kind))())

    def load(rows, _item, _shape, _column):
        values = np.tile(MAGNITUDES, (len(rows), 1)).astype(np.float32) + 0.1 * np.array(rows)[:, None]
        flags = np.array([Flag.MISSING if row in MISSING else Flag.BAD_INPUT if row == BAD else 0 for row in rows])
        return Loaded(values, flags.astype(np.int32), {n: PROBLEM for n, row in enumerate(rows) if row == BAD})

    def chunks(first=0):
        for start in range(first, len(ids), 2):
            rows = range(start, min(start + 2, len(ids)))
            yield Chunk(ids.slice(start, 2), partial(load, rows))

    return Source("objid", len(ids), ("bands",), "made here", [], chunks)


def expected(kind, ids=None):
    """List what is to be read back of each galaxy: id, whether it has predictions, flag, problem; None is missing."""
    flags = [Flag.MISSING if row in MISSING else Flag.BAD_INPUT if row == BAD else 0 for row in range(6)]
    problems = [PROBLEM if row == BAD else None for row in range(6)]
    return [*zip(ids or IDS[kind], [not flag for flag in flags], map(int, flags), problems, strict=True)]


def predictions(path, kind="int64", ids=None):
    """Write redshifts and sub-classes of galaxies with ids of a kind; return the file."""
    ids = IDS[kind] if ids is None else ids
    predict([by_hand("b2r"), by_hand("b2s"), by_hand("b2sm")], source_of(ids, kind), path)
    return path
