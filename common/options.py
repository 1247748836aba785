"""The options that a user of a model folder may set; their defaults are in its ``MLproject``."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from common.networks.augment import AUGMENTATIONS
from common.networks.backbones import BACKBONES, COLOURS, HEADS
from common.networks.inputs import STRETCHES
from common.outputs.coding import CLASS_WEIGHTS, TARGETS
from common.outputs.vote_losses import VOTE_LOSSES
from sdss_gs.errors import OptionError
from sdss_gs.schema import INPUTS, OUTPUTS, SPECTRUM_COLUMNS, Input, Output

LOSSES = ("mse", "mae", "huber")
OPTIMIZERS = ("rmsprop", "adam", "adamw", "sgd")
SCHEDULES = ("constant", "cosine", "step")
ARCHITECTURES = ("reference", "fast")
SEARCHES = ("grid", "random", "tpe")
PRUNERS = ("none", "median", "hyperband")
PRECISIONS = ("auto", "float32", "bfloat16", "float16")


@dataclass(frozen=True)
class Option:
    """One option of a run: type, help, bounds, and the models that have it. Its default is in ``MLproject``.

    With `several`, the value is one or more of the choices, separated by commas. Models of the outputs in `by_output`
    have choices of their own; none: any text.
    """

    kind: type
    help: str
    low: float = -math.inf
    choices: tuple[str, ...] = ()
    several: bool = False
    below: float = math.inf
    inputs: tuple[str, ...] = tuple(INPUTS)
    outputs: tuple[str, ...] = tuple(OUTPUTS)
    by_output: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def choices_of(self, output: str) -> tuple[str, ...]:
        """List the choices that models of an output have."""
        return self.by_output.get(output, self.choices)


REGRESSIONS = tuple(name for name, output in OUTPUTS.items() if not output.classes)
CLASSIFICATIONS = tuple(name for name, output in OUTPUTS.items() if output.classes)
OPTIONS = {
    "architecture": Option(
        str, "the predecessor's network, the zoo's own, or another one of the folder", choices=(*ARCHITECTURES, "vgg")
    ),
    "backbone": Option(
        str, "network that sees the images, instead of the architecture", choices=BACKBONES, inputs=("img",)
    ),
    "weights": Option(
        str, "that a Keras backbone begins with: imagenet, none, or a file of its weights", inputs=("img",)
    ),
    "freeze": Option(
        str, "layers of it that keep their weights: all, none, or all but so many of the last", inputs=("img",)
    ),
    "head_epochs": Option(int, "epochs with all of them frozen before the others learn too", 0, inputs=("img",)),
    "fine_tune_rate": Option(float, "factor of the learning rate from then on", 1e-12, inputs=("img",)),
    "head": Option(str, "of it: light, one layer, or deep, 1024-1024-512 and one", choices=HEADS, inputs=("img",)),
    "crop": Option(int, "side of the middle that the network sees, pixels; 0: all", 0, inputs=("img",)),
    "colour": Option(str, "what it sees of the channels", choices=COLOURS, inputs=("img",)),
    "inputs": Option(
        str, "what the model looks at, separated by commas", choices=tuple(INPUTS), several=True, inputs=()
    ),
    "outputs": Option(str, "what it predicts, separated by commas", choices=tuple(OUTPUTS), several=True, outputs=()),
    "augment": Option(
        str,
        "vary each image at random while training: turn by right angles and mirror, turn by any angle, or also zoom, "
        "shift, brightness, colour, seeing and noise",
        choices=AUGMENTATIONS,
        inputs=("img", "fits"),
    ),
    "epochs": Option(int, "passes over the training objects", 1),
    "input_dropout": Option(
        float, "probability with which each input of an object is hidden while training", 0, below=1, inputs=()
    ),
    "batch_size": Option(int, "objects per step", 1),
    "loss": Option(
        str, "what training minimises", choices=LOSSES, outputs=REGRESSIONS, by_output={"votes": VOTE_LOSSES}
    ),
    "optimizer": Option(str, "how the weights are changed", choices=OPTIMIZERS),
    "learning_rate": Option(float, "first step size of the optimizer", 1e-12),
    "weight_decay": Option(
        float, "share of the weights taken off per unit of step size; 0: the optimizer's own", 0, inputs=("img",)
    ),
    "schedule": Option(
        str, "step size over the run: constant, cosine to 0, or halved every 10 epochs", choices=SCHEDULES
    ),
    "patience": Option(int, "stop after so many epochs without a better validation loss; 0: never", 0),
    "folds": Option(int, "cross-validate in so many folds, as nested runs; 0: train once", 0),
    "seed": Option(int, "the same seed gives the same scores", 0),
    "precision": Option(str, "arithmetic; auto: bfloat16 where the hardware is faster with it", choices=PRECISIONS),
    "memory_limit": Option(int, "megabytes of each GPU to use; 0: grow as needed", 0),
    "target": Option(
        str,
        "for masses, learn log10 of the mass in Msun, or the mass in 1e9 Msun; for classes, the column of data.csv to "
        "learn instead, of classes or numbers",
        choices=TARGETS,
        outputs=("smass", *CLASSIFICATIONS),
        by_output=dict.fromkeys(CLASSIFICATIONS, ()),
    ),
    "class_weights": Option(str, "weigh rare classes more", choices=CLASS_WEIGHTS, outputs=CLASSIFICATIONS),
    "label_smoothing": Option(float, "share of the label spread over all classes", 0, outputs=CLASSIFICATIONS),
    "stretch": Option(str, "of the cut-outs' flux, inside the model", choices=STRETCHES, inputs=("fits",)),
    "column": Option(
        str, "best-fit model spectrum or observed flux", choices=SPECTRUM_COLUMNS, inputs=("spectra", "ssel")
    ),
    "ds": Option(str, "data set; empty: $SDSS_GS, else ../sdss-gs beside the repository, else a generated sample"),
    "limit": Option(int, "use only so many objects; 0: all", 0),
    "image_scale": Option(
        float, "arcsec per pixel of the image files; another one than 0.2 has them resampled", 1e-3, inputs=("img",)
    ),
    "model": Option(str, "stored model to judge; empty: the champion", outputs=()),
    "maps": Option(
        str,
        "how features become two dimensions; umap needs an extra package",
        choices=("pca", "tsne", "umap"),
        several=True,
        outputs=(),
    ),
    "part": Option(str, "objects to judge it on: those of the test split, or all", choices=("test", "all"), outputs=()),
    "tta": Option(
        str, "average over the eight forms of each image", choices=("no", "yes"), inputs=("img", "fits"), outputs=()
    ),
    "search": Option(
        str, "every combination, combinations by chance, or led by the results so far", choices=SEARCHES, outputs=()
    ),
    "space": Option(
        str, "training options to explore: a|b|c, or low..high and low..high:log; one value holds it fixed", outputs=()
    ),
    "trials": Option(int, "how many trials of a random or tpe search; 0: the whole grid", 0, outputs=()),
    "prune": Option(str, "end trials early that are behind on the validation objects", choices=PRUNERS, outputs=()),
    "refit_epochs": Option(int, "epochs of the winner's last training", 1, outputs=()),
    "workers": Option(int, "processes that share the trials; the same command started again joins too", 1, outputs=()),
    "storage": Option(
        str, "SQLAlchemy address of the trials' data base; empty: sweeps.db beside MLflow's own", outputs=()
    ),
    "resume": Option(str, "id of an interrupted MLflow run to go on with"),
}


def convert(name: str, value: object, output: str = "") -> object:
    """Turn an option's text into its type.

    Parameters
    ----------
    name : str
    value : object
    output : str
        Output of the model, which may have choices of its own.

    Raises
    ------
    OptionError
        Names the option, what was expected and what was found.
    """
    if name not in OPTIONS:
        raise OptionError(f"{name}: unknown option, expected one of {', '.join(OPTIONS)}")
    option, text = OPTIONS[name], str(value).strip()
    if option.several:
        return ",".join(_several(name, option, text))
    choices = option.choices_of(output)
    if choices and text not in choices:
        raise OptionError(f"{name}: expected one of {', '.join(choices)}, found {text!r}")
    if option.kind is str:
        return text
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    # A parameter file or a sweep may write 10.0 for a whole number.
    within = math.isfinite(number) and option.low <= number < option.below
    if not within or (option.kind is int and number != int(number)):
        wanted = "a whole number" if option.kind is int else "a number"
        bound = f" and below {option.below:g}" if math.isfinite(option.below) else ""
        raise OptionError(f"{name}: expected {wanted} of at least {option.low:g}{bound}, found {text!r}")
    return option.kind(number)


def _several(name: str, option: Option, text: str) -> list[str]:
    """Split names at the commas; return them in the order of the schema, so that no order is another model."""
    found = [part.strip() for part in text.split(",")]
    for part in found:
        if part not in option.choices:
            raise OptionError(f"{name}: expected some of {', '.join(option.choices)}, found {part!r}")
    return [choice for choice in option.choices if choice in found]


def options_of(item: Input, output: Output) -> list[str]:
    """List the options that a model with this input and output has."""
    return [name for name, option in OPTIONS.items() if item.name in option.inputs and output.name in option.outputs]
