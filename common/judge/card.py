"""The model card: what a model is, how well it does and where it fails, as data and, made from that, as Markdown."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING

from common.data.photometry import TOLD_APART
from common.judge.summary import Summary
from common.outputs.kinds import kind_of
from common.outputs.kinds.kind import Metric
from sdss_gs import __version__
from sdss_gs.origin import TEMPLATES
from sdss_gs.schema import DEREDDENED, SPECTRAL_CLASSES, Input, Output

if TYPE_CHECKING:
    import jinja2

CARD_VERSION = 3
LICENCE = "MIT"
GALAXIES = "galaxies"
"""Among the scores of a model whose inputs may be missing: how many objects a row was judged on."""

BOOSTING = "gradient boosting"
PUBLISHED = "published value"
"""Row of what a column of the data set says that others published."""
BASELINES = {
    "mean": "the mean of the training objects for every object",
    "median": "the median of the training objects for every object",
    "majority": "the class shares of the training objects for every object",
    BOOSTING: "decision trees on the same objects' magnitudes and colours, SDSS and WISE",
    "boosting on the same input": "the same on the magnitudes and colours that the model sees",
    "before fine-tuning": "the model that the training, or the adaptation, began with",
    "linear on central pixel": "a linear model on the image's central pixel",
    "linear on mean colour": "a linear model on the image's mean pixel",
    "linear on image features": "a linear model on mean, central and peak brightness, colours and concentration",
}
_EXTRAPOLATION = (
    "The training galaxies have the redshifts and magnitudes of those that SDSS chose for spectroscopy: "
    "the model does not extrapolate beyond them."
)
_SYNTHETIC = "Trained on synthetic galaxies: the scores say nothing about real ones."
_TEMPLATES = (
    "Learnt from spectra made of the templates {templates}, never from a real one: "
    "the scores are those on others made alike."
)
_COVERED = "Learnt {classes}: of others it knows nothing."
_NOISY = (
    "Of the best fits that it learnt from, {share:.0%} were as noisy as observed flux: it reads both, "
    "the flux in place of the best fit."
)
_WITHOUT = "No {missing} was among them: of one it says what it would say of a {classes}, unless it is flagged."
_UNLEARNT = "No training object was {classes}: it never answers so."
_LEAK = (
    "The best-fit spectrum was made by the redshift pipeline at the redshift it found: it encodes the answer. "
    "Train with column=Flux to see what the observed flux gives."
)
_ELSEWHERE = "zoo predict, zoo serve and Python convert others by E(B-V) or flag them"
_PHOTOMETRY = {
    DEREDDENED: f"Looks at dereddened magnitudes: {_ELSEWHERE}; other programs have to be given dereddened ones.",
    TOLD_APART: f"Is told whether magnitudes are dereddened: {_ELSEWHERE}; in other programs 1 in the column "
    "dereddened says that they are.",
}
"""By kind of the magnitudes it learnt from."""
_LIMITS = {
    "img": "Learnt from SkyServer's colours and pixel scale: other surveys, stretches or scales were not tried.",
    "fits": "Cut-outs keep their frame's orientation; galaxies at a frame's edge have none and are left out.",
    "ssel": "The windows lie in the observed frame: at another redshift they show other lines.",
    "bands": "Magnitudes are not corrected for Galactic extinction: foreground dust passes for a galaxy's colour.",
    "wise": "A WISE non-detection is a 95 % upper limit, which the network takes for a measurement.",
    "smass": "Masses follow the catalogue's definition (eBOSS Firefly; initial mass function and library unrecorded).",
    "subclass": "Sub-classes come from line ratios: near their boundaries noise decides the label, "
    "compound ones count as BROADLINE, and galaxies without one were left out.",
    "votes": "Votes are opinions of volunteers about pictures: they depend on seeing, size and distance, and are not "
    "corrected for that unless the table was.",
    "class3": "Stars, galaxies and quasars chosen for spectroscopy: other mixtures have other error rates.",
    "morph10": "Ten classes of an atlas made from volunteers' votes on deeper images of another survey.",
    "gz2c": "A class is the plurality of debiased volunteer votes: neighbouring classes "
    "(roundness, bulge size, weak bars) are often as likely, and rare ones have few examples.",
}
_LIMITS_OF_TEMPLATES = {
    "subclass": "Sub-classes are by the equivalent width of Hα with [N II] of the spectrum: STARBURST above 50 Å, as "
    "SDSS has it, STARFORMING above 8 Å. Galaxies with less, which SDSS calls neither, were left out: "
    "it calls one of them STARFORMING all the same.",
    "class3": "As many stars, galaxies and quasars were made: other mixtures have other error rates.",
}

GALAXY_SUBSET = "SDSS Galaxy Subset (nunorc), https://doi.org/10.5281/zenodo.6393487"
_CITATIONS = {
    "data": GALAXY_SUBSET,
    "templates": "Eigenspectra: Bolton et al. 2012, AJ 144, 144, https://doi.org/10.1088/0004-6256/144/5/144",
    "ssel": "Windows: Sánchez Almeida et al. 2010, ApJ 714, 487, https://arxiv.org/abs/1003.3186",
    "wise": "WISE: Wright et al. 2010, AJ 140, 1868, https://doi.org/10.1088/0004-6256/140/6/1868",
    "votes": "Galaxy Zoo 2: Willett et al. 2013, MNRAS 435, 2835, https://doi.org/10.1093/mnras/stt1458",
    "morph10": "Galaxy10 DECaLS: Walmsley et al. 2022, MNRAS 509, 3966; Leung & Bovy 2019, MNRAS 483, 3255",
    "gz2c": "Galaxy Zoo 2: Willett et al. 2013, MNRAS 435, 2835, https://doi.org/10.1093/mnras/stt1458",
}


def card_data(summary: Summary) -> dict:
    """Gather a model's card, as strings, numbers, lists and dictionaries, so that JSON gives back the same.

    None stands for what is not finite. All that belongs to an output, its scores too, stands in ``outputs``.
    """
    card = {
        "schema_version": CARD_VERSION,
        "model": summary.model,
        "run_id": summary.run_id,
        "created": summary.created,
        "inputs": [
            fields_of(item) | {"shape": summary.shapes[item.name], "dtype": item.dtype, "columns": item.columns}
            for item in summary.inputs
        ],
        "outputs": [_output(summary, output) for output in summary.outputs],
        "network": {"parameters": summary.parameters, "architecture": summary.architecture, "light": summary.light},
        "options": summary.options,
        "novelty": summary.novelty,
        "adapted": summary.adapted,
        "data": summary.data,
        "selection": summary.selection,
        "warnings": summary.warnings,
        "limits": _limits(summary),
        "licence": LICENCE,
        "citation": _citation(summary),
        "versions": summary.versions,
    }
    return plain(card)


def _output(summary: Summary, output: Output) -> dict:
    """Gather what a card says of one output."""
    scores, kind = summary.scores[output.name], kind_of(output)
    metrics = dict.fromkeys(metric for values in scores.values() for metric in values if metric != GALAXIES)
    return fields_of(output) | {
        "shape": [output.size],
        "dtype": "float32",
        "column": output.column,
        "classes": output.classes,
        "answers": output.answers,
        "task": kind.task,
        "metrics": {name: asdict(kind.metrics.get(name, Metric(name.replace("_", " "), "", ""))) for name in metrics},
        "width_unit": kind.width_unit,
        "distribution": bool(output.grid),
        "baselines": {row: BASELINES[row] for row in scores if row in BASELINES},
        "scores": scores,
        "intervals": summary.intervals.get(output.name, {}),
        "bins": summary.bins.get(output.name, {}),
        "published": summary.published.get(output.name, {}),
        "coverage": summary.coverage.get(output.name, {}),
        "coverage_bins": summary.coverage_bins.get(output.name, {}),
        "flags": summary.flags.get(output.name, {}),
    }


def card_of_today(card: dict) -> dict:
    """Return a card, read from JSON, as `card_data` gathers it.

    Zoo 0.1 had one layout for each kind of model; version 2 had bins of the truth only, of the model's own scores.
    """
    if card["schema_version"] >= CARD_VERSION:
        return card
    card = _of_version_2(card)
    return card | {"outputs": [output | {"bins": _bins_of_today(output)} for output in card["outputs"]]}


def _bins_of_today(output: dict) -> dict[str, list[dict]]:
    own, places = own_row(output), ("low", "high", "count")
    lines = [
        {key: line[key] for key in places}
        | {"scores": {own: {key: value for key, value in line.items() if key not in places}}, "intervals": {own: {}}}
        for line in output["bins"]
    ]
    return {f"true {output['name']}": lines} if lines else {}


def _of_version_2(card: dict) -> dict:
    if "output" in card:
        own = {key: card[key] for key in ("task", "metrics", "baselines", "scores", "intervals", "bins")}
        own["coverage"] = {card["model"]: card["coverage"]} if card["coverage"] else {}
        return card | {"inputs": [card["input"]], "outputs": [card["output"] | own]}
    if card["schema_version"] > 1:
        return card
    outputs = [
        output
        | {"metrics": card["metrics"], "baselines": {}, "intervals": {}, "bins": []}
        | {"scores": card["scores"][output["name"]], "coverage": card["coverage"].get(output["name"], {})}
        for output in card["outputs"]
    ]
    return card | {"outputs": outputs}


def own_row(output: dict) -> str:
    """Name the row of an output's scores that is the model's own, with all that it may see."""
    return next(iter(output["scores"]))


def card_markdown(data: dict) -> str:
    """Write a card, as `card_data` returns it or read back from JSON, as Markdown."""
    return template("card.md").render(card=data)


def score_text(value: float | None, interval: tuple[float, float] | None = None) -> tuple[str, str]:
    """Write a score and its interval (empty without one): two digits of the interval's width, else three of its own."""
    if value is None:
        return "–", ""
    bounded = bool(interval) and None not in interval
    width = interval[1] - interval[0] if bounded else 0
    digits, size = (2, width) if width > 0 else (3, abs(value))
    decimals = max(0, digits - 1 - math.floor(math.log10(size))) if size > 0 else 0
    form = f".{decimals}f" if decimals <= 7 else f".{digits}g"
    # Adding 0.0 turns the negative zero that rounding may leave into zero.
    text, *bounds = (f"{round(number, decimals) + 0.0:{form}}" for number in (value, *(interval if bounded else ())))
    return text, (" to " if bounds and bounds[0].startswith("-") else "–").join(bounds)


def range_text(line: dict) -> str:
    """Say what a bin of a card holds: from where to where, either end open where it is None."""
    low, high = line["low"], line["high"]
    if low is None or high is None:
        return "all" if low is high else f"below {high:.4g}" if low is None else f"from {low:.4g}"
    return f"{low:.3g}–{high:.3g}"


def bin_columns(output: dict, lines: list[dict]) -> list[str]:
    """List the scores that any bin has, in the order of the output's."""
    return [name for name in output["metrics"] if any(name in row for line in lines for row in line["scores"].values())]


def best_rows(output: dict, metric: str) -> set[str]:
    """Return the rows of a card's output with the best value of a metric, of those judged on all objects.

    None where it is unknown which direction is better.
    """
    read, scores = Metric(**output["metrics"][metric]), output["scores"]
    most = max(values.get(GALAXIES, 0) for values in scores.values())
    judged = {row: values.get(metric) for row, values in scores.items() if values.get(GALAXIES, 0) == most}
    costs = {row: read.cost(value) for row, value in judged.items() if read.better and value is not None}
    return {row for row, cost in costs.items() if cost == min(costs.values())}


@functools.cache
def template(name: str) -> jinja2.Template:
    """Load the template of the report or the card, once: to compile it takes longer than to fill it in."""
    # Here, and not above: a card that is there is read without it.
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("common.judge"),
        autoescape=jinja2.select_autoescape(["html"]),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["markdown"] = _markdown
    shown = (score_text, best_rows, own_row, range_text, bin_columns)
    environment.globals.update({function.__name__: function for function in shown})
    return environment.get_template(name)


def fields_of(item: Input | Output) -> dict[str, str]:
    """Return what a card says of an input or output alike."""
    return {name: getattr(item, name) for name in ("name", "unit", "description", "source")}


def _limits(summary: Summary) -> list[str]:
    """Say where a model with such inputs and outputs, trained on such data, cannot be trusted."""
    names = [entry.name for entry in (*summary.inputs, *summary.outputs)]
    made, of_templates = summary.data["made"], summary.data["made"].get("origin") == TEMPLATES
    leaks = summary.options.get("column", "BestFit") == "BestFit" and "redshift" in names
    photometry = summary.data.get("photometry", {})
    limits = _LIMITS | (_LIMITS_OF_TEMPLATES if of_templates else {})
    return [
        *(_of_templates(made) if of_templates else [_SYNTHETIC] if made else []),
        *([_LEAK] if leaks and {"spectra", "ssel"} & set(names) else []),
        *([] if of_templates else [_EXTRAPOLATION]),
        *(_UNLEARNT.format(classes=" or ".join(some)) for some in summary.data["unlearnt"].values() if some),
        *(_PHOTOMETRY[kind] for kind in photometry.values() if kind in _PHOTOMETRY),
        *(limits[name] for name in names if name in limits and photometry.get(name) not in _PHOTOMETRY),
    ]


def _of_templates(made: Mapping) -> list[str]:
    """Say what a model that learnt from spectra made of templates knows, from how these were made."""
    classes = made["redshifts"]
    covered = (f"{name} at z = {low:.3g} to {high:.3g}" for name, (low, high) in classes.items())
    missing = [name for name in SPECTRAL_CLASSES if name not in classes]
    return [
        _TEMPLATES.format(templates=", ".join(made["templates"])),
        _COVERED.format(classes=", ".join(covered)),
        *([_WITHOUT.format(missing=" or ".join(missing), classes=" or ".join(classes))] if missing else []),
        *([_NOISY.format(share=made["noisy"])] if made["noisy"] else []),
    ]


def _citation(summary: Summary) -> list[str]:
    """Say what to cite for a model with such inputs and outputs, trained on such data."""
    software = f"SDSS zoo: models that characterise galaxies, version {__version__} (CITATION.cff)"
    origin = str(summary.data["made"].get("origin", "data"))
    names = (origin, *(entry.name for entry in (*summary.inputs, *summary.outputs)))
    return [software, *(_CITATIONS[name] for name in names if name in _CITATIONS)]


def plain(value: object) -> object:
    """Turn arrays, tuples and paths into what JSON has, and what is not finite into None."""
    value = value.tolist() if hasattr(value, "tolist") else value
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, str | int) else str(value)


def _markdown(value: object) -> str:
    """Keep text of others from being read as markup, in a table cell too."""
    return re.sub(r"([\\`*<>|\[\]])", r"\\\1", " ".join(str(value).split()))
