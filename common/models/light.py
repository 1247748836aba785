"""The light form of a stored network: ONNX files beside the Keras file, run by onnxruntime alone."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from common.models.running import FEATURES, LIGHT, Arrays, Steps, in_steps
from sdss_gs.errors import ZooError, first_line
from sdss_gs.schema import Input

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

WHOLE, FUSION, ENCODER = "light.onnx", "light_fusion.onnx", "light_{}.onnx"
"""Files of a flat network; of a fused one what is behind the encoders, and each encoder by its input."""
FORMAT = 1
"""Of the files: which inputs and outputs they have. A later zoo that changes it counts on."""
FORMAT_KEY, LAYER_KEY = "zoo.format", "zoo.layer"
"""What each file says of itself: its format, and which layers feed the heads."""


@dataclass(frozen=True)
class Light:
    """The light form of a model, or why there is none.

    Parameters
    ----------
    folder : Path
        Where its files are.
    files : dict of str to str
        SHA-256 by file; empty where there is no light form.
    said : str
        For the card: how far it is from Keras, or why there is none.
    """

    folder: Path
    files: dict[str, str] = field(default_factory=dict)
    said: str = ""


NO_LIGHT = Light(Path())


@dataclass(frozen=True)
class LightRuntime:
    """Runs a network by onnxruntime; a `Runtime`.

    Parameters
    ----------
    folder : Path
        Where the files are from.
    contents : mapping of str to bytes
        By file.
    """

    folder: Path
    contents: Mapping[str, bytes]
    name = LIGHT

    def __getstate__(self) -> dict:
        """Leave out what another process has to open again."""
        return {"folder": self.folder, "contents": self.contents}

    @cached_property
    def sessions(self) -> dict[str, InferenceSession]:
        """What runs the networks, by file."""
        return {file: _session(self.folder / file, content) for file, content in self.contents.items()}

    @property
    def flat(self) -> bool:
        """Whether the network leads from one input straight to one output."""
        return WHOLE in self.contents

    @cached_property
    def decider(self) -> InferenceSession:
        """What holds the heads; of a flat network all of it."""
        return self.sessions[WHOLE if self.flat else FUSION]

    @property
    def layer(self) -> str:
        """Name of the layers that feed the heads."""
        return self.decider.get_modelmeta().custom_metadata_map[LAYER_KEY]

    @property
    def features_width(self) -> int:
        """How many features feed the heads."""
        return _width(self.decider)

    def shape(self, item: Input) -> tuple[int, ...]:
        """Return the shape of one object of an input that is no table."""
        session = self.decider if self.flat else self._encoder(item)
        return tuple(next(one.shape for one in session.get_inputs() if one.name == item.name)[1:])

    def _encoder(self, item: Input) -> InferenceSession:
        return self.sessions[ENCODER.format(item.name)]

    def encode(self, item: Input, values: np.ndarray) -> np.ndarray:
        """Run the encoder of an input."""
        return _run(self._encoder(item), {item.name: values}, (item,), [FEATURES])[FEATURES]

    def width(self, item: Input) -> int:
        """Return how many features an encoder gives."""
        return _width(self._encoder(item))

    @cached_property
    def _outputs(self) -> list[str]:
        return [one.name for one in self.decider.get_outputs() if one.name != FEATURES]

    def answer(self, view: Arrays, items: Sequence[Input]) -> dict[str, np.ndarray]:
        """Run what is behind the encoders, of a flat network all of it."""
        return _run(self.decider, view, items, self._outputs)

    def features(self, view: Arrays, items: Sequence[Input]) -> np.ndarray:
        """Return what feeds the heads."""
        return _run(self.decider, view, items, [FEATURES])[FEATURES]

    def files(self) -> dict[str, bytes]:
        """Return the files from which it can be opened again."""
        return dict(self.contents)


def _width(session: InferenceSession) -> int:
    return next(one.shape[1] for one in session.get_outputs() if one.name == FEATURES)


def _run(session: InferenceSession, values: Arrays, items: Sequence[Input], names: list[str]) -> dict[str, np.ndarray]:
    # Each step on one thread and several at once, not onnxruntime's threads within each operation, which wait for each
    # other: of large batches a fast i2r took .50 instead of .91 ms per image on two cores (f2r .38 for .58, s2r .27 for
    # .32, b2r .0011 for .0016), with half to two thirds of the processor time; one galaxy alone .82 for 1.1 ms. Small
    # steps stay in the processor's cache.
    steps = Steps(rows=4096, numbers=128, others=8, at_once=threads())
    return in_steps(lambda seen: dict(zip(names, session.run(names, seen), strict=True)), values, items, steps)


def open_light(folder: Path, expected: Mapping[str, str]) -> LightRuntime:
    """Open a light form.

    Parameters
    ----------
    folder : Path
    expected : mapping of str to str
        SHA-256 by file.

    Raises
    ------
    ZooError
        If a file is not there, is not what was stored, is of a later format, or onnxruntime cannot open it.
    """
    contents = {}
    for file, digest in expected.items():
        path = folder / file
        try:
            contents[file] = path.read_bytes()
        except OSError as error:
            raise ZooError(f"{path}: expected the light form of a model, cannot read it ({error.strerror})") from None
        if (found := sha256(contents[file]).hexdigest()) != digest:
            raise ZooError(f"{path}: expected sha256 {digest}, found {found}; --runtime keras uses the other file")
    runtime = LightRuntime(folder, contents)
    for session in runtime.sessions.values():
        said = session.get_modelmeta().custom_metadata_map.get(FORMAT_KEY)
        if said != str(FORMAT):
            what = f"expected a light form of format {FORMAT}, found {said}; bring the zoo up to date"
            raise ZooError(f"{folder}: {what}, or use --runtime keras")
    return runtime


def _session(path: Path, content: bytes) -> InferenceSession:
    # Not with the others: who asks for Keras needs none of it.
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        # Its errors have no common class but Exception.
        wanted = f"a model that onnxruntime {onnxruntime.__version__} opens"
        raise ZooError(f"{path}: expected {wanted}, found {first_line(error)[:200]}") from None


def threads() -> int:
    """Return how many threads a network may use: what TensorFlow is told, else one per processor of this process."""
    told = os.environ.get("TF_NUM_INTRAOP_THREADS", "")
    return int(told) if told.isdigit() and int(told) else len(os.sched_getaffinity(0))
