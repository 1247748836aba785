"""The data of one training run: which objects are used, in which part, and how they reach Keras."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from common.backend import tf
from common.data.batches import ALONE, EpochOrder, Share, batches
from common.data.target import described, find_learnt, measured, require_learnable
from common.networks.training_wrappers import POSITION
from common.outputs.kinds import kind_of
from common.outputs.kinds.classes import class_weights
from common.outputs.kinds.mass import TARGETS
from common.project import Project
from sdss_gs.check import layout_notes
from sdss_gs.dataset import open_dataset
from sdss_gs.errors import DataError
from sdss_gs.formats import fits, img
from sdss_gs.formats.raw import list_paths
from sdss_gs.locate import find_dataset
from sdss_gs.packing.packed import Manifest
from sdss_gs.schema import INPUTS, PIXEL_SCALE, SPECTRUM_COLUMNS
from sdss_gs.split import fold_split, limited, split

RESIDENT = ("train", "validation")
"""Parts that may live on the device, in this order."""


class TrainingData:
    """The usable objects of a data set, in three parts.

    Parameters
    ----------
    project : Project
    options : dict
        Typed options of the run.
    whole : bool
        Take every object as a test object, to judge a model that was trained on other data.

    Attributes
    ----------
    folder : Path
    parts : dict of str to ndarray of int64
        Positions in the catalogue for ``train``, ``validation`` and ``test``.
    fingerprint : str
        Hash of what the model sees.

    Raises
    ------
    DataError
        If there is no data set, or a part of the split would be empty.
    """

    def __init__(self, project: Project, options: dict, whole: bool = False):
        self.item = project.input
        self.target = str(options.get("target", TARGETS[0]))
        self._column = str(options.get("column", SPECTRUM_COLUMNS[0]))
        self._loss = kind_of(project.output).loss_name(options)
        self._weights = str(options.get("class_weights", "none"))
        self.folder = find_dataset(str(options["ds"]), project.repository, partial(print, flush=True))
        self._data = open_dataset(
            self.folder, [self.item.name], image_scale=float(options.get("image_scale", PIXEL_SCALE))
        )
        self._learnt = find_learnt(self._data, project.output, options)
        self.output = self._learnt.output
        objid = self._data.catalogue.objid
        objects = self._data.usable([self.item.name], self.output.name)
        if options["limit"]:
            objects = objects[limited(objid[objects], int(options["limit"]))]
        parts = (
            fold_split(objid[objects], options["folds"], options["fold"])
            if "fold" in options
            else split(objid[objects])
        )
        self.parts = {name: objects[chosen] for name, chosen in parts.items()}
        if whole:
            self.parts = dict.fromkeys(self.parts, objects[:0]) | {"test": objects}
        self.fingerprint = self._data.fingerprint([self.item.name], [self.output.name], objects)
        if not all(self.sizes().values()) and not (whole and len(objects)):
            found = ", ".join(f"{size} for {name}" for name, size in self.sizes().items())
            wanted = f"objects with {self.item.name} and {self.output.name} in every part of the split"
            raise DataError(f"{self.folder}: expected {wanted}, found {found}")
        if self.output != project.output:
            self.output = measured(self.output, self.truth("train"))

    def require_learnable(self) -> None:
        """Refuse what no network can learn; see `learnt.require_learnable`."""
        require_learnable(self._data, self._learnt, self.parts, self._loss)

    def sizes(self) -> dict[str, int]:
        """Return the number of objects of each part."""
        return {name: len(objects) for name, objects in self.parts.items()}

    def shape(self) -> tuple[int, ...]:
        """Return the shape of one object's input."""
        return self._data.shape(self.item.name)

    def inputs(self, part: str, count: int | None = None) -> np.ndarray:
        """Gather the inputs of (the first `count` objects of) a part, ``(n, ...)``."""
        return self._data.load(self.item.name, self.parts[part][:count], self._column)

    def truth(self, part: str) -> np.ndarray:
        """Return the truth of a part in the catalogue's unit or as class numbers, ``(n,)``."""
        return self._data.target(self.output.name, self.parts[part])

    def targets(self, part: str) -> np.ndarray:
        """Encode the truth of a part as the network learns it, float32 ``(n, size)``."""
        target = kind_of(self.output).encode(self.truth(part), self.target)
        if self._learnt.votes and self._loss == "dirichlet":
            target *= self._learnt.votes.totals[self.parts[part], None].astype(np.float32)
        return target

    def objid(self, part: str) -> np.ndarray:
        """Return the ids of a part, int64 ``(n,)``."""
        return self._data.catalogue.objid[self.parts[part]]

    def batches(
        self,
        part: str,
        batch_size: int,
        *,
        with_target: bool = True,
        order: EpochOrder | None = None,
        resident: bool = False,
        share: Share = ALONE,
    ) -> tf.data.Dataset:
        """Make the batches of one epoch of a part; see `feed.batches`.

        Parameters
        ----------
        part : str
        batch_size : int
        with_target : bool
        order : EpochOrder, optional
        resident : bool
            Give positions in `resident` instead of the inputs themselves.
        share : Share
        """
        objects, before = self.parts[part], self._before(part)
        known = [self.targets(part)] if with_target else []
        # Validation stays unweighted: it must compare runs with different weights.
        if with_target and self._weights != "none" and part == "train":
            known.append(class_weights(self._weights, self.truth(part)))

        def gather(index: np.ndarray) -> tuple[np.ndarray, ...]:
            values = index + before if resident else self._data.load(self.item.name, objects[index], self._column)
            return (values, *(array[index] for array in known))

        return batches(gather, POSITION if resident else self.item.name, len(objects), batch_size, order, share)

    def resident(self) -> np.ndarray:
        """Gather the inputs of all training and then all validation objects, to be held on the device."""
        return self._data.load(self.item.name, np.concatenate([self.parts[name] for name in RESIDENT]), self._column)

    def resident_bytes(self) -> int:
        """Return the size of what `resident` gathers."""
        return self.inputs("train", 1).nbytes * sum(len(self.parts[name]) for name in RESIDENT)

    def _before(self, part: str) -> int:
        """Count the resident objects that lie before those of a part."""
        return len(self.parts[RESIDENT[0]]) if part == RESIDENT[1] else 0

    def magnitudes(self, part: str) -> np.ndarray:
        """Return the catalogue's ``bands`` and ``wise`` of a part, mag, float32 ``(n, 9)``; NaN where missing."""
        columns = (*INPUTS["bands"].columns, *INPUTS["wise"].columns)
        return self._data.catalogue.table(columns)[self.parts[part]]

    def chunks(self, part: str, size: int = 512) -> Iterator[np.ndarray]:
        """Gather the inputs of a part piece by piece, each ``(m, ...)`` with m up to `size`."""
        for start in range(0, len(self.parts[part]), size):
            yield self._data.load(self.item.name, self.parts[part][start : start + size], self._column)

    def chosen(self, part: str, positions: np.ndarray) -> np.ndarray:
        """Gather the inputs of some objects of a part, ``(n, ...)``."""
        return self._data.load(self.item.name, self.parts[part][positions], self._column)

    def pictures(self, part: str, chosen: np.ndarray) -> list[np.ndarray | None]:
        """Show some objects of a part: what the model sees of them, or their images where it sees magnitudes."""
        name = self.item.name
        if not self.item.columns:
            shown = self.chosen(part, chosen)
            return [fits.colour(cutout) for cutout in shown] if name == "fits" else list(shown)
        files = list_paths(self.folder, "img")
        images: list[np.ndarray | None] = []
        for objid in self.objid(part)[chosen].tolist():
            try:
                images.append(img.read(files[objid]))
            except (KeyError, DataError):
                images.append(None)
        return images

    def _own_description(self) -> str:
        truth = np.concatenate([self.truth(part) for part in self.parts])
        if not self.output.classes:
            return f"numbers from {truth.min():g} to {truth.max():g}"
        counts = np.bincount(truth, minlength=len(self.output.classes))
        return ", ".join(f"{label} {count:,}" for label, count in zip(self.output.classes, counts, strict=True))

    def _manifest(self) -> Manifest | None:
        return getattr(self._data.arrays[self.item.name], "manifest", None)

    def problems(self) -> list[str]:
        """Name every wrong value and every refused file of the input."""
        votes = self._learnt.votes
        named = (*self._data.catalogue.problems, *(votes.problems if votes else ()))
        wrong = [f"{problem.where} {problem.item}: {problem.text}" for problem in named]
        manifest = self._manifest()
        refused = manifest.rejects.items() if manifest else ()
        return wrong + [f"{self.item.name} of {objid}: {problem}" for objid, problem in refused]

    def description(self) -> str:
        """Say in a few lines what is used and what is not."""
        data, sizes = self._data, self.sizes()
        lacking = len(data) - len(data.usable([self.item.name]))
        unlabelled = len(data) - len(data.usable([], self.output.name))
        used = ", ".join(f"{name} {size:,}" for name, size in sizes.items())
        lines = [
            f"{self.folder}: {len(data):,} objects; {lacking:,} without {self.item.name}, {unlabelled:,} without "
            f"{self.output.name}; {sum(sizes.values()):,} used ({used})"
        ]
        for column in (*self.item.columns, self.output.column):
            if reasons := data.catalogue.missing.get(column):
                counts = ", ".join(f"{count:,} ({reason})" for reason, count in reasons.items())
                lines.append(f"  {column}: missing {counts}")
        used = np.concatenate(list(self.parts.values()))
        if about := described(self._learnt, self._data.target(self.output.name, used), used, self._loss):
            lines.append(f"  {about}")
        manifest = self._manifest()
        lines += [f"  {note}" for note in (layout_notes(self.item.name, manifest.layout) if manifest else ())]
        if problems := self.problems():
            lines.append(f"  {len(problems)} wrong values or files, left out (python -m sdss_gs verify {self.folder})")
        return "\n".join(lines)
