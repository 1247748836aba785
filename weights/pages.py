"""Tables of the shipped models in README and docs, from their cards: ``python -m weights.pages``."""

from __future__ import annotations

import json
from pathlib import Path

from common.judge.card import BOOSTING, PUBLISHED, card_of_today, own_row, score_text
from common.judge.compare import insert
from common.models.shipped import FOLDER, INDEX
from common.outputs.calibration import ONE_LEVEL
from common.outputs.kinds import kind_of
from common.runs.store_location import REPOSITORY
from sdss_gs.origin import TEMPLATES
from sdss_gs.schema import OUTPUTS

BEGIN, END = "<!-- shipped models: written by make weights -->", "<!-- end of shipped models -->"
PAGES = {"README.md": "short", "docs/models/index.md": "long"}


def main() -> None:
    """Write the tables between the marks of the pages."""
    for page, form in PAGES.items():
        insert(REPOSITORY / page, table(FOLDER, form), BEGIN, END)


def table(folder: Path, form: str) -> str:
    """Lay the scores of shipped models out as Markdown.

    Parameters
    ----------
    folder : Path
        Of shipped models.
    form : str
        ``short``, or ``long`` with what a model learnt from, its seed, and how often its 90 % intervals or sets hold.

    Returns
    -------
    str
        A line per model, of its headline score on all test objects; and one on those that others published a value of.
    """
    listed = json.loads((folder / INDEX).read_text(encoding="utf-8"))
    header, lines = ["model", "test objects", "score", "this model", "gradient boosting", "others"], []
    long = form == "long"
    for name, about in listed.items():
        card = card_of_today(json.loads((folder / f"{name}.card.json").read_text(encoding="utf-8")))
        (output,) = card["outputs"]
        row, (held,) = own_row(output), output["coverage"].values()
        held_90 = next(f"{level['coverage']:.1%}" for level in held if level["level"] == ONE_LEVEL)
        more = [about["learnt_from"], card["options"]["seed"], held_90]
        made = " made of templates" if card["data"].get("made", {}).get("origin") == TEMPLATES else ""
        whole = {"count": card["data"]["objects"]["test"], "scores": output["scores"], "intervals": output["intervals"]}
        count, *cells = _cells(output, whole, row)
        lines.append([f"`{name}`", f"{count}{made}", *cells, *(more if long else [])])
        for everything in output.get("published", {}).get("", []):
            who = output.get("published_by", PUBLISHED)
            cells = _cells(output, everything, row)
            lines.append([f"`{name}` beside {who}", *cells, *([""] * len(more) if long else [])])
    header += ["learnt from", "seed", "90 % hold"] if long else []
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in [header, ["---"] * len(header), *lines]) + "\n"


def _cells(output: dict, line: dict, own: str) -> list[str]:
    metric = kind_of(OUTPUTS[output["name"]]).headline
    scores, bounds = line["scores"], line["intervals"]
    texts = [
        score_text(scores.get(row, {}).get(metric), bounds.get(row, {}).get(metric))
        for row in (own, BOOSTING, PUBLISHED)
    ]
    written = [f"{text} ({interval})" if interval else text for text, interval in texts]
    return [f"{line['count']:,}", output["metrics"][metric]["label"], *written]


if __name__ == "__main__":
    main()
