"""The parts of a network that is there: nothing here loads Keras."""

from __future__ import annotations

from typing import TYPE_CHECKING

from common.networks.inputs import ENCODER, FUSION
from sdss_gs.schema import Input

if TYPE_CHECKING:
    from common.backend import keras


def is_flat(network: keras.Model) -> bool:
    """Tell a flat network from a fused one."""
    return not isinstance(network.output, dict)


def encoder_of(network: keras.Model, item: Input) -> keras.Model:
    """Return the part of a network that sees one input; a flat network is that itself."""
    return network if is_flat(network) else network.get_layer(f"{item.name}{ENCODER}")


def decider_of(network: keras.Model) -> keras.Model:
    """Return the part of a network that holds its heads; a flat network is that itself."""
    return network if is_flat(network) else network.get_layer(FUSION)
