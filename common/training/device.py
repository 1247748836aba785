"""Which device trains, how much of its memory, and in which precision."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import numpy as np
from joblib import cpu_count

from common.backend import keras, tf
from common.data.batches import ALONE, Share
from common.processor import cpu_lines
from common.training.processes import on_jax, share
from common.training.state import assign

PRECISIONS = {"float32": "float32", "bfloat16": "mixed_bfloat16", "float16": "mixed_float16"}
"""Keras dtype policies; with a mixed policy the weights stay float32."""
RESIDENT_SHARE = 0.5
"""Share of a GPU's memory that the data may take; the rest is for the network."""
CONVOLVED = ("img", "fits", "spectra")
"""Inputs whose networks convolve; those of the others are a few small dense layers, slower in bfloat16."""
BFLOAT16_FLAG = "amx_bf16"
"""Of processors that multiply bfloat16 in tiles. With avx512_bf16 alone i2r trains at 0.75, f2r at 0.85 and s2r at 0.68
of float32's rate."""

FEW_STEPS = 40
"""Steps of a run up to which they are taken one by one: TensorFlow needs 0.3 s more to prepare several at once, and
saves 4 ms of each."""


@dataclass(frozen=True)
class Device:
    """What a run computes on.

    Parameters
    ----------
    kind : str
        ``GPU`` or ``CPU``.
    name : str
    count : int
        Number of GPUs, or of CPU cores that may be used.
    precision : str
        Key of `PRECISIONS`.
    memory : int
        Bytes of one GPU that may be used; 0 on a CPU and where it is unknown: no data are held on it.
    jax : bool
        Whether JAX computes, which compiles every step and takes them one by one.
    share : Share
        What this process feeds of every batch.
    why : str
        Why this precision, where that is not plain.
    """

    kind: str
    name: str
    count: int
    precision: str
    memory: int = 0
    jax: bool = False
    share: Share = ALONE
    why: str = ""

    @property
    def several(self) -> bool:
        """Whether several GPUs compute."""
        return self.kind == "GPU" and self.count > 1

    @property
    def compiled(self) -> bool:
        """Whether XLA compiles what is trained; on a CPU it is ten times slower than TensorFlow's graph."""
        return self.kind == "GPU" or self.jax

    def holds(self, size: int) -> bool:
        """Tell whether a data set of so many bytes should live on the device.

        On several GPUs it does not: each would have to hold all of it.
        """
        return self.kind == "GPU" and not self.several and size <= RESIDENT_SHARE * self.memory

    def scope(self) -> AbstractContextManager:
        """Return the context to build and compile a model in: each of several GPUs takes a part of every batch."""
        return tf.distribute.MirroredStrategy().scope() if self.several and not self.jax else nullcontext()

    def steps_per_execution(self, batch_bytes: int, steps: int, epochs: int) -> int:
        """Choose how many steps of an epoch TensorFlow runs between two looks at Python: many where a step is short.

        Parameters
        ----------
        batch_bytes : int
            Of what is fed in a step.
        steps : int
            Of an epoch.
        epochs : int
            Of the run.
        """
        # Keras takes several at once on one device only.
        if self.jax or self.several or steps * epochs <= FEW_STEPS:
            return 1
        return max(1, min(128, 2**22 // max(batch_bytes, 1), steps))

    def first_weights(
        self, network: keras.Model, seed: int, build: Callable[[], keras.Model], begin: Callable[[keras.Model], None]
    ) -> None:
        """Give a new network its first weights: with several processes the same in all of them.

        Parameters
        ----------
        network : keras.Model
        seed : int
        build : callable
            Makes another one like it.
        begin : callable
            Gives one its weights, by itself.
        """
        if self.share.processes == 1:
            begin(network)
            return
        together = keras.distribution.distribution()
        keras.distribution.set_distribution(None)
        keras.utils.set_random_seed(seed)
        begin(first := build())
        keras.distribution.set_distribution(together)
        assign(network, [np.asarray(variable) for variable in first.variables])

    def line(self) -> str:
        """Say in one line what runs where."""
        unit = "core" if self.kind == "CPU" else "device"
        why = self.why and f" ({self.why})"
        return f"{self.kind}: {self.name}, {self.count} {unit}{'s' * (self.count != 1)}, {self.precision}{why}"


def select_device(precision: str = "auto", memory_limit: int = 0, name: str = CONVOLVED[0]) -> Device:
    """Find the device and set Keras' precision; call it before a model is built.

    Parameters
    ----------
    precision : str
        ``auto`` or one of `PRECISIONS`. ``auto`` takes bfloat16 where the hardware multiplies it faster and the network
        convolves.
    memory_limit : int
        Megabytes of each GPU to use; 0 lets the use grow as needed.
    name : str
        The network's input.
    """
    kind, title, memory, jax = "GPU", "JAX", 0, on_jax()
    if jax:
        # TensorFlow only feeds: the memory of the GPUs is left to JAX.
        tf.config.set_visible_devices([], "GPU")
        devices = keras.distribution.list_devices()
        kind = devices[0].partition(":")[0].upper()
        faster = kind == "GPU"
    elif devices := tf.config.list_physical_devices("GPU"):
        for gpu in devices:
            if memory_limit:
                limit = tf.config.LogicalDeviceConfiguration(memory_limit=memory_limit)
                tf.config.set_logical_device_configuration(gpu, [limit])
            else:
                tf.config.experimental.set_memory_growth(gpu, True)
        details = tf.config.experimental.get_device_details(devices[0])
        title, faster = details.get("device_name", "unknown"), details.get("compute_capability", (0, 0)) >= (8, 0)
        memory = memory_limit * 2**20 or _free_memory()
    else:
        kind, faster = "CPU", BFLOAT16_FLAG in cpu_lines().get("flags", "").split()
    why = ""
    if precision == "auto":
        precision = "bfloat16" if faster and name in CONVOLVED else "float32"
        if kind == "CPU" and not faster and name in CONVOLVED:
            why = f"the processor has no {BFLOAT16_FLAG}"
    keras.config.set_dtype_policy(PRECISIONS[precision])
    title, count = (_cpu_name(), cpu_count()) if kind == "CPU" else (title, len(devices))
    return Device(kind, title, count, precision, memory, jax, share() if jax else ALONE, why)


def _free_memory() -> int:
    """Ask the driver for the free memory of the first GPU, bytes; 0 where it cannot say."""
    query = ["nvidia-smi", "--query-gpu=memory.free", "--format=csv,noheader,nounits"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, timeout=20, check=True).stdout
        return int(answer.split()[0]) * 2**20
    except (OSError, ValueError, IndexError, subprocess.SubprocessError):
        return 0


def _cpu_name() -> str:
    return cpu_lines().get("model name") or platform.processor() or platform.machine()
