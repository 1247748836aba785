"""``zoo similar``: the galaxies most like one, with their true values."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from common.data.locate import dataset_folder
from common.predict.neighbours import Neighbour, Neighbours
from sdss_gs.errors import OptionError
from sdss_gs.tables.catalogue import Catalogue


def find_similar(
    objid: str, n: int, name: str | None, ds: str, embedding: Path | None, usual: str, runtime: str = ""
) -> list[tuple[str, ...]]:
    """Find the galaxies most like one, as text: a line with the columns' names, the galaxy itself, its neighbours.

    Parameters
    ----------
    objid : str
    n : int
    name : str or None
        A trained model; None for `usual`, or that of the embedding.
    ds : str
        Data set as the user typed it; empty for the usual one, or none where an embedding is given.
    embedding : Path or None
        What `embed.embed` wrote; computed for the data set, and kept there, where it is not given.
    usual : str
    runtime : str
        As for `opening.load`.

    Raises
    ------
    ZooError
        If the galaxy, the model, the data set or the embedding is not there, or they do not belong together.
    """
    # Imported here: an embedding is searched without TensorFlow.
    from sdss_gs.dataset import open_catalogue

    folder = dataset_folder(ds) if ds or embedding is None else None
    if embedding is None:
        if folder is None:
            raise OptionError("ds: expected a data set, found none; give --ds or --embedding")
        from common.data.sources.folder import open_folder
        from common.models.opening import load
        from common.predict.embed import embedding_of

        model = load(name or usual, runtime)
        if objid not in open_catalogue(folder).objid.astype(str).tolist():
            raise OptionError(f"object: expected the id of a galaxy of {folder}, found {objid[:40]!r}")
        embedding = embedding_of(model, open_folder(folder, tuple(model.shapes)))
    index = Neighbours(embedding)
    if name and index.about["model"] != re.split("[/@]", name)[0]:
        raise OptionError(f"embedding {embedding}: expected one of {name}, found one of {index.about['model']}")
    near = [Neighbour(objid, 0.0), *index.nearest(objid, n)]
    catalogue = open_catalogue(folder) if folder else None
    head = ("objid", "distance", *(catalogue.truths(0) if catalogue else ()))
    rows = [head, *((one.id, f"{one.distance:.3f}", *_truths(catalogue, one.id)) for one in near)]
    # Of the outputs, those that at least one of the galaxies has a value of.
    kept = [column for column in range(len(head)) if column < 2 or any(row[column] != "-" for row in rows[1:])]
    return [tuple(row[column] for column in kept) for row in rows]


def _truths(catalogue: Catalogue | None, objid: str) -> tuple[str, ...]:
    """Write an object's true values; dashes where it is unknown."""
    if catalogue is None:
        return ()
    rows = np.flatnonzero(catalogue.objid == int(objid)) if objid.isdigit() and len(objid) < 20 else ()
    if not len(rows):
        return ("-",) * len(catalogue.truths(0))
    values = catalogue.truths(int(rows[0])).values()
    return tuple("-" if value is None else value if isinstance(value, str) else f"{value:.4g}" for value in values)
