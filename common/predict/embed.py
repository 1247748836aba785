"""What a model makes of a galaxy before it decides: the features that feed its head, piece by piece into one file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from common.data.sources import Chunk, Loaded, Source
from common.data.sources.chunk import problems_of
from common.data.sources.folder import dataset_source
from common.models.model import HASH_DIGITS, Model, load_chunk
from common.outputs.column import Column
from common.outputs.flags import NO_PREDICTION
from common.predict.neighbours import FEATURES
from common.predict.predict import FLAG_COLUMN, PROBLEM_COLUMN, check_source
from common.predict.results import Pieces, unfinished, write_in_pieces
from sdss_gs.dataset import Dataset
from sdss_gs.errors import DataError, OptionError
from sdss_gs.packing.packed import packed_folder


def features_of(model: Model, loaded: dict[str, Loaded]) -> tuple[np.ndarray, np.ndarray]:
    """Compute what feeds a model's head, of ``n`` objects given by input.

    Returns
    -------
    features : ndarray of float32, shape (n, width)
        NaN where an object has no usable input. Of a model with several outputs those of each, side by side.
    flags : ndarray of int32, shape (n,)
    """
    seen, present, flags = model.usable(loaded)
    good = present.any(axis=1)
    features = np.full((len(flags), model.runtime.features_width), np.nan, np.float32)
    if good.any():
        view = model.encoded(seen, present[good])
        features[good] = model.runtime.features(view, model.inputs if model.flat else ())
    return features, flags


def embed(model: Model, source: Source, output: Path, *, overwrite: bool = False) -> int:
    """Write the features of all objects of a source; killed, the same call goes on where it was.

    Parameters
    ----------
    model : Model
    source : Source
    output : Path
        ``.parquet``: a row per object with its id, ``flag``, ``problem``, and ``features``, float32 of fixed length,
        nulls where an object has no usable input. The schema's metadata name model, version, weights and layer.
    overwrite : bool
        Replace an output that is there.

    Returns
    -------
    int
        Rows.

    Raises
    ------
    ZooError
        If the source has no object or no input of the model, or the output cannot be written.
    """
    if output.suffix.lower() != ".parquet":
        raise OptionError(f"output {output}: expected a file that ends in .parquet")
    check_source([model], source)

    def work(pieces: Pieces) -> Iterator[int]:
        for number, chunk in unfinished(source, pieces):
            rows = _rows(model, chunk, source)
            pieces.add(number, rows)
            yield len(rows)

    about = {"model": model.name, "version": model.version, "weights": model.sha256, "layer": model.runtime.layer}
    about |= {"runtime": model.runtime.name}
    columns = {"flag": FLAG_COLUMN, "problem": PROBLEM_COLUMN, FEATURES: Column("what feeds the model's head")}
    return write_in_pieces(source, output, {"embedding": about}, work, "embedding", overwrite, about, columns)


def _rows(model: Model, chunk: Chunk, source: Source) -> pa.Table:
    loaded = load_chunk(model, chunk, source)
    features, flags = features_of(model, loaded)
    # Null numbers in a list that is there: Arrow's reader of Parquet refuses fixed-size lists that are null themselves.
    missing = np.repeat((flags & NO_PREDICTION) != 0, features.shape[1])
    values = pa.array(features.ravel(), mask=missing)
    columns = {
        source.id_name: chunk.ids,
        "flag": pa.array(flags),
        "problem": pa.array(problems_of(loaded, len(flags)), pa.string()),
        FEATURES: pa.FixedSizeListArray.from_arrays(values, features.shape[1]),
    }
    return pa.table(columns)


def stored_embedding(model: Model, data: Dataset) -> Path:
    """Return where a data set's features are kept: beside its packed arrays, named by model, weights and content."""
    content = data.fingerprint([name for name in model.shapes if name in data.rows], (), np.arange(len(data)))
    return packed_folder(data.folder) / "embeddings" / f"{model.name}-{model.sha256[:HASH_DIGITS]}-{content}.parquet"


def embedding_of(model: Model, data: Dataset, *, overwrite: bool = False) -> Path:
    """Compute a data set's features unless they are there; return the file.

    Those of the same weights on what the data set was before are removed.

    Parameters
    ----------
    model : Model
    data : Dataset
    overwrite : bool
        Compute them anew.

    Raises
    ------
    ZooError
        As for `embed`.
    """
    path = stored_embedding(model, data)
    if path.is_file() and not overwrite:
        return path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{path.parent}: cannot be made: {error}") from None
    # Pieces of another state of the data are no use to anybody here; those of this one are gone on with all the same.
    embed(model, dataset_source(data, repeats=False), path, overwrite=True)
    for old in path.parent.glob(f"{path.stem.rpartition('-')[0]}-*.parquet"):
        if old != path:
            old.unlink(missing_ok=True)
    return path
