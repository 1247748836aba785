"""A trained model and how it did on the test objects, for Python: a table, pictures, the report."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from common.judge.card import card_data
from common.judge.page import html_page
from common.judge.summary import Summary
from common.models.model import Model
from common.runs.record import DOTS_PER_INCH
from sdss_gs.errors import OptionError
from sdss_gs.files import replacing

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Judged:
    """What `common.train.train_and_judge` returns.

    Parameters
    ----------
    model : Model
        Trained; predicts as any other.
    summary : Summary
        All that its report says of it.
    """

    model: Model
    summary: Summary

    @property
    def figures(self) -> dict[str, Figure]:
        """Pictures of the test objects by name: ``confusion``, ``predicted_vs_true``, ``loss``, ``worst_cases`` …"""
        return self.summary.figures

    def scores(self, output: str = "") -> pd.DataFrame:
        """Lay the scores on the test objects out as a table.

        Parameters
        ----------
        output : str
            Of a model of several outputs, which; by default the first.

        Returns
        -------
        DataFrame
            A row for the model and each baseline; of each metric the score, and the ends of its 95 % bootstrap
            interval as ``<metric>_low`` and ``<metric>_high``.

        Raises
        ------
        OptionError
            If the model has no such output.
        """
        # Not with the others: who trains need not wait for it.
        import pandas as pd

        names = [one.name for one in self.summary.outputs]
        output = output or names[0]
        if output not in names:
            raise OptionError(f"output: expected one of {', '.join(names)}, found {output!r}")
        bounds = self.summary.intervals.get(output, {})
        rows = {
            row: {
                column: value
                for metric, score in metrics.items()
                for column, value in zip(
                    (metric, f"{metric}_low", f"{metric}_high"),
                    (score, *bounds.get(row, {}).get(metric, (float("nan"), float("nan")))),
                    strict=True,
                )
            }
            for row, metrics in self.summary.scores[output].items()
        }
        return pd.DataFrame.from_dict(rows, orient="index")

    def write_report(self, path: str | Path) -> Path:
        """Write the report as one HTML page, which needs nothing beside it; return its path."""
        images = {name: _png(figure) for name, figure in self.figures.items()}
        page = html_page(card_data(self.summary), self.figures, images)
        with replacing(Path(path)) as temporary:
            temporary.write_text(page, encoding="utf-8")
        return Path(path)


def _png(figure: Figure) -> bytes:
    written = BytesIO()
    figure.savefig(written, dpi=DOTS_PER_INCH, format="png")
    return written.getvalue()
