"""Whole batches from a data set to Keras: an index pipeline in TensorFlow, one gather per block of batches."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from common.backend import keras, tf

BLOCK_BYTES = 2**22
"""Size of one of `Blocks`."""
GATHERED_BYTES = 2**23
"""Size of what `make_batches` gathers at a time: calling Python for every batch of magnitudes would take longer than a
step, and of images half as long as gathering them."""
BLOCKS_AHEAD = 2
"""Blocks gathered ahead of the batch that is cut from them."""
BATCHES_AHEAD = 4
"""Batches made ahead of the step that uses them."""


@dataclass(frozen=True)
class Share:
    """What one of several processes feeds of every batch.

    Parameters
    ----------
    processes, rank : int
        How many there are, and which this is, from 0.
    """

    processes: int = 1
    rank: int = 0

    def of(self, positions: np.ndarray, batch_size: int) -> np.ndarray:
        """Choose what this process feeds of the positions of all objects, in the order of the epoch.

        That is ``batch_size / processes`` objects of each batch. All processes must feed as many: of a last batch that
        cannot be divided, up to ``processes - 1`` objects are left out of this epoch.
        """
        whole = len(positions) // batch_size * batch_size
        rest = (len(positions) - whole) // self.processes
        batches = positions[:whole].reshape(-1, self.processes, batch_size // self.processes)
        begin = whole + self.rank * rest
        return np.concatenate([batches[:, self.rank].ravel(), positions[begin : begin + rest]])


ALONE = Share()


class EpochOrder(keras.callbacks.Callback):
    """Knows the epoch, so that each epoch has an order of its own that depends on seed and epoch alone."""

    def __init__(self, seed: int, count: int):
        super().__init__()
        self.seed, self.count, self.epoch = seed, count, 0

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Take note of the epoch before Keras asks for its batches."""
        self.epoch = epoch

    def permutation(self) -> np.ndarray:
        """Return the order of this epoch, int64 ``(count,)``."""
        return np.random.default_rng([self.seed, self.epoch]).permutation(self.count)


def make_batches(
    gather: Callable[[np.ndarray], tuple[np.ndarray, ...]],
    element: Callable[..., tuple],
    count: int,
    batch_size: int,
    order: EpochOrder | None = None,
    share: Share = ALONE,
) -> tf.data.Dataset:
    """Make the batches of one epoch.

    Parameters
    ----------
    gather : callable
        Takes positions, int64 ``(batch,)``, and returns the arrays of those objects.
    element : callable
        Arranges tensors in the order of those arrays as Keras wants them: inputs, targets, weights.
    count : int
        Number of objects; each occurs once, the last batch may be smaller.
    batch_size : int
    order : EpochOrder, optional
        Shuffles; without it the objects come as they are.
    share : Share
        What this process feeds; `batch_size` is that of all processes together.

    Returns
    -------
    tf.data.Dataset
        What `element` returns.
    """
    total, together = count, batch_size - batch_size % share.processes
    batch_size, count = batch_size // share.processes, len(share.of(np.arange(total), together))
    sample = gather(np.zeros(1, np.int64))
    dtypes = [array.dtype for array in sample]
    block = batch_size * max(1, GATHERED_BYTES // (batch_size * sum(array.nbytes for array in sample)))

    def positions():
        epoch = share.of(np.arange(total) if order is None else order.permutation(), together)
        for start in range(0, count, block):
            yield epoch[start : start + block]

    def load(index: tf.Tensor) -> tuple:
        arrays = tf.numpy_function(gather, [index], dtypes)
        for array, like in zip(arrays, sample, strict=True):
            array.set_shape((None, *like.shape[1:]))
        return element(*arrays)

    blocks = tf.data.Dataset.from_generator(positions, output_signature=tf.TensorSpec((None,), tf.int64))
    batches = (
        blocks.map(load)
        .prefetch(BLOCKS_AHEAD)
        .rebatch(batch_size)
        .apply(tf.data.experimental.assert_cardinality(-(-count // batch_size)))
    )
    return batches.prefetch(BATCHES_AHEAD)


class Blocks:
    """Blocks of batches, each gathered when it is asked for; a program takes one of its batches after the other.

    All blocks have the same shapes; what is too much repeats the first object.

    Parameters
    ----------
    gather, count, batch_size, order
        As for `make_batches`; arrays of positions, not of one object alone.
    most : int
        Batches of a block at most, if they are no more than `BLOCK_BYTES`.
    batches : int
        Batches of an epoch where it is to have more than its objects fill; the last ones then have none.
    """

    def __init__(
        self,
        gather: Callable[[np.ndarray], dict[str, np.ndarray]],
        count: int,
        batch_size: int,
        most: int,
        order: EpochOrder | None = None,
        batches: int = 0,
    ):
        self.gather, self.count, self.batch_size, self.order = gather, count, batch_size, order
        batches = max(batches, -(-count // batch_size))
        size = sum(array.nbytes for array in gather(np.zeros(1, np.int64)).values())
        most = min(most, max(1, BLOCK_BYTES // (batch_size * size)), batches)
        self.blocks = -(-batches // most)
        self.steps = -(-batches // self.blocks)
        self._epoch, self._positions = None, np.arange(count)
        self._ahead, self._gatherer = {}, ThreadPoolExecutor(1)

    def take(self, number: int) -> dict[str, np.ndarray]:
        """Return a block of the epoch, and have the next one gathered meanwhile."""
        waiting, self._ahead = self._ahead.pop(number, None) if number else None, {}
        block = waiting.result() if waiting else self[number]
        if number + 1 < self.blocks:
            self._ahead = {number + 1: self._gatherer.submit(self.__getitem__, number + 1)}
        return block

    def __len__(self) -> int:
        return self.blocks

    def __getitem__(self, number: int) -> dict[str, np.ndarray]:
        """Gather a block of the epoch: the arrays, ``(steps, batch, ...)``.

        With them ``objects``, how many objects each batch has, int32 ``(steps,)``, and ``steps``, how many batches have
        any, int32.
        """
        if self.order and self.order.epoch != self._epoch:
            self._epoch, self._positions = self.order.epoch, self.order.permutation()
        room = self.steps * self.batch_size
        index = self._positions[number * room : (number + 1) * room]
        objects = np.clip(len(index) - self.batch_size * np.arange(self.steps), 0, self.batch_size).astype(np.int32)
        filled = np.concatenate([index, np.repeat(self._positions[:1], room - len(index))])
        found = self.gather(filled).items()
        shaped = {name: array.reshape(self.steps, self.batch_size, *array.shape[1:]) for name, array in found}
        return shaped | {"objects": objects, "steps": np.int32((objects > 0).sum())}

    def numbers(self) -> tf.data.Dataset:
        """Return the numbers of the blocks, which Keras counts as steps."""
        return tf.data.Dataset.range(self.blocks)
