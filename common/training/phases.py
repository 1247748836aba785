"""Fine-tuning in two phases: first the head on a frozen backbone, then the backbone too, at a lower rate."""

from __future__ import annotations

from dataclasses import dataclass, replace

from common.backend import keras
from common.networks.backbones import APPLICATIONS, NO_WEIGHTS
from common.options import TrainingOptions
from sdss_gs.errors import OptionError

ALL, NONE = "all", "none"


@dataclass(frozen=True)
class Phase:
    """Some epochs in which the same layers learn.

    Parameters
    ----------
    first, last : int
        Finished epochs before and after it.
    frozen, rate : str, float
        ``all`` of the backbone's layers, ``none``, or how many of the last ones learn; factor of the learning rate.
    """

    first: int
    last: int
    frozen: str = NONE
    rate: float = 1.0

    def options(self, options: TrainingOptions) -> TrainingOptions:
        """Return a run's options as they are for this phase alone: its epochs, its learning rate."""
        return replace(options, epochs=self.last - self.first, learning_rate=self.rate * options.learning_rate)

    def freeze(self, network: keras.Model) -> None:
        """Choose what learns; a frozen batch normalisation keeps its statistics and uses them."""
        for base in (layer for layer in network.layers if isinstance(layer, keras.Model)):
            base.trainable = self.frozen not in (ALL, "0")
            if self.frozen.isdigit():
                for layer in base.layers[: max(0, len(base.layers) - int(self.frozen))]:
                    layer.trainable = False


def phases(options: TrainingOptions) -> list[Phase]:
    """Divide a run with some options into its phases.

    Raises
    ------
    OptionError
        If `freeze` is neither word nor number, or random weights would be frozen.
    """
    epochs, freeze = options.epochs, options.freeze
    if freeze not in (ALL, NONE) and not (freeze.isascii() and freeze.isdigit()):
        raise OptionError(f"freeze: expected {ALL}, {NONE} or how many of the last layers learn, found {freeze!r}")
    if options.backbone not in APPLICATIONS or options.weights == NO_WEIGHTS:
        if freeze != NONE:
            raise OptionError(f"freeze: expected a backbone with weights to keep, found freeze={freeze} without them")
        return [Phase(0, epochs)]
    if freeze == ALL:
        return [Phase(0, epochs, ALL)]
    head = min(options.head_epochs, epochs)
    both = [Phase(0, head, ALL), Phase(head, epochs, freeze, options.fine_tune_rate)]
    return [phase for phase in both if phase.last > phase.first]
