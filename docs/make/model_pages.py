"""A page for each model, and a table of all: written when the site is built, from the schema and the shipped cards.

What a page says of a model that ships is what its card says; of one that does not, what goes in and comes out, how it
is trained, why none ships, and what it reaches on synthetic galaxies.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from score_pictures import draw, picture_links, shipped_card

from common.models.shipped import FOLDER, INDEX, without_model
from common.outputs.kinds import kind_of
from sdss_gs.schema import INPUTS, OUTPUTS, Input, Output, parse_model_name
from weights.pages import table

DOCS = Path(__file__).resolve().parents[1]
ROOT = DOCS.parent
SHIPPED = json.loads((FOLDER / INDEX).read_text(encoding="utf-8"))
"""Of the package, whatever ZOO_SHIPPED says."""
FUSED = "x2y"
MARK = "<!-- all models: written when the site is built -->"
SCORES = DOCS / "measured" / "scores.md"
INPUT_WORDS = {
    "img": "images", "fits": "cut-outs", "spectra": "spectra", "ssel": "selected spectra", "bands": "magnitudes",
    "wise": "WISE magnitudes",
}  # fmt: skip
OUTPUT_WORDS = {
    "redshift": "redshift", "smass": "stellar mass", "subclass": "sub-class", "gz2c": "Galaxy Zoo 2 class",
    "class3": "star, galaxy or quasar", "morph10": "ten morphologies", "votes": "votes of Galaxy Zoo 2",
}  # fmt: skip
EXAMPLES = {
    "img": "images/", "fits": "cutouts/", "spectra": "spectra/", "ssel": "DS", "bands": "mine.csv", "wise": "mine.csv",
}  # fmt: skip
"""What a user may have of an input, as other pages call it."""
MANY = 12
"""Columns that are listed one by one."""


def names() -> list[str]:
    """List the model folders."""
    return sorted(path.parent.name for path in ROOT.glob("*/MLproject"))


def write(folder: Path) -> None:
    """Write a page for each model, draw the scores of those that ship; remove pages of models that are gone."""
    pages = {f"{name}.md": (fused() if name == FUSED else page(name)) for name in names()}
    pictures = {picture for name in SHIPPED for picture in draw(name, folder)}
    for old in (path for path in folder.glob("*2*") if path.name not in {*pages, *pictures}):
        old.unlink()
    for name, text in pages.items():
        # What is as it was keeps its date: it is not built again.
        if not ((folder / name).is_file() and (folder / name).read_text() == text):
            (folder / name).write_text(text)


def all_models() -> str:
    """Lay all models out as a Markdown table."""
    reasons = dict(without_model(names()))
    lines = ["| model | takes | says | ships |", "| --- | --- | --- | --- |"]
    for name in sorted(names(), key=lambda name: (name not in SHIPPED, name)):
        takes, says = ("any of the six inputs", "any of the outputs") if name == FUSED else _words(name)
        lines.append(f"| [{name}]({name}.md) | {takes} | {says} | {_ships(name, reasons[name])} |")
    return "\n".join(lines)


def page(name: str) -> str:
    """Describe a model of one input and one output."""
    item, output = parse_model_name(name)
    takes, says = _words(name)
    parts = [f"# {name}: {says} from {takes}"]
    if name not in SHIPPED:
        parts += [
            _not_shipped(name),
            _goes_in(item, item.description, item.columns),
            _comes_out(output),
            _trained(name),
            _synthetic(name),
        ]
        return "\n\n".join(part for part in parts if part) + "\n"
    card = shipped_card(name)
    sections = _sections((FOLDER / f"{name}.card.md").read_text(encoding="utf-8"))
    header, rule, *rows = table(FOLDER, "short").splitlines()
    parts += [
        f"It ships with the zoo and predicts right after installation; `{name}@shipped` always names it.",
        "\n".join([header, rule, *(row for row in rows if row.startswith(f"| `{name}`"))]),
        picture_links(name, card),
        _goes_in(item, **{key: card["inputs"][0].get(key) for key in ("description", "columns")}),
        _comes_out(output),
        _used(name, item),
        f"## When not to use it\n\n{sections.pop('Limits')}",
        f"## What it learnt from\n\n{_with_picture(name, sections.pop('What it learnt from'))}",
    ]
    # What goes in and out stands above.
    sections.pop("Inputs and outputs")
    parts += [f"## {title}\n\n{text}" for title, text in sections.items()]
    return "\n\n".join(parts) + "\n"


def fused() -> str:
    """Describe the model of several inputs and outputs."""
    takes = ", ".join(f"`{name}`" for name in INPUTS)
    says = ", ".join(f"`{name}`" for name in OUTPUTS)
    return (
        "\n\n".join(
            [
                f"# {FUSED}: any outputs from any inputs",
                _not_shipped(FUSED),
                f"## What goes in\n\nAny of {takes}, of which an object may lack some.",
                f"## What comes out\n\nAny of {says}, each with its intervals or class sets and a flag of its own.",
                "## Train it\n\n[Several inputs, several outputs](../howto/several_inputs.md) says how.",
                "## On synthetic galaxies\n\n[Measured](../measured/x2y.md) beside the models of one input.",
            ]
        )
        + "\n"
    )


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:]


def _words(name: str) -> tuple[str, str]:
    item, output = parse_model_name(name)
    return INPUT_WORDS[item.name], OUTPUT_WORDS[output.name]


def _ships(name: str, reason: str) -> str:
    if name in SHIPPED:
        metric, value = SHIPPED[name]["score"].split()
        return f"{kind_of(parse_model_name(name)[1]).metrics[metric].label} {value}"
    return "train it" if reason.startswith("mlflow") else f"no: {reason}"


def _not_shipped(name: str) -> str:
    ((_, reason),) = without_model([name])
    why = "it needs your data" if reason.startswith("mlflow") else reason
    return f"No model of it ships: {why}. The folder [`{name}`](../../{name}/train.py) trains one."


def _goes_in(item: Input, description: str, columns: tuple[str, ...]) -> str:
    where = (
        "columns of a catalogue" if item.columns else f"a file for each object, as `{item.name}/<objid>{item.suffix}`"
    )
    lines = [
        "## What goes in",
        f"{_sentence(description)}, from {item.source}: {where}. "
        "[Which files are read](../reference/formats.md), and [what is refused](../reference/data.md#inputs).",
        f"| input | code | shape of one object | unit |\n|---|---|---|---|\n"
        f"| `{item.name}` | `{item.code}` | {'×'.join(map(str, item.shape))} | {item.unit or '–'} |",
    ]
    if columns:
        lines.append(
            f"Columns: {', '.join(f'`{column}`' for column in columns)}; of other names and units: "
            "[my own magnitudes](../howto/redshifts.md#names-and-units-of-columns)."
        )
    return "\n\n".join(lines)


def _comes_out(output: Output) -> str:
    described = kind_of(output).described()
    shown = list(described.items())[:MANY]
    lines = ["| column | unit | what |", "|---|---|---|"]
    lines += [f"| `{name}` | {column.unit or '–'} | {column.description} |" for name, column in shown]
    if len(described) > MANY:
        lines.append(f"| … |  | {len(described) - MANY} more |")
    classes = f"\n\nClasses: {', '.join(output.classes)}." if output.classes else ""
    return (
        f"## What comes out\n\n{_sentence(output.description)}, as in {output.source} (column `{output.column}`). "
        f"Beside it [`flag`](../understanding/flags.md), and [how sure it is](../understanding/intervals.md):\n\n"
        + "\n".join(lines)
        + classes
    )


def _used(name: str, item: Input) -> str:
    return (
        f"## Use it\n\n```console\n$ zoo predict {name}@shipped --input {EXAMPLES[item.name]} --output out.csv\n"
        f"$ zoo info {name}@shipped\n```"
    )


def _trained(name: str) -> str:
    counts, networks = parameters(), "[networks](../understanding/networks.md)"
    said = f" Of its two {networks}, `reference` has {counts[name]} parameters." if name in counts else ""
    return (
        f"## Train it\n\n```console\n$ mlflow run {name} -P ds=DS --no-conda\n$ zoo report {name}\n```\n\n"
        f"[Train on my survey](../howto/train.md) says what `DS` is; [all options](../reference/options.md).{said}"
    )


def _synthetic(name: str) -> str:
    text, header = SCORES.read_text(encoding="utf-8"), ""
    for line in text.splitlines():
        header = line if line.startswith("| model |") else header
        if line.startswith(f"| {name} |"):
            rule = "|".join(["", *["---"] * (header.count("|") - 1), ""])
            return (
                "## On synthetic galaxies\n\nWhat can be learnt from this input, and nothing about the sky "
                f"([all models](../measured/scores.md)):\n\n{header}\n{rule}\n{line}"
            )
    return ""


def parameters() -> dict[str, str]:
    """Read how many parameters the reference networks have, from the pages that say it."""
    found = {}
    for path in (ROOT / "README.md", DOCS / "understanding" / "networks.md"):
        for line in path.read_text(encoding="utf-8").splitlines():
            folders = re.findall(r"\[`(\w+)`\]\([^)]*train\.py\)", line)
            beside = re.findall(r"\[`(\w+)`\]\([^)]*train\.py\) ([\d,]+)", line)
            last = line.rstrip(" |").rpartition("|")[2].split("·")
            if beside:
                found |= dict(beside)
            elif folders and len(last) == len(folders) and all(re.fullmatch(r" *[\d,]+ *", count) for count in last):
                found |= {name: count.strip() for name, count in zip(folders, last, strict=True)}
    return found


def _sections(card: str) -> dict[str, str]:
    """Take a card apart at its headings of second level."""
    parts = re.split(r"^## (.+)$", card, flags=re.MULTILINE)
    return {title: text.strip() for title, text in zip(parts[1::2], parts[2::2], strict=True)}


def _with_picture(name: str, text: str) -> str:
    return text.replace(f"({name}.card.png)", f"(../../common/shipped/{name}.card.png)")
