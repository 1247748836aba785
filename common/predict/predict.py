"""Predict many objects with some models, piece by piece, into one file: ``zoo predict``."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa

from common.data.sources import Chunk, Source
from common.data.sources.chunk import whole_ids
from common.models.model import USED, Model, predict_chunk
from common.outputs.column import Column
from common.outputs.flags import Flag
from common.outputs.kinds import kind_of
from common.outputs.vectors import vector_columns
from common.predict.combine import ALONE, Combination, combine
from common.predict.results import Pieces, unfinished, write_in_pieces
from common.runs.provenance import code_version
from sdss_gs.errors import DataError, OptionError
from sdss_gs.logs import LOG

FLAG_COLUMN = Column("sum of bits: know them before use (docs/understanding/flags.md)", "meta.code.qual")
PROBLEM_COLUMN = Column("what is wrong with an input, in words", "meta.note")
MODEL_COLUMNS = {
    "flag": FLAG_COLUMN,
    "problem": PROBLEM_COLUMN,
    "model": Column("model that predicted", "meta.id;meta.software"),
    "version": Column("version of the model", "meta.version"),
    "weights": Column("first digits of the SHA-256 of the model's weights", "meta.checksum"),
    "runtime": Column("what ran the network: onnxruntime or keras", "meta.id;meta.software"),
}


@dataclass
class Done:
    """What a prediction came to.

    Parameters
    ----------
    rows : int
    seconds : float
    flags : Counter of str
        Rows by model and bit of the flag, ``b2r MISSING``; of what this run predicted itself.
    """

    rows: int
    seconds: float
    flags: Counter = field(default_factory=Counter)


Engine = Callable[[Sequence[Model], Source, Combination, Pieces], Iterator[tuple[int, Counter]]]
"""Takes models, source, how models are combined and the pieces; fills the pieces that are not finished yet, and yields
of each its objects and flags, see `flag_counts`."""


def predict(
    models: Sequence[Model],
    source: Source,
    output: Path,
    *,
    overwrite: bool = False,
    together: Combination = ALONE,
    engine: Engine | None = None,
) -> Done:
    """Predict all objects of a source.

    A killed prediction keeps its finished pieces; the same call goes on after them.

    Parameters
    ----------
    models : sequence of Model
    source : Source
    output : Path
        ``.parquet``, ``.csv``, ``.fits``, ``.vot`` or ``.xml``; one row per object, in the source's order. A Parquet
        file's schema also says, as JSON under ``zoo``, which code, source and models (full SHA-256) it is from.
    overwrite : bool
        Replace an output that is there.
    together : Combination
        How the models of one output are combined, if at all.
    engine : Engine, optional
        Where it runs: `here`, in this process, by default.

    Raises
    ------
    ZooError
        If the source has no object or no input of a model, or the output cannot be written.
    """
    check_source(models, source)
    done, began = Done(0, 0.0), time.perf_counter()
    plan = {
        "models": [[model.name, model.version, model.sha256] for model in models],
        "together": together.way,
        "tta": [model.name for model in models if model.tta],
        "pdf": [model.pdf for model in models],
        "runtime": [model.runtime.name for model in models],
    }
    about = {"zoo": json.dumps({"code": code_version(), "source": source.stamp} | plan)}

    def work(pieces: Pieces) -> Iterator[int]:
        for rows, flags in (engine or here)(models, source, together, pieces):
            done.flags.update(flags)
            yield rows

    columns = described(models, together)
    done.rows = write_in_pieces(source, output, plan, work, "predicting", overwrite, about, columns)
    done.seconds = time.perf_counter() - began
    LOG.info("predicted rows=%d seconds=%.1f output=%s", done.rows, done.seconds, output)
    return done


def check_source(models: Sequence[Model], source: Source) -> None:
    """Check that a source has objects, and an input of each model.

    Raises
    ------
    ZooError
        If not.
    """
    if not source.count:
        raise DataError("input: expected at least one object, found none")
    for model in models:
        names = [item.name for item in model.inputs]
        if not set(names) & set(source.inputs):
            there = ", ".join(source.inputs) or "nothing a model takes"
            raise OptionError(f"{model.name}: expected an input with {' or '.join(names)}, found {there}")


def here(
    models: Sequence[Model], source: Source, together: Combination, pieces: Pieces
) -> Iterator[tuple[int, Counter]]:
    """Predict in this process, piece after piece; an `Engine`.

    Parameters
    ----------
    models, source, together
        As for `predict`.
    pieces : Pieces
        Where the results are kept.
    """
    for number, chunk in unfinished(source, pieces):
        rows = predict_together(models, chunk, source, together)
        pieces.add(number, rows)
        yield len(rows), flag_counts(models, rows)


def flag_counts(models: Sequence[Model], rows: pa.Table) -> Counter:
    """Count the rows of `predict_together` by model and bit of the flag, ``b2r MISSING``."""
    columns = {model.name: rows[_prefix(models, model) + "flag"].to_numpy() for model in models}
    return Counter(
        {f"{name} {bit.name}": int((column & int(bit) != 0).sum()) for name, column in columns.items() for bit in Flag}
    )


def predict_together(models: Sequence[Model], chunk: Chunk, source: Source, together: Combination = ALONE) -> pa.Table:
    """Predict a chunk with every model, side by side.

    Parameters
    ----------
    models : sequence of Model
    chunk : Chunk
    source : Source
        Where the chunk is from.
    together : Combination

    Returns
    -------
    Table
        The id; what the models say together, if they are combined; then each model's columns, after its name and an
        underscore where there are several models: its prediction, ``flag``, ``problem``, ``model``, ``version``,
        ``weights``, see `Model.weights`, and ``runtime``.
    """
    found = {model.name: predict_chunk(model, chunk, source) for model in models}
    ids = {source.id_name: whole_ids(chunk.ids)}
    if together.way:
        ids |= _arrow(combine(models, found, together))
    return side_by_side(models, found, ids)


def side_by_side(
    models: Sequence[Model], found: Mapping[str, Mapping[str, np.ndarray]], ids: Mapping[str, pa.Array]
) -> pa.Table:
    """Lay out what models say of the same objects.

    Parameters
    ----------
    models : sequence of Model
    found : mapping of str to mapping of str to ndarray, shape (n, ...)
        By model, as from `predict_chunk`.
    ids : mapping of str to Array
        Columns that stand in front of the models'.

    Returns
    -------
    Table
        As from `predict_together`.
    """
    columns = dict(ids)
    for model in models:
        own, said = found[model.name], {"model": model.name, "version": model.version, "weights": model.weights()}
        said |= {"runtime": model.runtime.name}
        texts = {key: pa.repeat(text, len(own["flag"])) for key, text in said.items()}
        columns |= {_prefix(models, model) + key: one for key, one in (_arrow(own) | texts).items()}
    return pa.table(columns)


def _arrow(columns: Mapping[str, np.ndarray]) -> dict[str, pa.Array]:
    """Turn columns into Arrow's, with nulls for NaN."""
    return {name: _vectors(values) if values.ndim > 1 else pa.array(values, from_pandas=True)
            for name, values in columns.items()}  # fmt: skip


def _vectors(values: np.ndarray) -> pa.Array:
    # Null numbers in a list that is there: Arrow's reader of Parquet refuses fixed-size lists that are null themselves.
    return pa.FixedSizeListArray.from_arrays(pa.array(values.ravel(), from_pandas=True), values.shape[1])


def described(models: Sequence[Model], together: Combination = ALONE) -> dict[str, Column]:
    """Say what each column of `predict_together` but the id holds."""
    found = {}
    if together.way:
        for output in (output for model in models for output in model.outputs):
            found |= kind_of(output).described()
            found[f"{output.name}_models"] = Column(f"models that say the {output.name}, joined by |")
            found[f"{output.name}_flag"] = FLAG_COLUMN
    for model in models:
        own = {USED: Column("inputs that the prediction was made from, joined by |")}
        for output in model.outputs:
            own |= kind_of(output).described() | vector_columns(output, model.pdf)
            own |= {f"{output.name}_flag": FLAG_COLUMN}
        own |= MODEL_COLUMNS
        found |= {_prefix(models, model) + name: column for name, column in own.items()}
    return found


def _prefix(models: Sequence[Model], model: Model) -> str:
    return "" if len(models) == 1 else f"{model.name}_"
