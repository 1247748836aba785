"""A trained model ready to use: ``load("i2r").predict(...)``."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import compress, product
from typing import TYPE_CHECKING

import numpy as np

from common.data.measure import TrainingRange
from common.data.novelty import Novelty
from common.data.photometry import as_learnt, photometry_notes
from common.data.sources import Chunk, Loaded, Source, open_source, open_table_source
from common.data.sources.chunk import problems_of, series_of_ids
from common.data.sources.magnitudes import with_gaps
from common.data.sources.memory import loaded_arrays, named_columns, opened_in_memory
from common.models.packed import pack
from common.models.running import KERAS, Runtime, serving_inputs, symmetric_forms
from common.networks.colour_terms import ColourTerms
from common.networks.inputs import PRESENT
from common.outputs.calibration import Calibration
from common.outputs.column import GRID, QUANTILES
from common.outputs.flags import NO_PREDICTION, Flag
from common.outputs.kinds import DISTRIBUTED, kind_of
from common.outputs.vectors import vector_columns, vectors
from sdss_gs.errors import OptionError
from sdss_gs.origin import SAMPLE, TEMPLATES
from sdss_gs.schema import INPUTS, OUTPUTS, Input, Output
from sdss_gs.tables.columns import DUSTY, extras_of
from sdss_gs.tables.names import meaning_of

if TYPE_CHECKING:
    import pandas as pd

    from common.backend import keras

HASH_DIGITS = 12
USED = "inputs"
"""Column that names the inputs a prediction was made from."""
NOT_FINITE = "the input, or what the network makes of it, is no finite number"
ORIGINS = {
    SAMPLE: "learnt from synthetic galaxies, says nothing reliable of real ones",
    TEMPLATES: "learnt from spectra made of the survey's templates, never from a real one",
}
"""What is to be known of a model that did not learn from real objects."""
ANY = ""
"""Set of inputs that stands for: whatever an object has."""

Calibrations = dict[str, dict[str, Calibration]]
"""By set of inputs (``img|bands``, in the order of the model's inputs; `ANY`) and output."""


@dataclass(frozen=True)
class Model:
    """A trained model with everything it takes to use it.

    Parameters
    ----------
    name : str
        For example ``i2r``.
    version : str
        In the registry, or of the exported folder.
    sha256 : str
        Of the weights' file.
    inputs : tuple of Input
        In the order in which the network knows what is present.
    outputs : tuple of Output
    runtime : Runtime
        Runs the network: onnxruntime, or Keras.
    shapes : dict of str to tuple of int
        Shape of one object, by input.
    reading : dict
        Options of the training without which inputs or values cannot be understood.
    calibrations : dict of str to dict of str to Calibration
        By set of inputs and output.
    training_ranges : dict of str to Novelty or TrainingRange
        By input.
    costs : dict of str to dict of str to float
        Of a model whose inputs may be missing: what it reached on validation objects shown a set of inputs, by set and
        output, as `Metric.cost` turns the headline metric.
    tta : bool
        Whether each image is seen in its eight symmetric forms, and what the network gives for them is averaged:
        redshift, log10 of the mass, or probability. Error bars stay those that were calibrated without.
    pdf : str
        As what distributions stand beside the other columns, see `vector_columns`; empty: not at all.
    origin : str
        What it learnt from, if not from real objects: a `SAMPLE` or spectra of `TEMPLATES`, see `sdss_gs.origin`;
        empty of models stored before that was noted, too.
    adapted : dict
        Of a model that was taken to another survey, where it comes from and how, see `adapted.Adapted.facts`; else
        empty.
    reference : mapping
        A sample of validation objects, see `common.models.reference`, as JSON has it: only `common.shift` reads it.
        Empty of models stored before there was one.
    """

    name: str
    version: str
    sha256: str
    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]
    runtime: Runtime
    shapes: dict[str, tuple[int, ...]]
    reading: dict[str, object]
    calibrations: Calibrations
    training_ranges: dict[str, Novelty | TrainingRange]
    costs: dict[str, dict[str, float]] = field(default_factory=dict)
    tta: bool = False
    pdf: str = ""
    origin: str = ""
    reference: Mapping = field(default_factory=dict)
    adapted: Mapping[str, object] = field(default_factory=dict)

    @property
    def terms(self) -> tuple[ColourTerms, ...]:
        """Colour terms at its network's input, the first one first."""
        return tuple(ColourTerms.from_facts(one) for one in self.adapted.get("colour_terms", ()))

    @property
    def flat(self) -> bool:
        """Whether the network leads from one input straight to one output; of others any input may be missing."""
        return self.runtime.flat

    @property
    def network(self) -> keras.Model:
        """The Keras network as it is stored, see `serving.serving_network`; of a model that Keras runs."""
        if self.runtime.name != KERAS:
            raise OptionError(f"{self.name}: expected a model that Keras runs, such as load('b2r', 'keras')")
        return self.runtime.network

    def columns(self) -> list[str]:
        """List the columns of a prediction.

        Those of `Kind.columns`, vectors where `pdf` asks for them, and ``flag``, see `Flag`. Of a model whose inputs
        may be missing also ``inputs``, those a prediction was made from, joined by ``|``, and for each output its
        ``<output>_flag``; ``flag`` then has the bits of all outputs.
        """
        if self.flat:
            return [*self._columns_of(self.outputs[0]), "flag"]
        parts = [[*self._columns_of(output), f"{output.name}_flag"] for output in self.outputs]
        return [USED, *(column for part in parts for column in part), "flag"]

    def _columns_of(self, output: Output) -> list[str]:
        return [*kind_of(output).columns(), *vector_columns(output, self.pdf)]

    def weights(self) -> str:
        """Name the weights by the first digits of their SHA-256; digits alone might be read back as a number."""
        return f"sha256:{self.sha256[:HASH_DIGITS]}"

    def example(self) -> dict[str, np.ndarray]:
        """Make the input of one object, all zeros, as the stored model wants it."""
        zeros = {item.name: np.zeros((1, *self.shapes[item.name]), item.dtype) for item in self.inputs}
        if self.flat:
            return serving_inputs(self.inputs[0], zeros[self.inputs[0].name])
        return zeros | {PRESENT: np.ones((1, len(self.inputs)), np.float32)}

    def facts(self) -> dict[str, object]:
        """Say, as JSON has it, what it takes to use the model beside its network."""
        own = {output.name: asdict(output) for output in self.outputs if OUTPUTS.get(output.name) != output}
        widened = {item.name: asdict(item) for item in self.inputs if INPUTS[item.name] != item}
        return {
            "inputs": [item.name for item in self.inputs],
            "outputs": [output.name for output in self.outputs],
            "reading": self.reading,
            "calibration": {
                shown: {name: asdict(one) for name, one in by_output.items()}
                for shown, by_output in self.calibrations.items()
            },
            "training_range": {name: asdict(one) for name, one in self.training_ranges.items()},
            **({"costs": self.costs} if self.costs else {}),
            **({"origin": self.origin} if self.origin else {}),
            **({"adapted": dict(self.adapted)} if self.adapted else {}),
            **({"reference": dict(self.reference)} if self.reference else {}),
            **({"own_outputs": own} if own else {}),
            **({"own_inputs": widened} if widened else {}),
        }

    def to_bytes(self) -> bytes:
        """Put the model into bytes, from which `opening.load` opens one that predicts the same to the last bit.

        What runs it is what will run it. How it is used, `tta` and `pdf`, is no part of it.
        """
        return pack(self.name, self.version, self.sha256, self.facts(), self.runtime.files())

    # === From objects to a table ===

    def predict(
        self,
        values: object,
        *,
        image_scale: float | None = None,
        pdf: str = "",
        limits: bool = False,
        photometry: str = "",
    ) -> pd.DataFrame:
        """Predict objects.

        Parameters
        ----------
        values : table, ndarray, dict of str to ndarray, path, or list of paths
            A table of pandas, polars, pyarrow, DuckDB or astropy, or a dict of columns, whose magnitudes are found by
            name as in a catalogue; an array ``(n, *shape)``, or of one object, ``shape``; arrays by input, of which
            some may be left out; or whatever `sources.open_source` takes: an SDSS-GS folder, a catalogue, files or a
            folder of them. Magnitudes that are masked, NaN or what surveys write for "not measured" are missing.
        image_scale : float, optional
            Arcsec per pixel of image files; another one than 0.2 has them resampled.
        pdf : str
            ``grid``: a column ``<output>_pdf`` besides, in each row an array of the density in the bins whose borders
            are ``attrs["grids"]["<output>_pdf"]``, for masses in log10(M / Msun); ``quantiles``: ``<output>_quantiles``
            at ``attrs["levels"]``. NaN where nothing is predicted; ``np.stack(frame["redshift_pdf"])`` is
            ``(n, bins)``.
        limits : bool
            A magnitude of 99 with a magnitude as its error is a limit: see `sources.magnitudes.LIMIT_ERROR`.
        photometry : str
            ``raw`` or ``dereddened``: whether magnitudes u g r i z are corrected for the Galaxy's extinction. By
            default those are whose columns are called ``dered_*``, or whose column ``photometry`` says so.

        Returns
        -------
        DataFrame
            One row per object, in order, with the columns that `columns` lists; for files and tables also their
            ids, and in words what is wrong with an input. Of a table of pandas it has the index. What should be known
            of how they were understood is in ``attrs["notes"]``: files that were passed over, for instance.

        Raises
        ------
        ZooError
            If `values` cannot be understood, or there is no distribution. A single bad object only gets a flag.
        """
        import pandas as pd

        if pdf:
            return self.with_pdf(pdf).predict(values, image_scale=image_scale, limits=limits, photometry=photometry)
        first = values[0] if isinstance(values, Sequence) and not isinstance(values, str) and len(values) else values
        names, extras = [item.name for item in self.inputs], extras_of(self.inputs, limits, photometry)
        if isinstance(values, Mapping) and any(meaning_of(str(key)) for key in values):
            table = named_columns(values)
        else:
            table = opened_in_memory(values)
        if table is not None:
            source = open_table_source(table, names, self.photometry(), extras)
        elif isinstance(first, str | os.PathLike):
            paths = [values] if values is first else values
            source = open_source(
                paths, names, photometry=self.photometry(), image_scale=image_scale, progress=False, extras=extras
            )
        else:
            if self.flat and not isinstance(values, Mapping):
                values = {self.inputs[0].name: values}
            return self.predict_loaded(loaded_arrays(self.name, self.inputs, self.shapes, values, extras))
        frames = [
            self._framed({source.id_name: series_of_ids(chunk.ids)} | predict_chunk(self, chunk, source))
            for chunk in source.chunks()
        ]
        if not frames:
            raise OptionError(f"{self.name}: expected at least one object, found none")
        frame = pd.concat(frames, ignore_index=True)
        missing = int((frame["flag"] & int(Flag.MISSING) > 0).sum())
        frame.attrs |= frames[0].attrs | {
            "notes": [*source.notes, *source.counted(), *self.notes(source), *left_out(self, missing)]
        }
        return frame.set_axis(values.index) if isinstance(values, pd.DataFrame) else frame

    def photometry(self) -> dict[str, str]:
        """Return the kind of magnitudes that it learnt from, by input; see `sdss_gs.tables.names.Meaning`."""
        return {name: one.photometry for name, one in self.training_ranges.items() if one.photometry}

    def notes(self, source: Source) -> list[str]:
        """Say what becomes of a source's magnitudes, see `photometry_notes`."""
        return photometry_notes(self.name, source, self.photometry().get(DUSTY, ""))

    def predict_loaded(self, loaded: Mapping[str, Loaded]) -> pd.DataFrame:
        """Make a table of `columns_of`."""
        return self._framed(self.columns_of(loaded))

    def _framed(self, columns: Mapping[str, object]) -> pd.DataFrame:
        # Not with the others, here and above: a service needs none of it.
        import pandas as pd

        frame = pd.DataFrame({name: list(one) if one.ndim > 1 else one for name, one in columns.items()})
        frame.attrs |= self.axes()
        return frame

    def axes(self) -> dict[str, object]:
        """Say what the numbers of its vectors stand for.

        Returns
        -------
        dict of str to object
            ``grids``: the borders of the bins, by column of densities; or ``levels``: the cumulative probabilities of
            quantiles. Nothing where no vectors are wanted.
        """
        described = [vector_columns(output, self.pdf) for output in self.outputs]
        found = {name: column.vector for columns in described for name, column in columns.items()}
        if self.pdf == GRID:
            return {"grids": {name: vector.borders for name, vector in found.items()}}
        return {"levels": next(iter(found.values())).levels} if found else {}

    def with_pdf(self, form: str) -> Model:
        """Return the model with its distributions beside the other columns, see `vector_columns`.

        Raises
        ------
        OptionError
            If there is no such form, or none of its outputs has a distribution.
        """
        if form not in (GRID, QUANTILES):
            raise OptionError(f"pdf: expected {GRID} or {QUANTILES}, found {form!r}")
        if not any(output.grid for output in self.outputs):
            names = ", ".join(output.name for output in self.outputs)
            hint = "; -P head=binned trains one" * any(output.kind in DISTRIBUTED for output in self.outputs)
            expected = f"{self.name}: expected a model that predicts distributions"
            raise OptionError(f"{expected}, found {names} without one{hint}")
        return replace(self, pdf=form)

    def columns_of(self, loaded: Mapping[str, Loaded]) -> dict[str, np.ndarray]:
        """Predict objects from what was loaded of them, by input, without a table: a service answers from this.

        Returns
        -------
        dict of str to ndarray, shape (n,)
            What `columns` lists, in its order: float64 or text (object), NaN where nothing is predicted; flags int32;
            vectors float32 ``(n, m)``.
        """
        seen, present, flags = self.usable(loaded)
        good = np.flatnonzero(present.any(axis=1))
        predicted = self.answers(seen, present[good])
        used = self.names_of(present)
        found, together = {USED: used}, flags.copy()
        for output in self.outputs:
            kind, answer, own = kind_of(output), predicted[output.name], flags.copy()
            finite = np.isfinite(answer).all(axis=tuple(range(1, answer.ndim)))
            own[good[~finite]] |= int(Flag.BAD_INPUT)
            # At least once, so that a piece without any prediction has columns of the same kinds.
            for key in dict.fromkeys(used[good]) or (ANY,):
                chosen = finite & (used[good] == key)
                here = good[chosen]
                values, unsure = kind.values(self.calibration(key, output), answer[chosen])
                own[here[unsure]] |= int(Flag.UNSURE)
                own[here[kind.impossible(values[0])]] |= int(Flag.IMPOSSIBLE)
                if vector_columns(output, self.pdf):
                    values = [*values, vectors(output, self.pdf, answer[chosen])]
                for column, some in zip(self._columns_of(output), values, strict=True):
                    if column not in found:
                        found[column] = np.full((len(flags), *some.shape[1:]), np.nan, some.dtype)
                    found[column][here] = some
            found[f"{output.name}_flag"] = own
            together |= own
        found["flag"] = together
        return {column: found[column] for column in self.columns()}

    def names_of(self, present: np.ndarray) -> np.ndarray:
        """Name the inputs of each object, joined by ``|``, by which are there, bool ``(n, inputs)``."""
        names, several = [item.name for item in self.inputs], len(self.inputs)
        sets = ["|".join(compress(names, chosen)) for chosen in product((False, True), repeat=several)]
        return np.array(sets, object)[present @ (1 << np.arange(several)[::-1])]

    def calibration(self, used: str, output: Output) -> Calibration:
        """Choose the calibration for a set of inputs.

        That of the largest set within it which has one: what is seen beyond it makes no prediction worse than its
        intervals say. Without any, that of objects with whatever they have.
        """
        names = set(used.split("|"))
        known = [key for key, by_output in self.calibrations.items() if output.name in by_output]
        within = [key for key in known if key and set(key.split("|")) <= names]
        best = max(within, key=lambda key: key.count("|"), default=ANY)
        return self.calibrations[best][output.name]

    # === What the network sees and says ===

    def usable(self, loaded: Mapping[str, Loaded]) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
        """Choose what the network can see.

        Returns
        -------
        seen : dict of str to ndarray, shape (m, ...)
            By input, of those objects that have a usable one.
        present : ndarray of bool, shape (n, inputs)
            Which these are.
        flags : ndarray of int32, shape (n,)
            Of all objects.
        """
        count = len(next(iter(loaded.values())).flags)
        flags, present = np.zeros(count, np.int32), np.zeros((count, len(self.inputs)), bool)
        seen = {}
        for number, item in enumerate(self.inputs):
            if item.name not in loaded:
                continue
            values, own = as_learnt(item, loaded[item.name], self.training_ranges[item.name].photometry)
            if np.dtype(item.dtype).kind == "f":
                # What is too large for it is infinite from here on.
                with np.errstate(over="ignore"):
                    values = values.astype(item.dtype, copy=False)
            if item.gaps:
                values, own = with_gaps(item, values, own)
            else:
                finite = np.isfinite(values).reshape(count, -1).all(axis=1)
                own[~finite & ((own & NO_PREDICTION) == 0)] |= int(Flag.BAD_INPUT)
            good = present[:, number] = (own & NO_PREDICTION) == 0
            if good.any():
                seen[item.name] = np.ascontiguousarray(values[good], item.dtype)
                outside = self.training_ranges[item.name].outside(item, seen[item.name])
                own[np.flatnonzero(good)[outside]] |= int(Flag.OUTSIDE_TRAINING)
            flags |= own
        some = present.any(axis=1)
        # One input that is there is enough for a prediction: the others that lack or are damaged are no reason to flag.
        flags[some] &= ~int(NO_PREDICTION)
        flags[~some & (flags == 0)] = int(Flag.MISSING)
        return seen, present, flags

    def answers(self, seen: Mapping[str, np.ndarray], present: np.ndarray) -> dict[str, np.ndarray]:
        """Run the network.

        Parameters
        ----------
        seen : mapping of str to ndarray, shape (m, ...)
            By input, what the m objects that have it look like.
        present : ndarray of bool, shape (n, inputs)
            Which of the n objects these are; each has one at least.

        Returns
        -------
        dict of str to ndarray
            By output, in the catalogue's unit, float64 ``(n,)``, or probabilities or votes ``(n, size)``.
        """
        return self.decided(self.views(seen, present), len(present))

    def views(self, seen: Mapping[str, np.ndarray], present: np.ndarray) -> Iterator[dict[str, np.ndarray]]:
        """Encode what the network is to see: the objects as they are, or in their eight forms; see `encoded`."""
        for view in symmetric_forms(seen) if self.tta else (seen,):
            yield self.encoded(view, present)

    def encoded(self, seen: Mapping[str, np.ndarray], present: np.ndarray) -> dict[str, np.ndarray]:
        """Run the encoders, where most of the arithmetic is, on what `answers` takes; return what `decided` takes.

        Nothing is spent on what an object lacks. A flat network has no encoders: its inputs stay as they are.
        """
        if self.flat:
            return serving_inputs(self.inputs[0], seen[self.inputs[0].name]) if len(present) else {}
        features = {}
        for number, item in enumerate(self.inputs):
            features[item.name] = np.zeros((len(present), self.runtime.width(item)), np.float32)
            if present[:, number].any():
                features[item.name][present[:, number]] = self.runtime.encode(item, seen[item.name])
        return features | {PRESENT: present.astype(np.float32)}

    def decided(self, views: Iterable[Mapping[str, np.ndarray]], count: int) -> dict[str, np.ndarray]:
        """Run the rest of the network on views of some objects, see `encoded`, and average over these."""
        target, decoded = str(self.reading.get("target", "log")), {}
        answers = [self.runtime.answer(view, self.inputs if self.flat else ()) for view in views] if count else []
        for output in self.outputs:
            raw = [one[output.name] for one in answers]
            mean = np.mean(raw, axis=0) if len(raw) > 1 else raw[0] if raw else np.empty((0, output.size), np.float32)
            decoded[output.name] = kind_of(output).decode(mean, target)
        return decoded


def origin_notes(models: Iterable[Model]) -> list[str]:
    """Say which of some models did not learn from real objects, a line for each `ORIGINS` that any has."""
    found: dict[str, list[str]] = {}
    for model in models:
        found.setdefault(model.origin, []).append(model.name)
    return [f"{', '.join(found[origin])}: {words}" for origin, words in ORIGINS.items() if origin in found]


def predict_chunk(model: Model, chunk: Chunk, source: Source) -> dict[str, np.ndarray]:
    """Predict the objects of a chunk.

    Parameters
    ----------
    model : Model
    chunk : Chunk
    source : Source
        Where the chunk comes from.

    Returns
    -------
    dict of str to ndarray, shape (n,)
        The model's columns, see `Model.columns_of`, and ``problem``: what is wrong with an input, in words.
    """
    return columns_with_problem(model, load_chunk(model, chunk, source))


def columns_with_problem(model: Model, loaded: Mapping[str, Loaded]) -> dict[str, np.ndarray]:
    """Predict what was loaded of some objects, by input; return what `predict_chunk` does."""
    found = model.columns_of(loaded)
    bad = found["flag"] & int(Flag.BAD_INPUT) > 0
    texts = zip(problems_of(loaded, len(bad)), bad, strict=True)
    return found | {"problem": np.array([text or (NOT_FINITE if wrong else "") for text, wrong in texts], object)}


def left_out(model: Model, missing: int) -> list[str]:
    """Say that a model answers complete rows only, where so many rows were missing their input for that reason."""
    if not missing or not model.flat or not model.inputs[0].columns or model.inputs[0].gaps:
        return []
    return [f"{model.name}: {missing:,} rows lack a magnitude; this model answers complete rows only"]


def load_chunk(model: Model, chunk: Chunk, source: Source) -> dict[str, Loaded]:
    """Load those inputs of a chunk that a model looks at and the source has.

    Parameters
    ----------
    model : Model
    chunk : Chunk
    source : Source
        Where the chunk is from.
    """
    column = str(model.reading.get("column", ""))
    return {
        item.name: chunk.load(item, model.shapes[item.name], column)
        for item in model.inputs
        if item.name in source.inputs
    }
