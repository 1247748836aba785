"""The parts of a network that is there: nothing here loads Keras."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from common.networks.inputs import ENCODER, FUSION
from sdss_gs.schema import Input, Output

if TYPE_CHECKING:
    from common.backend import keras

MEMBER = "_member"
"""Stands between an output's name and a member's number, in an ensemble."""


def is_flat(network: keras.Model) -> bool:
    """Tell a flat network from a fused one."""
    return not isinstance(network.output, dict)


def encoder_of(network: keras.Model, item: Input) -> keras.Model:
    """Return the part of a network that sees one input; a flat network is that itself."""
    return network if is_flat(network) else network.get_layer(f"{item.name}{ENCODER}")


def member_outputs(network: keras.Model, output: Output) -> list[Output]:
    """Name the outputs of an ensemble's members, whose mean is the output; the output itself of a single network."""
    names, found = {layer.name for layer in network.layers}, []
    while (name := f"{output.name}{MEMBER}{len(found)}") in names:
        found.append(replace(output, name=name))
    return found or [output]


def decider_of(network: keras.Model) -> keras.Model:
    """Return the part of a network that holds its heads; a flat network is that itself."""
    return network if is_flat(network) else network.get_layer(FUSION)
