"""The data of one training run: which objects are used, in which part, what each has, and how they reach Keras."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

import numpy as np

from common.backend import tf
from common.data.batches import ALONE, EpochOrder, Share, make_batches
from common.data.measure import measure
from common.data.target import described, find_target, require_learnable, standardised
from common.data.task import Task
from common.networks.inputs import PRESENT
from common.networks.training_wrappers import POSITION
from common.outputs.kinds import kind_of
from common.outputs.kinds.classes import class_weights
from common.outputs.kinds.mass import TARGETS
from sdss_gs.check import layout_notes
from sdss_gs.dataset import open_dataset
from sdss_gs.errors import DataError, OptionError
from sdss_gs.formats import fits, img
from sdss_gs.formats.raw import list_paths
from sdss_gs.locate import find_dataset, is_sample
from sdss_gs.packing.packed import Manifest
from sdss_gs.schema import INPUTS, PIXEL_SCALE, SPECTRUM_COLUMNS, Input
from sdss_gs.split import fold_split, limited, split

RESIDENT = ("train", "validation")
"""Parts that may live on the device, in this order."""
SHOWN = ("img", "fits", "spectra", "ssel")
"""Inputs that a person can look at, the best first."""


class TrainingData:
    """The objects of a data set with at least one of the inputs and at least one of the outputs, in three parts.

    Parameters
    ----------
    task : Task
    options : dict
        Typed options of the run.
    whole : bool
        Take every object as a test object, to judge a model that was trained on other data.

    Attributes
    ----------
    folder : Path
    inputs : tuple of Input
    outputs : tuple of Output
        Those of the task; or what only the data say that is learnt: a user's own label, the votes of another tree.
    parts : dict of str to ndarray of int64
        Positions in the catalogue for ``train``, ``validation`` and ``test``.
    fingerprint : str
        Hash of what the model sees.

    Raises
    ------
    DataError
        If there is no data set, a part has no object with one of the outputs, or no training object has an input.
    """

    def __init__(self, task: Task, options: Mapping[str, object], whole: bool = False):
        self.task, self.inputs, self._whole = task, task.inputs, whole
        self._options, self._measured = options, {}
        self._column = str(options.get("column", SPECTRUM_COLUMNS[0]))
        self.folder = find_dataset(str(options["ds"]), task.repository, partial(print, flush=True))
        names = [item.name for item in self.inputs]
        self._data = open_dataset(self.folder, names, image_scale=float(options.get("image_scale", PIXEL_SCALE)))
        self._targets, names_of = {}, ", ".join(output.name for output in task.outputs)
        for output in task.outputs:
            target = find_target(self._data, output, options)
            if target.output.name in self._targets:
                raise OptionError(f"target: expected one output of classes with a column of your own, found {names_of}")
            self._targets[target.output.name] = target
        self.outputs = tuple(target.output for target in self._targets.values())
        self._present = np.stack([self._data.rows[name] >= 0 for name in names], axis=1)
        self._known = {name: self._data.known(name) for name in self._targets}
        self._divide(options)
        self._check()
        # Only now is it known which objects a user's own number is learnt from.
        measured = [
            output if output in task.outputs else standardised(output, self.truth("train", output.name))
            for output in self.outputs
        ]
        self.outputs = tuple(measured)

    def _divide(self, options: Mapping[str, object]) -> None:
        """Choose the objects and divide them into parts."""
        objects = np.flatnonzero(self._present.any(axis=1) & np.any(list(self._known.values()), axis=0))
        objid = self._data.catalogue.objid
        if options["limit"]:
            objects = objects[limited(objid[objects], int(options["limit"]))]
        if self._whole:
            parts = {"train": [], "validation": [], "test": np.arange(len(objects))}
        elif "fold" in options:
            parts = fold_split(objid[objects], options["folds"], options["fold"])
        else:
            parts = split(objid[objects])
        self.parts = {name: objects[np.asarray(chosen, np.int64)] for name, chosen in parts.items()}
        self.fingerprint = self._data.fingerprint([item.name for item in self.inputs], list(self._known), objects)

    def _check(self) -> None:
        names = ", ".join(item.name for item in self.inputs)
        for name in self._known:
            sizes = {part: int(self.known(part, name).sum()) for part in self.parts}
            if not sizes["test"] or not (self._whole or all(sizes.values())):
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
            parts = {part: objects[self.known(part, name)] for part, objects in self.parts.items()}
            require_learnable(self._data, target, parts, kind_of(target.output).loss_name(self._options))

    # === Who is there, and what each has ===

    def sizes(self) -> dict[str, int]:
        """Return the number of objects of each part."""
        return {name: len(objects) for name, objects in self.parts.items()}

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of one object's array, by input."""
        return {item.name: self._data.shape(item.name) for item in self.inputs}

    def objid(self, part: str) -> np.ndarray:
        """Return the ids of a part, int64 ``(n,)``."""
        return self._data.catalogue.objid[self.parts[part]]

    def present(self, part: str) -> np.ndarray:
        """Tell which inputs the objects of a part have, bool ``(n, inputs)``."""
        return self._present[self.parts[part]]

    def known(self, part: str, output: str) -> np.ndarray:
        """Tell which objects of a part have an output's truth, bool ``(n,)``."""
        return self._known[output][self.parts[part]]

    def truth(self, part: str, output: str) -> np.ndarray:
        """Return the truth of those objects of a part that have it, in the catalogue's unit or as class numbers."""
        return self._data.target(output, self.parts[part][self.known(part, output)])

    def magnitudes(self, part: str) -> np.ndarray:
        """Return the catalogue's ``bands`` and ``wise`` of a part, mag, float32 ``(n, 9)``; NaN where missing."""
        columns = (*INPUTS["bands"].columns, *INPUTS["wise"].columns)
        return self._data.catalogue.table(columns)[self.parts[part]]

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
        present, found = self._present[objects], {}
        for column, item in enumerate(self.inputs):
            has = present[:, column]
            if has.all():
                found[item.name] = self._data.load(item.name, objects, self._column)
                continue
            found[item.name] = np.zeros((len(objects), *self._data.shape(item.name)), item.dtype)
            if has.any():
                found[item.name][has] = self._data.load(item.name, objects[has], self._column)
        return found | {PRESENT: present.astype(np.float32)}

    def targets(self, part: str) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Encode the truth of a part as the network learns it.

        Returns
        -------
        targets : dict of str to ndarray of float32, shape (n, size)
            Any number where there is no truth.
        weights : dict of str to ndarray of float32, shape (n,)
            0 where there is no truth, else equal or, of training objects, by class, so that their mean is 1: an output
            that few objects have counts as much as the others.
        """
        targets, weights = {}, {}
        for output in self.outputs:
            name, known = output.name, self.known(part, output.name)
            encoded = kind_of(output).encode(self.truth(part, name), str(self._options.get("target", TARGETS[0])))
            votes = self._targets[name].votes
            if votes and kind_of(output).loss_name(self._options) == "dirichlet":
                encoded *= votes.totals[self.parts[part][known], None].astype(np.float32)
            targets[name] = np.zeros((len(known), encoded.shape[1]), np.float32)
            targets[name][known] = encoded
            weights[name] = (known / known.mean()).astype(np.float32)
            # Validation stays unweighted: it must compare runs with different weights.
            if output.classes and part == "train":
                kind = str(self._options.get("class_weights", "none"))
                weights[name][known] *= class_weights(kind, self.truth(part, name))
        return targets, weights

    def batches(
        self,
        part: str,
        batch_size: int,
        *,
        order: EpochOrder | None = None,
        resident: bool = False,
        share: Share = ALONE,
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

        Returns
        -------
        tf.data.Dataset
            Elements ``(inputs, targets, weights)`` by name; of a flat network ``({input: values}, target)`` and, where
            classes are weighted, weights.
        """
        objects, before = self.parts[part], self._before(part)
        targets, weights = self.targets(part)
        if self.task.flat:
            names = (POSITION if resident else self.inputs[0].name,)
            (known,) = targets.values()
            weighted = part == "train" and self._options.get("class_weights", "none") != "none"
            truths = [known, *(weights.values() if weighted else ())]
        else:
            names, truths = (*(item.name for item in self.inputs), PRESENT), [*targets.values(), *weights.values()]

        def gather(index: np.ndarray) -> tuple[np.ndarray, ...]:
            found = {POSITION: index + before} if resident else self.gather(objects[index])
            return (*(found[name] for name in names), *(array[index] for array in truths))

        def element(*arrays: tf.Tensor) -> tuple:
            inputs, rest = dict(zip(names, arrays, strict=False)), arrays[len(names) :]
            if self.task.flat:
                return (inputs, *rest)
            shown = zip((targets, weights), (rest[: len(targets)], rest[len(targets) :]), strict=True)
            return (inputs, *(dict(zip(by_name, found, strict=True)) for by_name, found in shown))

        return make_batches(gather, element, len(objects), batch_size, order, share)

    def resident(self) -> np.ndarray:
        """Gather the input of all training and then all validation objects, to be held on the device."""
        objects = np.concatenate([self.parts[name] for name in RESIDENT])
        return self._data.load(self.inputs[0].name, objects, self._column)

    def bytes_of_one(self) -> int:
        """Return the size of the inputs of one object."""
        return sum(array.nbytes for array in self.gather(self.parts["train"][:1]).values())

    def _before(self, part: str) -> int:
        """Count the resident objects that lie before those of a part."""
        return len(self.parts[RESIDENT[0]]) if part == RESIDENT[1] else 0

    # === Pieces and single objects ===

    def pieces(self, part: str, size: int = 512) -> Iterator[dict[str, np.ndarray]]:
        """Gather the inputs of a part piece by piece, as `gather` does, each of up to `size` objects."""
        for start in range(0, len(self.parts[part]), size):
            yield self.gather(self.parts[part][start : start + size])

    def chunks(self, part: str, name: str, size: int = 512) -> Iterator[np.ndarray]:
        """Gather one input of the objects of a part that have it piece by piece, each ``(m, ...)``, m up to `size`.

        Parameters
        ----------
        part, name : str
        size : int
            Objects at a time.
        """
        objects = self.parts[part][self.present(part)[:, [item.name for item in self.inputs].index(name)]]
        for start in range(0, len(objects), size):
            yield self._data.load(name, objects[start : start + size], self._column)

    def measured(self, part: str, item: Input) -> np.ndarray:
        """Measure one input of the objects of a part that have it, see `measure.measure`; each object once per run."""
        if (part, item.name) not in self._measured:
            found = [measure(item, chunk) for chunk in self.chunks(part, item.name)]
            self._measured[part, item.name] = np.concatenate(found)
        return self._measured[part, item.name]

    def pictures(self, part: str, chosen: np.ndarray) -> list[np.ndarray | None]:
        """Show some objects of a part: what the model sees of them, or their images where it sees magnitudes."""
        seen = [item.name for item in self.inputs]
        shown = next((name for name in SHOWN if name in seen), None)
        objects, present = self.parts[part][chosen], self.present(part)[chosen]
        if shown is None:
            return self._image_files(self.objid(part)[chosen])
        found: list[np.ndarray | None] = [None] * len(objects)
        has = np.flatnonzero(present[:, seen.index(shown)])
        for position, values in zip(has, self._data.load(shown, objects[has], self._column), strict=True):
            found[position] = fits.colour(values) if shown == "fits" else values
        return found

    def _image_files(self, objid: np.ndarray) -> list[np.ndarray | None]:
        files, images = list_paths(self.folder, "img"), []
        for one in objid.tolist():
            try:
                images.append(img.read(files[one]))
            except (KeyError, DataError):
                images.append(None)
        return images

    # === What to tell the user ===

    def _manifests(self) -> dict[str, Manifest]:
        found = {item.name: getattr(self._data.arrays[item.name], "manifest", None) for item in self.inputs}
        return {name: manifest for name, manifest in found.items() if manifest}

    def synthetic(self) -> bool:
        """Tell a generated sample from a data set of real objects."""
        return is_sample(self.folder)

    def problems(self) -> list[str]:
        """Name every wrong value and every refused file of the inputs."""
        votes = [problem for target in self._targets.values() if target.votes for problem in target.votes.problems]
        named = (*self._data.catalogue.problems, *votes)
        wrong = [f"{problem.where} {problem.item}: {problem.text}" for problem in named]
        return wrong + [
            f"{name} of {objid}: {problem}"
            for name, manifest in self._manifests().items()
            for objid, problem in manifest.rejects.items()
        ]

    def description(self) -> str:
        """Say in a few lines what is used, what is missing and what is wrong."""
        data, sizes = self._data, self.sizes()
        has = {item.name: self._present[:, column] for column, item in enumerate(self.inputs)} | self._known
        lacking = ", ".join(f"{int((~there).sum()):,} without {name}" for name, there in has.items())
        used = ", ".join(f"{name} {size:,}" for name, size in sizes.items())
        lines = [f"{self.folder}: {len(data):,} objects; {lacking}; {sum(sizes.values()):,} used ({used})"]
        for column in (*(c for item in self.inputs for c in item.columns), *(o.column for o in self.outputs)):
            if reasons := data.catalogue.missing.get(column):
                counts = ", ".join(f"{count:,} ({reason})" for reason, count in reasons.items())
                lines.append(f"  {column}: missing {counts}")
        for name, target in self._targets.items():
            objects = np.concatenate([part[self._known[name][part]] for part in self.parts.values()])
            loss = kind_of(target.output).loss_name(self._options)
            lines += [f"  {described(target, data.target(name, objects), objects, loss)}"] * target.taught
        for name, manifest in self._manifests().items():
            lines += [f"  {note}" for note in layout_notes(name, manifest.layout)]
        if problems := self.problems():
            lines.append(f"  {len(problems)} wrong values or files, left out (python -m sdss_gs verify {self.folder})")
        return "\n".join(lines)
