"""A judged run's scores, pictures, report and card, into its record."""

from __future__ import annotations

import json

from common.judge.card import card_data, card_markdown
from common.judge.judge import ALL, AVAILABLE, ONLY, verdict
from common.judge.page import html_page
from common.judge.summary import Summary
from common.runs.record import Run
from common.runs.store_location import PICTURE, REPORT


def record_summary(record: Run, summary: Summary) -> str:
    """Record a run's scores, pictures, report and model card; return where the report is."""
    record.metrics(numbers(summary), 0, part="test")
    record.text(verdict(summary), "scores.txt")
    images = record.pictures(summary.figures)
    card = card_data(summary)
    record.text(html_page(card, summary.figures, images), REPORT)
    record.text(json.dumps(card, indent=1, allow_nan=False), "card.json")
    record.text(card_markdown(card), "card.md")
    record.file(images["selection"], PICTURE)
    return f"{record.artifacts()}/{REPORT}"


def numbers(summary: Summary) -> dict[str, float]:
    """Name every score as MLflow has it.

    ``test_nmad`` and ``baseline_mean_nmad``; of several outputs ``test_redshift_nmad``; where inputs may be missing
    also ``test_available_…`` and ``test_only_bands_…``, see `judge.ALL`.
    """
    named, known = {}, {summary.model: "test", ALL: "test", AVAILABLE: "test_available"}
    for output, rows in summary.scores.items():
        for row, values in rows.items():
            only = row.startswith(ONLY)
            rest = f"test_only_{row.removeprefix(ONLY)}" if only else f"baseline_{row.replace(' ', '_')}"
            prefix = known.get(row, rest) + (f"_{output}" if len(summary.outputs) > 1 else "")
            named |= {f"{prefix}_{metric}": value for metric, value in values.items()}
    return named
