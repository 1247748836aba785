"""A judged run's scores, pictures, report and card, into its record."""

from __future__ import annotations

import json

from common.judge.card import card_data, card_markdown
from common.judge.figures import score_table
from common.judge.page import html_page
from common.judge.summary import Summary
from common.runs.record import REPORT, Run


def record_summary(record: Run, summary: Summary) -> str:
    """Record a run's scores, pictures, report and model card; return where the report is."""
    for rival, values in summary.scores.items():
        prefix = "test" if rival == summary.model else f"baseline_{rival.replace(' ', '_')}"
        record.metrics({f"{prefix}_{metric}": value for metric, value in values.items()}, 0, part="test")
    record.text(score_table(summary.scores), "scores.txt")
    images = record.pictures(summary.figures)
    card = card_data(summary)
    record.text(html_page(summary, images), REPORT)
    record.text(json.dumps(card, indent=1, allow_nan=False), "card.json")
    record.text(card_markdown(card), "card.md")
    return f"{record.artifacts()}/{REPORT}"
