"""The data of a run with several inputs and outputs: objects that have some of them, and what each has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from common.backend import tf
from common.data.batches import EpochOrder, arranged_batches
from common.networks.training_wrappers import PRESENT
from common.outputs.kinds import kind_of
from common.outputs.kinds.mass import TARGETS
from sdss_gs.check import layout_notes
from sdss_gs.dataset import open_dataset
from sdss_gs.errors import DataError
from sdss_gs.locate import find_dataset
from sdss_gs.schema import INPUTS, OUTPUTS, PIXEL_SCALE, SPECTRUM_COLUMNS
from sdss_gs.split import limited, split


class MultiData:
    """The objects of a data set with at least one of the inputs and at least one of the outputs, in three parts.

    Parameters
    ----------
    inputs, outputs : sequence of str
        Names, in the order of the schema.
    repository : Path
        Root of the repository, where a sample is generated if there is no data set.
    options : dict
        Typed options of the run.
    whole : bool
        Take every object for a test object, for data that no model has seen.

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
        If there is no data set, a part has no object with one of the outputs, or no training object has an input.
    """

    def __init__(
        self, inputs: Sequence[str], outputs: Sequence[str], repository: Path, options: dict, whole: bool = False
    ):
        self.inputs, self.outputs = tuple(inputs), tuple(outputs)
        self.target = str(options.get("target", TARGETS[0]))
        self._column = str(options.get("column", SPECTRUM_COLUMNS[0]))
        self.folder = find_dataset(str(options["ds"]), repository, partial(print, flush=True))
        scale = float(options.get("image_scale", PIXEL_SCALE))
        self._data = open_dataset(self.folder, self.inputs, image_scale=scale)
        self._present = np.stack([self._data.rows[name] >= 0 for name in self.inputs], axis=1)
        self._known = {name: self._data.known(name) for name in self.outputs}
        objects = np.flatnonzero(self._present.any(axis=1) & np.any(list(self._known.values()), axis=0))
        objid = self._data.catalogue.objid
        if options["limit"]:
            objects = objects[limited(objid[objects], int(options["limit"]))]
        parts = split(objid[objects])
        if whole:
            parts = {name: np.arange(len(objects) if name == "test" else 0) for name in parts}
        self.parts = {name: objects[chosen] for name, chosen in parts.items()}
        self._whole = whole
        self._check()
        self.fingerprint = self._data.fingerprint(self.inputs, self.outputs, objects)

    def _check(self) -> None:
        for name in self.outputs:
            sizes = {part: int(self.known(part, name).sum()) for part in self.parts}
            if not sizes["test"] or not (self._whole or all(sizes.values())):
                found = ", ".join(f"{size} for {part}" for part, size in sizes.items())
                raise DataError(
                    f"{self.folder}: expected objects with {name} and any of {', '.join(self.inputs)} in every part of "
                    f"the split, found {found}"
                )
        for name, count in zip(self.inputs, self.present("train").sum(axis=0), strict=True):
            if not (count or self._whole):
                raise DataError(f"{self.folder}: expected training objects with {name}, found none")

    # === Who is there, and what each has ===

    def sizes(self) -> dict[str, int]:
        """Return the number of objects of each part."""
        return {name: len(objects) for name, objects in self.parts.items()}

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of one object's array, by input."""
        return {name: self._data.shape(name) for name in self.inputs}

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
        present = self._present[objects]
        found = {}
        for column, name in enumerate(self.inputs):
            has = present[:, column]
            found[name] = np.zeros((len(objects), *self._data.shape(name)), INPUTS[name].dtype)
            if has.any():
                found[name][has] = self._data.load(name, objects[has], self._column)
        return found | {PRESENT: present.astype(np.float32)}

    def targets(self, part: str) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Encode the truth of a part, with weights that leave out the objects without it.

        Returns
        -------
        targets : dict of str to ndarray of float32, shape (n, 1) or (n, classes)
            Any number where there is no truth.
        weights : dict of str to ndarray of float32, shape (n,)
            0 where there is no truth, else equal, so that their mean is 1: an output that few objects have counts as
            much as the others.
        """
        targets, weights = {}, {}
        for name in self.outputs:
            known = self.known(part, name)
            encoded = kind_of(OUTPUTS[name]).encode(self.truth(part, name), self.target)
            targets[name] = np.zeros((len(known), encoded.shape[1]), np.float32)
            targets[name][known] = encoded
            weights[name] = (known / known.mean()).astype(np.float32)
        return targets, weights

    def batches(
        self,
        part: str,
        batch_size: int,
        *,
        with_target: bool = True,
        order: EpochOrder | None = None,
    ) -> tf.data.Dataset:
        """Make the batches of one epoch of a part: inputs, and maybe targets and weights, each by name.

        Parameters
        ----------
        part : str
        batch_size : int
        with_target : bool
        order : EpochOrder, optional
            Shuffles.
        """
        objects, names = self.parts[part], (*self.inputs, PRESENT)
        targets, weights = self.targets(part) if with_target else ({}, {})
        known = [*targets.values(), *weights.values()]

        def gather(index: np.ndarray) -> tuple[np.ndarray, ...]:
            found = self.gather(objects[index])
            return (*(found[name] for name in names), *(array[index] for array in known))

        def element(*arrays: tf.Tensor) -> tuple:
            inputs, rest = arrays[: len(names)], arrays[len(names) :]
            parts = [dict(zip(names, inputs, strict=True))]
            if with_target:
                parts.append(dict(zip(targets, rest, strict=False)))
                parts.append(dict(zip(weights, rest[len(targets) :], strict=True)))
            return tuple(parts)

        return arranged_batches(gather, element, len(objects), batch_size, order)

    def chunks(self, name: str, size: int = 2048) -> Iterator[np.ndarray]:
        """Gather one input of the training objects that have it piece by piece, each ``(m, ...)``, m up to `size`."""
        objects = self.parts["train"][self.present("train")[:, self.inputs.index(name)]]
        for start in range(0, len(objects), size):
            yield self._data.load(name, objects[start : start + size], self._column)

    # === What to tell the user ===

    def problems(self) -> list[str]:
        """Name every wrong value and every refused file of the inputs."""
        found = [f"{problem.where} {problem.item}: {problem.text}" for problem in self._data.catalogue.problems]
        for name in self.inputs:
            manifest = getattr(self._data.arrays[name], "manifest", None)
            refused = manifest.rejects.items() if manifest else ()
            found += [f"{name} of {objid}: {problem}" for objid, problem in refused]
        return found

    def description(self) -> str:
        """Say in a few lines what is used, who has which input and output, and what is wrong."""
        sizes = self.sizes()
        used = ", ".join(f"{name} {size:,}" for name, size in sizes.items())
        lines = [f"{self.folder}: {len(self._data):,} objects; {sum(sizes.values()):,} used ({used}); of these have"]
        present = sum(self.present(part).sum(axis=0) for part in self.parts)
        counts = dict(zip(self.inputs, present.tolist(), strict=True))
        counts |= {name: sum(int(self.known(part, name).sum()) for part in self.parts) for name in self.outputs}
        lines.append("  " + ", ".join(f"{name} {count:,}" for name, count in counts.items()))
        for name in self.inputs:
            manifest = getattr(self._data.arrays[name], "manifest", None)
            lines += [f"  {note}" for note in (layout_notes(name, manifest.layout) if manifest else ())]
        if problems := self.problems():
            lines.append(f"  {len(problems)} wrong values or files, left out (python -m sdss_gs verify {self.folder})")
        return "\n".join(lines)
