"""What a model makes of a galaxy before it decides: the features that feed its head, piece by piece into one file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from common.backend import keras
from common.data.sources import Chunk, Loaded, Source
from common.data.sources.folder import dataset_source
from common.models.model import HASH_DIGITS, Model, load_chunk, problems_of
from common.models.running import bare_network, run
from common.networks.parts import decider_of
from common.outputs.column import Column
from common.outputs.flags import NO_PREDICTION
from common.outputs.kinds import kind_of
from common.predict.neighbours import FEATURES
from common.predict.predict import FLAG_COLUMN, PROBLEM_COLUMN, check_source
from common.predict.results import Pieces, unfinished, write_in_pieces
from sdss_gs.dataset import Dataset
from sdss_gs.errors import DataError, OptionError
from sdss_gs.packing.packed import packed_folder


@dataclass(frozen=True)
class Embedder:
    """A model without its head.

    Parameters
    ----------
    model : Model
    network : keras.Model
        From what `Model.usable` chooses to the features.
    layer : str
        Name of the layer that makes them; of a model with several outputs one for each, joined by ``|``.
    """

    model: Model
    network: keras.Model
    layer: str

    @property
    def width(self) -> int:
        """How many features there are."""
        return self.network.output.shape[1]

    def features(self, loaded: dict[str, Loaded]) -> tuple[np.ndarray, np.ndarray]:
        """Compute the features of ``n`` objects, given by input.

        Returns
        -------
        features : ndarray of float32, shape (n, width)
            NaN where an object has no usable input.
        flags : ndarray of int32, shape (n,)
        """
        seen, present, flags = self.model.usable(loaded)
        good = present.any(axis=1)
        features = np.full((len(flags), self.width), np.nan, np.float32)
        if good.any():
            # The head of a flat network comes off the network inside the one that is stored, which has no column names.
            fed = seen if self.model.flat else self.model.encoded(seen, present[good])
            features[good] = run(self.network, fed, self.model.inputs)
        return features, flags

    def metadata(self) -> dict[str, str]:
        """Say which features these are, for the schema of a Parquet file."""
        model = self.model
        return {"model": model.name, "version": model.version, "weights": model.sha256, "layer": self.layer}


def embedder(model: Model) -> Embedder:
    """Take the head off a model; the features of one with several outputs are those of each output, side by side."""
    network = bare_network(decider_of(model.network))
    fed = [kind_of(output).head_of(network).input for output in model.outputs]
    joined = keras.layers.Concatenate(dtype="float32")(fed) if len(fed) > 1 else fed[0]
    layers = [next(layer.name for layer in network.operations if layer.output is features) for features in fed]
    return Embedder(model, keras.Model(network.input, joined), "|".join(layers))


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
    headless = embedder(model)

    def work(pieces: Pieces) -> Iterator[int]:
        for number, chunk in unfinished(source, pieces):
            rows = _rows(headless, chunk, source)
            pieces.add(number, rows)
            yield len(rows)

    about = headless.metadata()
    columns = {"flag": FLAG_COLUMN, "problem": PROBLEM_COLUMN, FEATURES: Column("what feeds the model's head")}
    return write_in_pieces(source, output, {"embedding": about}, work, "embedding", overwrite, about, columns)


def _rows(headless: Embedder, chunk: Chunk, source: Source) -> pa.Table:
    loaded = load_chunk(headless.model, chunk, source)
    features, flags = headless.features(loaded)
    # Null numbers in a list that is there: Arrow's reader of Parquet refuses fixed-size lists that are null themselves.
    missing = np.repeat((flags & NO_PREDICTION) != 0, headless.width)
    values = pa.array(features.ravel(), mask=missing)
    columns = {
        source.id_name: chunk.ids,
        "flag": pa.array(flags),
        "problem": pa.array(problems_of(loaded, len(flags)), pa.string()),
        FEATURES: pa.FixedSizeListArray.from_arrays(values, headless.width),
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
