"""The eight symmetric forms of an image, for prediction as for training: nothing here needs Keras."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

TURNED = ("img", "fits")
"""Inputs that look as likely turned or mirrored."""


def forms(images: np.ndarray) -> Iterator[np.ndarray]:
    """Turn and mirror images, ``(n, side, side, channels)``, into each of their eight symmetric forms."""
    for mirrored in (images, images[:, :, ::-1]):
        for turns in range(4):
            yield np.ascontiguousarray(np.rot90(mirrored, turns, axes=(1, 2)))
