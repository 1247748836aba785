"""The data of one training run: which objects are used, in which part, what each has, and how they reach Keras."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from itertools import compress

import numpy as np

from common.backend import tf
from common.data.batches import ALONE, Blocks, EpochOrder, Share, make_batches
from common.data.divide import divide, split_of, with_parts
from common.data.fit_novelty import OBJECTS, fit_novelty
from common.data.measure import measure
from common.data.novelty import Novelty
from common.data.photometry import catalogue_as_learnt
from common.data.target import (
    described,
    distributed,
    find_target,
    of_kind,
    require_learnable,
    standardised,
    widened,
)  # fmt: skip
from common.data.task import Task
from common.networks.inputs import PRESENT
from common.networks.training_wrappers import POSITION
from common.options import TrainingOptions
from common.outputs.kinds import kind_of
from common.outputs.kinds.classes import class_weights
from sdss_gs.check import layout_notes
from sdss_gs.dataset import open_dataset
from sdss_gs.errors import DataError, OptionError
from sdss_gs.formats import img
from sdss_gs.formats.composite import colour
from sdss_gs.formats.raw import list_paths
from sdss_gs.locate import find_dataset, how_made
from sdss_gs.packing.packed import Manifest
from sdss_gs.schema import CATALOGUE_FILE, EXTINCTION, INPUTS, Input, Output
from sdss_gs.split import Split, limited
from sdss_gs.tables.columns import DUSTY
from sdss_gs.tables.own import read_published

RESIDENT = ("train", "validation")
"""Parts that a network sees while it is fitted; they may live on the device, in this order."""
MAGNITUDES = tuple(column for item in INPUTS.values() for column in item.columns)
SHOWN = ("img", "fits", "spectra", "ssel")
"""Inputs that a person can look at, the best first."""


class TrainingData:
    """The objects of a data set with at least one of the inputs and at least one of the outputs, in three parts.

    Parameters
    ----------
    task : Task
    options : TrainingOptions
        Of the run; of a stored model, with its own target and column.
    whole : bool
        Take every object as a test object, to judge a model that was trained on other data.
    fold : int, optional
        Which of the folds of a cross-validation are the test objects.
    labels : bool
        Without, objects need no truth, and none is known; the outputs are those of the task.

    Attributes
    ----------
    folder : Path
    inputs : tuple of Input
    outputs : tuple of Output
        Those of the task; or what only the data say that is learnt: a user's own label, the votes of another tree.
    parts : dict of str to ndarray of int64
        Positions in the catalogue for ``train``, ``validation`` and ``test``.
    fingerprint : str
        Hash of what the model sees, and of the split if it is not that by ids.

    Raises
    ------
    DataError
        If there is no data set, a part has no object with one of the outputs, or no training object has an input.
    OptionError
        If the objects cannot be divided as the options say.
    """

    def __init__(
        self, task: Task, options: TrainingOptions, whole: bool = False, fold: int | None = None, labels: bool = True
    ):
        self.task, self.inputs, self._whole = task, task.inputs, whole
        self._options, self._measured, self._novelty = options, {}, {}
        # Before anything is packed.
        self._split = split_of(options)
        self.folder = find_dataset(options.ds, task.repository, partial(print, flush=True))
        names = [item.name for item in self.inputs]
        self._data = open_dataset(self.folder, names, image_scale=options.image_scale, column=options.column)
        catalogue = self._data.catalogue
        if DUSTY in names:
            catalogue = catalogue_as_learnt(catalogue, options.photometry)
            self._data = replace(self._data, catalogue=catalogue)
        self.inputs = tuple(of_kind(widened(item, catalogue, options), catalogue) for item in task.inputs)
        for item in self.inputs:
            if item.columns:
                self._data.widen(item)
        targets = [find_target(self._data, output, options) for output in task.outputs if labels]
        self._targets = {target.output.name: target for target in targets}
        if len(self._targets) < len(targets):
            names_of = ", ".join(output.name for output in task.outputs)
            raise OptionError(f"target: expected one output of classes with a column of your own, found {names_of}")
        self._present = np.stack([self._data.rows[name] >= 0 for name in names], axis=1)
        self._known = {name: self._data.known(name) for name in self._targets}
        self._divide(fold)
        self._check()
        # Only now is it known which objects a number is learnt from.
        learnt = tuple(self._learnt(target.output, fold) for target in self._targets.values())
        self.outputs = learnt if labels else task.outputs

    def _learnt(self, output: Output, fold: int | None) -> Output:
        truth = self.truth("train", output.name)
        known = output if output in self.task.outputs else standardised(output, truth)
        # The same bins for all folds, so that their networks are alike.
        seen = truth if fold is None else np.concatenate([self.truth(part, output.name) for part in self.parts])
        return distributed(known, seen, self.inputs, self._options)

    def _divide(self, fold: int | None) -> None:
        """Choose the objects and divide them into parts."""
        usable = self._present.any(axis=1)
        if self._known:
            usable &= np.any(list(self._known.values()), axis=0)
        objects = np.flatnonzero(usable)
        objid = self._data.catalogue.objid
        if self._options.limit:
            objects = objects[limited(objid[objects], self._options.limit)]
        if self._whole:
            parts = {"train": [], "validation": [], "test": np.arange(len(objects))}
        else:
            parts = divide(self.folder, objid[objects], self._options, fold)
        self.parts = {name: objects[np.asarray(chosen, np.int64)] for name, chosen in parts.items()}
        self._without_part = len(objects) - sum(self.sizes().values())
        self.fingerprint = self._fingerprint([item.name for item in self.inputs], list(self._known), objects)

    def _fingerprint(self, inputs: Sequence[str], outputs: Sequence[str], objects: np.ndarray) -> str:
        """Hash what a model sees of some objects, and the split if it is not that by ids."""
        found = self._data.fingerprint(inputs, outputs, objects)
        if self._split == Split() or self._whole:
            return found
        objid = self._data.catalogue.objid
        return with_parts(
            found, {part: objid[np.intersect1d(of_part, objects)] for part, of_part in self.parts.items()}
        )

    def fingerprint_of(self, item: str, output: str) -> str:
        """Return the fingerprint of the data of a model with one of the inputs and one of the outputs, by their names.

        It is that of a training of its own on the same data set, but where a `limit` lets that take other objects.
        """
        number = [one.name for one in self.inputs].index(item)
        objects = np.sort(np.concatenate(list(self.parts.values())))
        has = self._present[objects, number] & self._known[output][objects]
        return self._fingerprint([item], [output], objects[has])

    @property
    def tested(self) -> bool:
        """Whether there are test objects: a user's own split may leave none."""
        return len(self.parts["test"]) > 0

    def _check(self) -> None:
        names = ", ".join(item.name for item in self.inputs)
        wanted = [part for part in self.parts if part == "test" or not self._whole]
        if self._split.may_lack_test and not self._whole and not self.tested:
            wanted.remove("test")
        for name in self._known:
            sizes = {part: int(self.known(part, name).sum()) for part in self.parts}
            if not all(sizes[part] for part in wanted):
                found = ", ".join(f"{size} for {part}" for part, size in sizes.items())
                some = "any of " if len(self.inputs) > 1 else ""
                raise DataError(
                    f"{self.folder}: expected objects with {name} and {some}{names} in every part of the split, "
                    f"found {found}"
                )
        for item, count in zip(self.inputs, self.present("train").sum(axis=0), strict=True):
            if not (count or self._whole):
                raise DataError(f"{self.folder}: expected training objects with {item.name}, found none")

    def require_learnable(self) -> None:
        """Refuse what no network can learn; see `target.require_learnable`."""
        for name, target in self._targets.items():
            known = {part: objects[self.known(part, name)] for part, objects in self.parts.items()}
            parts = {part: objects for part, objects in known.items() if len(objects)}
            require_learnable(self._data, target, parts, kind_of(target.output).loss_name(self._options.loss))

    # === Who is there, and what each has ===

    def sizes(self) -> dict[str, int]:
        """Return the number of objects of each part."""
        return {name: len(objects) for name, objects in self.parts.items()}

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of one object's array, by input."""
        return {item.name: self._data.shape(item.name) for item in self.inputs}

    def objid(self, part: str) -> np.ndarray:
        """Return the ids of a part, int64 ``(n,)``."""
        return self.ids_of(self.parts[part])

    def present(self, part: str) -> np.ndarray:
        """Tell which inputs the objects of a part have, bool ``(n, inputs)``."""
        return self.present_of(self.parts[part])

    def known(self, part: str, output: str) -> np.ndarray:
        """Tell which objects of a part have an output's truth, bool ``(n,)``."""
        return self.known_of(output, self.parts[part])

    def truth(self, part: str, output: str) -> np.ndarray:
        """Return the truth of those objects of a part that have it, in the catalogue's unit or as class numbers."""
        return self.truth_of(output, self.parts[part][self.known(part, output)])

    def magnitudes(self, part: str, columns: Sequence[str] = MAGNITUDES) -> np.ndarray:
        """Return magnitudes of a part, float32 ``(n, columns)``; NaN where missing."""
        return self.magnitudes_of(tuple(columns), self.parts[part])

    def likeness(self, part: str) -> np.ndarray | None:
        """Return how many times as frequent objects like each are where the model will be used, float64 ``(n,)``.

        None where that is the survey it learns from.
        """
        return None

    @property
    def weighted(self) -> bool:
        """Whether some objects count more than others."""
        return self._options.class_weights != "none"

    # === By positions in the catalogue ===

    def ids_of(self, objects: np.ndarray) -> np.ndarray:
        """Return the ids of objects, int64 ``(n,)``."""
        return self._data.catalogue.objid[objects]

    def present_of(self, objects: np.ndarray) -> np.ndarray:
        """Tell which inputs objects have, bool ``(n, inputs)``."""
        return self._present[objects]

    def known_of(self, output: str, objects: np.ndarray) -> np.ndarray:
        """Tell which objects have an output's truth, bool ``(n,)``."""
        return self._known[output][objects] if self._known else np.zeros(len(objects), bool)

    def truth_of(self, output: str, objects: np.ndarray) -> np.ndarray:
        """Return the truth of objects that have it."""
        return self._data.target(output, objects)

    def magnitudes_of(self, columns: tuple[str, ...], objects: np.ndarray) -> np.ndarray:
        """Return magnitudes of objects, float32 ``(n, columns)``; NaN where missing."""
        return self._data.catalogue.table(columns)[objects]

    def input_of(self, name: str, objects: np.ndarray) -> np.ndarray:
        """Return one input of objects that have it, ``(n, ...)``."""
        return self._data.load(name, objects, self._options.column)

    def published(self, part: str, output: str) -> np.ndarray:
        """Read what others say of those objects of a part that have an output's truth: ``redshift_published``, say.

        Returns
        -------
        ndarray of float64, shape (n,)
            In the catalogue's unit; NaN where ``data.csv`` has no number of that name, and for what is no number.
        """
        objid = self.objid(part)[self.known(part, output)]
        return read_published(self.folder / CATALOGUE_FILE, self._targets[output].output, objid)

    def known_magnitudes(self) -> list[str]:
        """List the magnitudes that any training object has."""
        some = np.isfinite(self.magnitudes("train")).any(axis=0)
        return list(compress(MAGNITUDES, some))

    def photometry(self, name: str) -> str:
        """Return the kind of an input's magnitudes, see `sdss_gs.tables.names.Meaning`; empty for other inputs."""
        return self._data.catalogue.photometry.get(name, "")

    def extinction(self) -> np.ndarray:
        """Return the Galaxy's extinction in u g r i z of training objects that have it, float32 ``(m, 5)``."""
        found = self.magnitudes("train", tuple(EXTINCTION.values()))
        return found[np.isfinite(found).all(axis=1)]

    # === What the network is fed ===

    def gather(self, objects: np.ndarray) -> dict[str, np.ndarray]:
        """Gather the inputs of some objects; what an object lacks is zero.

        Parameters
        ----------
        objects : ndarray of int64, shape (n,)
            Positions in the catalogue.

        Returns
        -------
        dict of str to ndarray
            ``{input: (n, ...)}`` in the dtypes of the schema, and ``present``, float32 ``(n, inputs)``.
        """
        present, inputs = self.present_of(objects), {}
        for item, has in zip(self.inputs, present.T, strict=True):
            if has.all():
                inputs[item.name] = self.input_of(item.name, objects)
                continue
            inputs[item.name] = np.zeros((len(objects), *self._data.shape(item.name)), item.dtype)
            if has.any():
                inputs[item.name][has] = self.input_of(item.name, objects[has])
        return inputs | {PRESENT: present.astype(np.float32)}

    def targets(self, part: str) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Encode the truth of a part as the network learns it.

        Returns
        -------
        targets : dict of str to ndarray of float32, shape (n, size)
            Any number where there is no truth.
        weights : dict of str to ndarray of float32, shape (n,)
            0 where there is no truth, else equal or by class, so that the mean of the training objects' is 1: an output
            that few objects have counts as much as the others.
        """
        targets, weights = {}, {}
        for output in self.outputs:
            name, known = output.name, self.known(part, output.name)
            encoded = kind_of(output).encode(self.truth(part, name), self._options.target)
            votes = self._targets[name].votes if name in self._targets else None
            if votes and kind_of(output).loss_name(self._options.loss) == "dirichlet":
                encoded *= votes.totals[self.parts[part][known], None].astype(np.float32)
            targets[name] = np.zeros((len(known), encoded.shape[1]), np.float32)
            targets[name][known] = encoded
            weights[name] = (known / known.mean()).astype(np.float32)
            # Validation too, by the same weights: which epoch is the best is judged by what was asked for.
            if output.classes and part in RESIDENT:
                truths = self.truth(part, name), self.truth("train", name)
                weights[name][known] *= class_weights(self._options.class_weights, *truths)
        return targets, weights

    def batches(
        self,
        part: str,
        batch_size: int,
        *,
        order: EpochOrder | None = None,
        resident: bool = False,
        share: Share = ALONE,
        said: Mapping[str, Mapping[str, np.ndarray]] | None = None,
    ) -> tf.data.Dataset:
        """Make the batches of one epoch of a part, with targets and weights.

        Parameters
        ----------
        part : str
        batch_size : int
        order : EpochOrder, optional
            Shuffles.
        resident : bool
            Give positions in `resident` instead of the inputs themselves; of a flat network.
        share : Share
        said : mapping of str to mapping of str to ndarray, optional
            By part and input, ``(n, m)``, what is given instead of the inputs themselves; of a fused network.

        Returns
        -------
        tf.data.Dataset
            Elements ``(inputs, targets, weights)`` by name; of a flat network ``({input: values}, target)`` and, where
            classes are weighted, weights.
        """
        objects, (targets, weights) = self.parts[part], self.targets(part)
        before, present = (
            len(self.parts[RESIDENT[0]]) if part == RESIDENT[1] else 0,
            self.present(part).astype(np.float32),
        )
        if self.task.flat:
            names = (POSITION if resident else self.inputs[0].name,)
            (known,) = targets.values()
            truths = [known, *(weights.values() if self.weighted else ())]
        else:
            names, truths = (*(item.name for item in self.inputs), PRESENT), [*targets.values(), *weights.values()]

        def gather(index: np.ndarray) -> tuple[np.ndarray, ...]:
            if said is not None:
                inputs = {name: values[index] for name, values in said[part].items()}
                inputs[PRESENT] = present[index]
            else:
                inputs = {POSITION: index + before} if resident else self.gather(objects[index])
            return (*(inputs[name] for name in names), *(array[index] for array in truths))

        def element(*arrays: tf.Tensor) -> tuple:
            inputs, rest = dict(zip(names, arrays, strict=False)), arrays[len(names) :]
            if self.task.flat:
                return (inputs, *rest)
            return inputs, dict(zip(targets, rest, strict=False)), dict(zip(weights, rest[len(targets) :], strict=True))

        return make_batches(gather, element, len(objects), batch_size, order, share)

    def blocks(
        self, part: str, batch_size: int, most: int, order: EpochOrder | None = None, batches: int = 0
    ) -> Blocks:
        """Make blocks of batches of a part of a flat network.

        Parameters
        ----------
        part, batch_size, order
            As for `batches`.
        most, batches : int
            Batches of a block at most, of an epoch at least.

        Returns
        -------
        Blocks
            Of ``inputs``, ``target`` and ``weight``.
        """
        positions, (item,) = self.parts[part], self.inputs
        ((target,), (weight,)) = (found.values() for found in self.targets(part))

        def gather(index: np.ndarray) -> dict[str, np.ndarray]:
            return {
                "inputs": self.gather(positions[index])[item.name],
                "target": target[index],
                "weight": weight[index],
            }

        return Blocks(gather, len(positions), batch_size, most, order, batches)

    def resident(self) -> np.ndarray:
        """Gather the input of all training and then all validation objects, to be held on the device."""
        objects = np.concatenate([self.parts[name] for name in RESIDENT])
        return self.input_of(self.inputs[0].name, objects)

    def bytes_of_one(self) -> int:
        """Return the size of the inputs of one object."""
        return sum(array.nbytes for array in self.gather(self.parts["train"][:1]).values())

    # === Pieces and single objects ===

    def pieces(self, part: str, size: int = 512) -> Iterator[dict[str, np.ndarray]]:
        """Gather the inputs of a part piece by piece, as `gather` does, each of up to `size` objects."""
        for start in range(0, len(self.parts[part]), size):
            yield self.gather(self.parts[part][start : start + size])

    def chunks(self, part: str, name: str, size: int = 512, most: int = 0) -> Iterator[np.ndarray]:
        """Gather one input of the objects of a part that have it piece by piece, each ``(m, ...)``, m up to `size`.

        Parameters
        ----------
        part, name : str
        size : int
            Objects at a time.
        most : int
            Of so many objects at most, evenly chosen; 0: of all.
        """
        objects = self.parts[part][self.present(part)[:, [item.name for item in self.inputs].index(name)]]
        if most and len(objects) > most:
            objects = objects[np.linspace(0, len(objects) - 1, most).astype(int)]
        for start in range(0, len(objects), size):
            yield self.input_of(name, objects[start : start + size])

    def measured(self, part: str, item: Input) -> np.ndarray:
        """Measure one input of the objects of a part that have it, see `measure.measure`; each object once per run."""
        if (part, item.name) not in self._measured:
            measures = [measure(item, chunk) for chunk in self.chunks(part, item.name)]
            self._measured[part, item.name] = np.concatenate(measures)
        return self._measured[part, item.name]

    def novelty(self, item: Input) -> Novelty:
        """Fit what tells objects unlike the training objects by one input, once per run."""
        if item.name not in self._novelty:
            pieces = partial(self.chunks, name=item.name, most=OBJECTS)
            self._novelty[item.name] = fit_novelty(item, pieces, self.photometry(item.name))
        return self._novelty[item.name]

    def pictures(self, part: str, chosen: np.ndarray) -> list[np.ndarray | None]:
        """Show some objects of a part: what the model sees of them, or their images where it sees magnitudes."""
        seen = [item.name for item in self.inputs]
        pictures: list[np.ndarray | None] = [None] * len(chosen)
        if shown := next((name for name in SHOWN if name in seen), None):
            objects = self.parts[part][chosen]
            has = np.flatnonzero(self.present_of(objects)[:, seen.index(shown)])
            for position, values in zip(has, self.input_of(shown, objects[has]), strict=True):
                pictures[position] = colour(values) if shown == "fits" else values
            return pictures
        files = list_paths(self.folder, "img")
        for position, objid in enumerate(self.objid(part)[chosen].tolist()):
            with suppress(KeyError, DataError):
                pictures[position] = img.read(files[objid])
        return pictures

    # === What to tell the user ===

    def _manifests(self) -> dict[str, Manifest]:
        arrays = {item.name: self._data.arrays[item.name] for item in self.inputs}
        return {name: array.manifest for name, array in arrays.items() if getattr(array, "manifest", None)}

    def made(self) -> dict[str, object]:
        """Say how its objects were made, see `sdss_gs.locate.how_made`; nothing if they are real."""
        return how_made(self.folder)

    def unlearnt(self, output: Output) -> list[str]:
        """List the classes that no training object has."""
        truth = self.truth("train", output.name)
        if not output.classes or truth.ndim > 1:
            return []
        return [name for number, name in enumerate(output.classes) if number not in truth]

    def problems(self) -> list[str]:
        """Name every wrong value and every refused file of the inputs."""
        votes = [target.votes.problems for target in self._targets.values() if target.votes]
        wrong = (problem for problems in (self._data.catalogue.problems, *votes) for problem in problems)
        refused = ((name, *pair) for name, one in self._manifests().items() for pair in one.rejects.items())
        return [
            *(f"{problem.where} {problem.item}: {problem.text}" for problem in wrong),
            *(f"{name} of {objid}: {problem}" for name, objid, problem in refused),
            *(f"{name} of {objid}: no usable {self._options.column}" for name, objid in self._without_column()),
        ]

    def _without_column(self) -> list[tuple[str, str]]:
        """List inputs and ids of spectra that lack the column which is learnt from."""
        return [
            (name, objid)
            for name, one in self._manifests().items()
            for objid, columns in one.lacks.items()
            if self._options.column in columns
        ]

    def description(self) -> str:
        """Say in a few lines what is used, what is missing and what is wrong."""
        data, sizes = self._data, self.sizes()
        has = {item.name: there for item, there in zip(self.inputs, self._present.T, strict=True)} | self._known
        lacking = ", ".join(f"{int((~there).sum()):,} without {name}" for name, there in has.items())
        used = ", ".join(f"{name} {size:,}" for name, size in sizes.items())
        lines = [f"{self.folder}: {len(data):,} objects; {lacking}; {sum(sizes.values()):,} used ({used})"]
        for column in (*(c for item in self.inputs for c in item.columns), *(o.column for o in self.outputs)):
            if reasons := data.catalogue.missing.get(column):
                counts = ", ".join(f"{count:,} ({reason})" for reason, count in reasons.items())
                lines.append(f"  {column}: missing {counts}")
        kinds = {item.name: self.photometry(item.name) for item in self.inputs}
        lines += [f"  {name}: {kind} magnitudes" for name, kind in kinds.items() if kind]
        for name, target in self._targets.items():
            objects = np.concatenate([part[self._known[name][part]] for part in self.parts.values()])
            loss = kind_of(target.output).loss_name(self._options.loss)
            if text := described(target, data.target(name, objects), objects, loss):
                lines.append(f"  {text}")
        lines += [f"  {note}" for note in data.catalogue.notes]
        if self._without_part:
            lines.append(f"  column {self._split.column}: {self._without_part:,} objects of no part, left out")
        for name, manifest in self._manifests().items():
            lines += [f"  {note}" for note in layout_notes(name, manifest.layout)]
        if problems := self.problems():
            lines.append(f"  {len(problems)} wrong values or files, left out (zoo data verify {self.folder})")
        return "\n".join(lines)
