"""Where in an image a network looks: Grad-CAM where all convolutions end in one layer, else occlusion."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from itertools import pairwise, product

import numpy as np

from common.backend import keras, tf
from common.models.model import Model
from common.models.serving import bare_network
from common.networks.inputs import PRESENT
from common.outputs.kinds import kind_of
from sdss_gs.schema import Input, Output

SQUARES = 10
"""Squares across an image that are covered one after the other."""
AT_ONCE = 101
GRAD_CAM, OCCLUSION = "Grad-CAM", "occlusion"
TINY = 1e-12


def explain(model: Model, output: Output, item: Input, piece: Mapping[str, np.ndarray]) -> tuple[str, np.ndarray]:
    """Say how much each part of some images matters for what a model makes of the objects.

    Parameters
    ----------
    model : Model
    output : Output
    item : Input
        The images.
    piece : mapping of str to ndarray
        Inputs of n objects that have the images, as from `TrainingData.gather`.

    Returns
    -------
    method : str
        ``Grad-CAM`` (Selvaraju et al. 2017, ICCV, arXiv:1610.02391), or ``occlusion`` (Zeiler & Fergus 2014, ECCV,
        arXiv:1311.2901) for a network in which other paths lead past the last convolutions.
    maps : ndarray of float32, shape (n, side, side)
        From 0, no influence, to 1, the largest within the image; 0 everywhere where nothing has any.
    """
    choices = kind_of(output).choices
    network = bare_network(model.network)
    halves = _parted(network) if model.flat else None
    if halves:
        method, maps = GRAD_CAM, grad_cam(*halves, choices, piece[item.name])
    else:
        method, maps = OCCLUSION, occlusion(partial(_answers, model, output, item, piece), choices, piece[item.name])
    return method, (maps / np.maximum(maps.max(axis=(1, 2), keepdims=True), TINY)).astype(np.float32)


def _answers(
    model: Model, output: Output, item: Input, piece: Mapping[str, np.ndarray], row: int, views: np.ndarray
) -> np.ndarray:
    """Run a network on views of one object's image; all else that the object has is as it is."""
    if model.flat:
        return model.network.predict({item.name: views}, batch_size=AT_ONCE, verbose=0)
    one = {name: values[row : row + 1] for name, values in piece.items()}
    present = one.pop(PRESENT) > 0
    features = {name: np.repeat(values, len(views), axis=0) for name, values in model.encoded(one, present).items()}
    features[item.name] = model.runtime.encode(item, views)
    return model.runtime.answer(features, ())[output.name]


def grad_cam(convolving: keras.Model, behind: keras.Model, choices: int, images: np.ndarray) -> np.ndarray:
    """Weigh each channel of the last convolutions by the mean slope of the answer, and add them up.

    Parameters
    ----------
    convolving, behind : keras.Model
        From images to maps of features, ``(batch, rows, columns, channels)``, and from these to the answer.
    choices : int
        See `Kind.choices`.
    images : ndarray, shape (n, side, side, channels)

    Returns
    -------
    ndarray of float32, shape (n, side, side)
        What speaks for the class or first answer that the network chooses; for a number what raises or lowers it.
    """
    seen = tf.cast(convolving([images], training=False), "float32")
    with tf.GradientTape() as tape:
        tape.watch(seen)
        answer = behind(seen, training=False)[:, :choices]
        answer = tf.math.log(tf.reduce_max(answer, axis=1) + TINY) if choices > 1 else answer[:, 0]
    slope = tf.reduce_mean(tape.gradient(answer, seen), axis=(1, 2), keepdims=True)
    maps = tf.reduce_sum(slope * seen, axis=-1, keepdims=True)
    maps = tf.nn.relu(maps) if choices > 1 else tf.abs(maps)
    side = images.shape[1]
    cropped = (layer.cropping[0][0] for layer in convolving.layers if isinstance(layer, keras.layers.Cropping2D))
    margin = next(cropped, 0)
    maps = tf.image.resize(maps, (side - 2 * margin,) * 2)[..., 0].numpy()
    return np.pad(maps, ((0, 0), (margin, margin), (margin, margin)))


def occlusion(answers: Callable[[int, np.ndarray], np.ndarray], choices: int, images: np.ndarray) -> np.ndarray:
    """Cover one square after the other with the median of the image, which is sky, and see how far the answer moves.

    Parameters
    ----------
    answers : callable
        Takes the number of an image and views of it, ``(m, side, side, channels)``; returns what the network says of
        these, ``(m, size)``.
    choices, images
        As for `grad_cam`.

    Returns
    -------
    ndarray of float32, shape (n, side, side)
        Probability that the chosen class or answer loses, or distance from the number of the whole image.
    """
    side = images.shape[1]
    edges = np.linspace(0, side, SQUARES + 1).round().astype(int)
    spans = [slice(*pair) for pair in pairwise(edges.tolist())]
    squares = list(product(spans, spans))
    maps = np.zeros(images.shape[:3], np.float32)
    for row, (image, shown) in enumerate(zip(images, maps, strict=True)):
        views = np.repeat(image[None], len(squares) + 1, axis=0)
        for view, square in zip(views[1:], squares, strict=True):
            view[square] = np.median(image, axis=(0, 1))
        values = answers(row, views)[:, :choices]
        answer = values[:, values[0].argmax()]
        moved = np.maximum(answer[0] - answer[1:], 0) if choices > 1 else np.abs(answer[1:] - answer[0])
        for square, distance in zip(squares, moved, strict=True):
            shown[square] = distance
    return maps


def _parted(network: keras.Model) -> tuple[keras.Model, keras.Model] | None:
    """Part a network where its maps of features become features; None where other paths lead past that place."""
    endings = [layer for layer in network.layers if _flattens(layer)]
    if len(endings) != 1:
        return None
    convolved = endings[0].input
    try:
        return keras.Model(network.inputs, convolved), keras.Model(convolved, network.output)
    except ValueError:  # Keras': the answer is not connected to these maps alone
        return None


def _flattens(layer: keras.layers.Layer) -> bool:
    """Tell whether a layer turns maps of features into features."""
    if isinstance(layer, keras.layers.InputLayer | keras.Model):
        return False
    inputs, outputs = layer.input, layer.output
    return not isinstance(inputs, list) and len(inputs.shape) == 4 and len(outputs.shape) == 2
