"""The options of every entry point of a model folder: the only home of their defaults, types, bounds and choices.

A folder's ``MLproject`` declares the few whose defaults are its model's own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

from common.networks.augment import AUGMENTATIONS
from common.networks.backbones import BACKBONE_HEADS, BACKBONES, COLOURS
from common.networks.inputs import STRETCHES
from common.outputs.distribution import BINS, REDSHIFT_BIN, SPECTRUM_BINS
from common.outputs.kinds.classes import CLASS_WEIGHTS
from common.outputs.kinds.distributed import HEADS
from common.outputs.kinds.kind import LOSSES
from common.outputs.kinds.mass import TARGETS
from common.outputs.kinds.votes import VOTE_LOSSES
from sdss_gs.errors import OptionError, did_you_mean
from sdss_gs.schema import INPUTS, OUTPUTS, PIXEL_SCALE, SPECTRUM_COLUMNS
from sdss_gs.split import HASH
from sdss_gs.tables.names import AUTO, BOTH_KINDS, STATEMENTS

OPTIMIZERS = ("rmsprop", "adam", "adamw", "sgd")
SCHEDULES = ("constant", "cosine", "step")
ARCHITECTURES = ("reference", "fast")
OWN_ARCHITECTURES = ("fast", "wide", "slim")
"""Networks of the zoo's own, which learn distributions and answer rows with gaps."""
SEARCHES = ("grid", "random", "tpe")
PRUNERS = ("none", "median", "hyperband")
PRECISIONS = ("auto", "float32", "bfloat16", "float16")
METHODS = ("pca", "tsne", "umap")
SPACE = "batch_size=32|64,learning_rate=5e-4|1e-3|2e-3|4e-3"
"""What decides most. The trials of one batch size are trained at once, where the network is of dense layers."""
REGRESSIONS = tuple(name for name, output in OUTPUTS.items() if not output.classes)
SEVERAL = ""
"""Stands for the output of a model that has several."""
CLASSIFICATIONS = tuple(name for name, output in OUTPUTS.items() if output.classes)


@dataclass(frozen=True)
class Option:
    """One option: its default, help and bounds, and the models that have it.

    Parameters
    ----------
    default : int, float or str
        The option has its type.
    help : str
    low, below : float
        Bounds of a number: at least `low`, less than `below`.
    choices : tuple of str
        None: any text.
    several : bool
        The value is one or more of the choices, separated by commas.
    inputs, outputs : tuple of str
        Models with one input and one output have it if they have these.
    multi : bool
        Whether models of several inputs and outputs have it.
    by_output : mapping of str to tuple of str
        Choices that models of an output have instead; none: any text.
    defaults : mapping of str to object
        Defaults that models of an output have instead.
    absent : int, float or str, optional
        Its value for a model that lacks it, where that is not the default.
    """

    default: int | float | str
    help: str
    low: float = -math.inf
    below: float = math.inf
    choices: tuple[str, ...] = ()
    several: bool = False
    inputs: tuple[str, ...] = tuple(INPUTS)
    outputs: tuple[str, ...] = tuple(OUTPUTS)
    multi: bool = True
    by_output: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    defaults: Mapping[str, object] = field(default_factory=dict)
    absent: int | float | str | None = None

    @property
    def kind(self) -> type:
        """Type of its values."""
        return type(self.default)

    def choices_of(self, output: str) -> tuple[str, ...]:
        """List the choices that models of an output have."""
        return self.by_output.get(output, self.choices)


def option(default: int | float | str, help: str, **about: Any) -> Any:
    """Declare an option as the field of a dataclass; parameters as for `Option`.

    Parameters
    ----------
    default, help, **about
        As for `Option`.
    """
    return field(default=default, metadata={"option": Option(default, help, **about)})


TABLES = tuple(name for name, item in INPUTS.items() if item.columns)
IMAGES = {"inputs": ("img",), "multi": False}


@dataclass(frozen=True)
class DataOptions:
    """What everything that reads a data set may be told."""

    ds: str = option("", "data set; empty: $SDSS_GS, else ../sdss-gs beside the repository, else a generated sample")
    limit: int = option(0, "use only so many objects; 0: all", low=0)


def _image_scale() -> Any:
    return option(
        PIXEL_SCALE,
        f"arcsec per pixel of the image files; another one than {PIXEL_SCALE} has them resampled",
        low=1e-3,
        inputs=("img",),
    )


def _seed() -> Any:
    return option(0, "the same seed gives the same scores", low=0)


def _resume() -> Any:
    return option("", "id of an interrupted MLflow run to go on with")


def _model() -> Any:
    return option("", "stored model to look at; empty: the champion")


@dataclass(frozen=True)
class TrainingOptions(DataOptions):
    """What a training run may be told."""

    architecture: str = option(
        "fast",
        "fast, the zoo's own network; reference, the predecessor's; or another function of the folder",
        multi=False,
    )
    backbone: str = option("none", "well-known network that sees the images instead", choices=BACKBONES, **IMAGES)
    weights: str = option("imagenet", "that a Keras backbone begins with: imagenet, none, or a file of them", **IMAGES)
    freeze: str = option(
        "none", "layers of it that keep their weights: all, none, or all but so many of the last", **IMAGES
    )
    head_epochs: int = option(3, "epochs with all of them frozen before the others learn too", low=0, **IMAGES)
    fine_tune_rate: float = option(0.1, "factor of the learning rate from then on", low=1e-12, **IMAGES)
    backbone_head: str = option(
        "light", "layers behind it: light, one layer, or deep, 1024-1024-512 and one", choices=BACKBONE_HEADS, **IMAGES
    )
    crop: int = option(0, "side of the middle that the network sees, pixels; 0: all", low=0, **IMAGES)
    colour: str = option("rgb", "what it sees of the channels", choices=COLOURS, **IMAGES)
    inputs: str = option(
        "img,bands,wise", "what the model looks at, separated by commas", choices=tuple(INPUTS), several=True, inputs=()
    )
    outputs: str = option(
        "redshift,smass,subclass,gz2c", "what it predicts, separated by commas", choices=tuple(OUTPUTS), several=True,
        outputs=(),
    )  # fmt: skip
    input_dropout: float = option(
        0.3, "probability with which each input of an object is hidden while training", low=0, below=1, inputs=(),
        absent=0.0,
    )  # fmt: skip
    magnitude_dropout: float = option(
        0.5, "share of the rows of magnitudes of which some are hidden while training; 0: the model needs all",
        low=0, below=1, inputs=TABLES, absent=0.0,
    )  # fmt: skip
    errors: str = option(
        "auto", "whether it looks at the errors of magnitudes; auto: where the data set has them",
        choices=("auto", "no"), inputs=TABLES,
    )  # fmt: skip
    photometry: str = option(
        AUTO, "which magnitudes it looks at, u g r i z as they are (raw) or corrected for the Galaxy's extinction "
        "(dereddened), made of each other by E(B-V); both: either, told which; auto: both where the data set says it "
        "of each row, else those that it has",
        choices=(AUTO, *STATEMENTS, BOTH_KINDS), inputs=("bands",),
    )  # fmt: skip
    augment: str = option(
        "dihedral",
        "vary each image at random while training: turn by right angles and mirror, turn by any angle, or also zoom, "
        "shift, brightness, colour, seeing and noise",
        choices=AUGMENTATIONS,
        inputs=("img", "fits"),
        absent="none",
    )
    epochs: int = option(20, "passes over the training objects", low=1)
    batch_size: int = option(32, "objects per step", low=1)
    loss: str = option(
        "mae", "what training minimises", choices=LOSSES, outputs=REGRESSIONS,
        by_output={"votes": VOTE_LOSSES, SEVERAL: (*LOSSES, *VOTE_LOSSES)},
        defaults={"votes": VOTE_LOSSES[0]}, absent="mse",
    )  # fmt: skip
    head: str = option(
        "auto",
        "what is predicted of a number: its value (point), or its distribution as shares of bins (binned) or a mixture "
        "of logistic distributions; auto: binned, and point for the predecessor's networks and masses in 1e9 Msun",
        choices=("auto", *HEADS), outputs=REGRESSIONS, absent="point",
    )  # fmt: skip
    ensemble: int = option(
        1, "networks that are trained side by side, each from other first weights; their mean is the answer", low=1,
        below=100, multi=False,
    )  # fmt: skip
    bins: int = option(
        0,
        f"bins of equal width of a distribution; 0: {BINS}; {SPECTRUM_BINS} for redshifts from spectra; "
        f"for other redshifts as many as are {REDSHIFT_BIN} wide",
        low=0,
        below=10_000,
        outputs=REGRESSIONS,
    )
    optimizer: str = option("adam", "how the weights are changed", choices=OPTIMIZERS)
    learning_rate: float = option(0.001, "first step size of the optimizer", low=1e-12)
    schedule: str = option(
        "cosine", "step size over the run: constant, cosine to 0, or halved every 10 epochs", choices=SCHEDULES
    )
    weight_decay: float = option(
        0.0, "share of the weights taken off per unit of step size; 0: the optimizer's own", low=0
    )
    patience: int = option(0, "stop after so many epochs without a better validation loss; 0: never", low=0)
    split: str = option(
        HASH,
        "which objects train, validate and test: hash (70/15/15 by their ids), such shares (.8,.1,.1), all (none "
        "tests), or column (split of data.csv, which says train, validation or test; or column:NAME)",
    )
    folds: int = option(0, "cross-validate in so many folds, as nested runs; 0: train once", low=0)
    seed: int = _seed()
    precision: str = option(
        "auto", "arithmetic; auto: bfloat16 where the hardware is faster with it", choices=PRECISIONS
    )
    memory_limit: int = option(0, "megabytes of each GPU to use; 0: grow as needed", low=0)
    target: str = option(
        "log",
        "for masses, learn log10 of the mass in Msun, or the mass in 1e9 Msun; for classes, the column of data.csv to "
        "learn instead, of classes or numbers",
        choices=TARGETS,
        outputs=("smass", *CLASSIFICATIONS),
        by_output=dict.fromkeys((*CLASSIFICATIONS, SEVERAL), ()),
        defaults=dict.fromkeys(CLASSIFICATIONS, ""),
    )
    class_weights: str = option("none", "weigh rare classes more", choices=CLASS_WEIGHTS, outputs=CLASSIFICATIONS)
    label_smoothing: float = option(0.0, "share of the label spread over all classes", low=0, outputs=CLASSIFICATIONS)
    stretch: str = option("asinh", "of the cut-outs' flux, inside the model", choices=STRETCHES, inputs=("fits",))
    column: str = option(
        "BestFit", "best-fit model spectrum or observed flux", choices=SPECTRUM_COLUMNS, inputs=("spectra", "ssel")
    )
    image_scale: float = _image_scale()
    start: str = option(
        "", "trained model whose weights it begins with: shipped, a version such as b2r/3, or an exported folder"
    )
    resume: str = _resume()


@dataclass(frozen=True)
class SweepOptions(DataOptions):
    """What a sweep over training options may be told."""

    search: str = option(
        "grid", "every combination, combinations by chance, or led by the results so far", choices=SEARCHES
    )
    space: str = option(
        SPACE, "training options to explore: a|b|c, or low..high and low..high:log; one value holds it fixed"
    )
    trials: int = option(0, "how many trials of a random or tpe search; 0: the whole grid", low=0)
    prune: str = option("none", "end trials early that are behind on the validation objects", choices=PRUNERS)
    epochs: int = option(10, "passes of each trial over the training objects", low=1)
    refit_epochs: int = option(20, "epochs of the winner's last training", low=1)
    workers: int = option(1, "processes that share the trials; the same command started again joins too", low=1)
    storage: str = option("", "SQLAlchemy address of the trials' data base; empty: sweeps.db beside MLflow's own")
    seed: int = _seed()
    resume: str = _resume()


@dataclass(frozen=True)
class EvaluateOptions(DataOptions):
    """What the judgement of a stored model may be told."""

    model: str = _model()
    part: str = option("test", "objects to judge it on: those of the test split, or all", choices=("test", "all"))
    tta: str = option("no", "average over the eight forms of each image", choices=("no", "yes"), inputs=("img", "fits"))
    image_scale: float = _image_scale()


@dataclass(frozen=True)
class AdaptOptions(DataOptions):
    """What the adaptation of a stored model to another survey may be told."""

    start: str = option(
        "", "trained model to adapt: shipped, a version such as b2r/3, or an exported folder; empty: the champion"
    )
    replay: str = option("", "data set that it learnt from; empty: what its run recorded, if that is on this machine")
    labels: int = option(-1, "use the truth of so many objects of the data set; 0: of none; -1: of all", low=-1)
    epochs: int = option(0, "passes of each fine-tuning over its objects; 0: half of the model's", low=0)
    image_scale: float = _image_scale()
    seed: int = _seed()


@dataclass(frozen=True)
class EmbedOptions(DataOptions):
    """What the maps of a data set may be told."""

    model: str = _model()
    maps: str = option(
        ",".join(METHODS), "how features become two dimensions; umap needs an extra package", choices=METHODS,
        several=True,
    )  # fmt: skip
    image_scale: float = _image_scale()
    seed: int = _seed()


@dataclass(frozen=True)
class CompareOptions:
    """What the comparison of all champions may be told."""

    output: str = option("", "folder to write; empty: comparison in the repository")


Options = TrainingOptions | SweepOptions | EvaluateOptions | AdaptOptions | EmbedOptions | CompareOptions
Kind = TypeVar("Kind", bound=Options)
ENTRY_POINTS: dict[str, type[Options]] = {
    "main": TrainingOptions, "sweep": SweepOptions, "evaluate": EvaluateOptions, "adapt": AdaptOptions,
    "embed": EmbedOptions, "compare": CompareOptions,
}  # fmt: skip


def declared(entry_point: str) -> dict[str, Option]:
    """List all options of an entry point, whatever the model."""
    return {one.name: one.metadata["option"] for one in fields(ENTRY_POINTS[entry_point])}


OPTIONS = {name: found for point in ENTRY_POINTS for name, found in declared(point).items()} | declared("main")
"""Every option by name. One that several entry points have differs in its default and help alone."""


def options_of(entry_point: str, item: str, output: str) -> dict[str, Option]:
    """List the options of an entry point that a model has.

    Parameters
    ----------
    entry_point : str
        One of `ENTRY_POINTS`.
    item, output : str
        Names of the model's input and output; both empty for a model of several.
    """
    return {
        name: found
        for name, found in declared(entry_point).items()
        if (item in found.inputs and output in found.outputs if item else found.multi)
    }


def typed(kind: type[Kind], values: Mapping[str, object]) -> Kind:
    """Make options from those that a model has; values of other names are passed over.

    Examples
    --------
    >>> typed(TrainingOptions, {"epochs": 3, "fold": 1}).augment
    'none'
    """
    known = {one.name: one.metadata["option"] for one in fields(kind)}
    lacking = {name: found.default if found.absent is None else found.absent for name, found in known.items()}
    return kind(**{name: values.get(name, value) for name, value in lacking.items()})


def convert(name: str, value: object, output: str = "", entry_point: str = "main") -> object:
    """Turn an option's text into its type.

    Parameters
    ----------
    name : str
    value : object
    output : str
        Output of the model, which may have choices of its own.
    entry_point : str
        Whose bounds hold, if it has the option.

    Raises
    ------
    OptionError
        Names the option, what was expected and what was found.

    Examples
    --------
    >>> convert("batch_size", "64.0"), convert("outputs", "smass, redshift")
    (64, 'redshift,smass')
    """
    option, text = declared(entry_point).get(name, OPTIONS[name]), str(value).strip()
    if option.several:
        parts = [part.strip() for part in text.split(",")]
        if unknown := [part for part in parts if part not in option.choices]:
            meant = did_you_mean(unknown[0], option.choices)
            raise OptionError(f"{name}: expected some of {', '.join(option.choices)}, found {unknown[0]!r}{meant}")
        # In the order of the schema, so that no order is another model.
        return ",".join(choice for choice in option.choices if choice in parts)
    choices = option.choices_of(output)
    if choices and text not in choices:
        own = name == "backbone" and text in ARCHITECTURES
        meant = f"; architecture={text} chooses it" if own else did_you_mean(text, choices)
        raise OptionError(f"{name}: expected one of {', '.join(choices)}, found {text!r}{meant}")
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
