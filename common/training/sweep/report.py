"""What a sweep has found: its tables and its picture."""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from optuna.distributions import CategoricalDistribution
from optuna.trial import FrozenTrial, TrialState

from common.judge.figures import ACCENT
from common.outputs.metrics import headline
from common.project import ModelFolder
from common.training.sweep.space import Space, swept
from common.training.sweep.study import FAILURE, NUMBER

OLDER = {"redshift": ["mse"], "mass": ["mae_1e9msun"], "classes": ["accuracy"], "number": ["r2"], "votes": []}
"""What the predecessor's tables show besides, by kind of output."""
SEVERAL = "validation_cost"
"""What a model with several outputs is chosen by."""
SCORES, EPOCH, SECONDS, RUN = "scores", "best_epoch", "seconds", "run"
"""Attributes of a trial that is done: validation scores, epoch kept, seconds, MLflow run."""


def shown_metrics(project: ModelFolder) -> list[str]:
    """Name the validation scores of the tables; trials are ranked by the first."""
    output = getattr(project, "output", None)
    return [headline(output), *OLDER[output.kind]] if output else [SEVERAL]


def ranked(trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """Sort trials from best to worst: those with a score, then the pruned, then the failed."""
    order = {TrialState.COMPLETE: 0, TrialState.PRUNED: 1, TrialState.FAIL: 2}
    return sorted(trials, key=lambda trial: (order[trial.state], trial.value if order[trial.state] == 0 else 0))


def rows(trials: Sequence[FrozenTrial], space: Space, metrics: Sequence[str]) -> list[list[str]]:
    """Lay the trials out: a header, then a line per trial, the best first."""
    names = swept(space)
    lines = [["trial", *names, *(f"validation {metric}" for metric in metrics), "epoch kept", "seconds", "end", "run"]]
    lines[0] = [cell.replace(f"validation {SEVERAL}", SEVERAL) for cell in lines[0]]
    for trial in ranked(trials):
        facts = trial.user_attrs
        scores = [_number(facts.get(SCORES, {}).get(metric)) for metric in metrics]
        lines.append(
            [
                str(facts[NUMBER]), *(_value(trial.params[name]) if name in trial.params else "" for name in names),
                *scores, str(facts.get(EPOCH, "")), _number(facts.get(SECONDS), 3), end_of(trial), facts.get(RUN, ""),
            ]
        )  # fmt: skip
    return lines


def end_of(trial: FrozenTrial) -> str:
    """Say how a trial ended."""
    if trial.state == TrialState.PRUNED:
        return f"pruned after epoch {trial.last_step}"
    return f"failed: {trial.user_attrs[FAILURE]}" if trial.state == TrialState.FAIL else "finished"


def csv_text(lines: list[list[str]]) -> str:
    """Write lines as CSV."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(lines)
    return text.getvalue()


def markdown_table(lines: list[list[str]]) -> str:
    """Write lines as a table in Markdown."""
    header, *others = lines
    return "\n".join(
        f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in [header, ["---"] * len(header), *others]
    )


def crossed(trials: Sequence[FrozenTrial], space: Space, metric: str) -> list[list[str]]:
    """Lay a grid out as the predecessor's tables: first option down, combinations of the others across.

    Empty where there is no such table: one option only, or options that are ranges.
    """
    names = swept(space)
    if len(names) < 2 or not all(isinstance(space[name], CategoricalDistribution) for name in names):
        return []
    first, *others = names
    columns = list(itertools.product(*(space[name].choices for name in others)))
    found = {tuple(trial.params[name] for name in names): trial for trial in trials if set(names) <= set(trial.params)}

    def cell(row: object, column: tuple) -> str:
        trial = found.get((row, *column))
        return _number(trial.user_attrs.get(SCORES, {}).get(metric)) if trial else ""

    header = [f"{first} ({metric})", *(" / ".join(map(_value, column)) for column in columns)]
    return [header, *([_value(row), *(cell(row, column) for column in columns)] for row in space[first].choices)]


def markdown(model: str, trials: Sequence[FrozenTrial], space: Space, metrics: Sequence[str]) -> str:
    """Write all tables of a sweep."""
    fixed = ", ".join(f"{name}={_value(space[name].choices[0])}" for name in space if name not in swept(space))
    parts = [f"# {model}: exploration", "Scores on the validation objects; the test objects were not looked at."]
    parts += [f"Held fixed: {fixed}."] * bool(fixed)
    parts += [markdown_table(table) for metric in metrics if (table := crossed(trials, space, metric))]
    return "\n\n".join([*parts, markdown_table(rows(trials, space, metrics))]) + "\n"


def _value(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _number(value: float | None, digits: int = 4) -> str:
    return "" if value is None else f"{value:.{digits}g}"


# === Picture ===


def parallel_coordinates(trials: Sequence[FrozenTrial], space: Space, metric: str) -> Figure:
    """Draw each finished trial as a line through its options to its score; the best is marked.

    Optuna's own picture lays all trials with the same value on one point and is coloured for numbers only; here a value
    of a list is a short stretch of its axis along which the trials lie by rank, so that each line can be followed.
    """
    finished = [trial for trial in ranked(trials) if trial.state == TrialState.COMPLETE]
    names = swept(space)
    figure = Figure(figsize=(2.1 * (len(names) + 1) + 1.5, 4.6), layout="constrained")
    axes = figure.subplots()
    scores = np.array([trial.user_attrs[SCORES][metric] for trial in finished])
    low, high = scores.min(), scores.max()
    columns = [_positions(finished, name, space) for name in names]
    columns.append((scores - low) / (high - low) if high > low else np.full(len(scores), 0.5))
    heights, norm = np.stack(columns, axis=1), Normalize(0, max(1, len(finished) - 1))
    for rank in range(len(finished))[::-1]:
        best = rank == 0
        colour = ACCENT if best else colormaps["Blues_r"](0.15 + 0.6 * norm(rank))
        label = f"best: trial {finished[0].user_attrs[NUMBER]}" if best else None
        axes.plot(heights[rank], color=colour, linewidth=2.6 if best else 1.2, label=label, marker="o", markersize=3)
    for column, name in enumerate(names):
        axes.axvline(column, color="0.75", linewidth=0.8, zorder=0)
        for height, text in _ticks(name, space):
            axes.annotate(
                text, (column, height), (-6, 0), textcoords="offset points", ha="right", va="center", fontsize=8,
                bbox={"boxstyle": "square,pad=0.15", "facecolor": "white", "edgecolor": "none", "alpha": 0.8},
            )  # fmt: skip
    last = len(names)
    axes.axvline(last, color="0.75", linewidth=0.8, zorder=0)
    for score in dict.fromkeys((low, high)):
        height = (score - low) / (high - low) if high > low else 0.5
        axes.annotate(f"{score:.4g}", (last, height), (6, 0), textcoords="offset points", va="center", fontsize=8)
    axes.set_xticks(range(last + 1), [*names, f"validation\n{metric}" if metric != SEVERAL else "validation\ncost"])
    axes.set(xlim=(-0.55, last + 0.4), ylim=(-0.06, 1.06), yticks=[], title=f"{len(finished)} trials")
    for side in ("left", "right", "top"):
        axes.spines[side].set_visible(False)
    axes.legend(fontsize=8, loc="lower right", bbox_to_anchor=(1, 1), frameon=False)
    return figure


def _positions(trials: Sequence[FrozenTrial], name: str, space: Space) -> np.ndarray:
    """Place the trials on an option's axis, 0 to 1."""
    distribution, values = space[name], [trial.params[name] for trial in trials]
    if isinstance(distribution, CategoricalDistribution):
        count = len(distribution.choices)
        middle = np.array([distribution.choices.index(value) + 0.5 for value in values]) / count
        spread = np.linspace(0.5, -0.5, len(trials)) if len(trials) > 1 else np.zeros(1)
        return middle + 0.5 * spread / count
    low, high, values = distribution.low, distribution.high, np.array(values, float)
    if distribution.log:
        low, high, values = np.log(low), np.log(high), np.log(values)
    return (values - low) / (high - low)


def _ticks(name: str, space: Space) -> list[tuple[float, str]]:
    distribution = space[name]
    if isinstance(distribution, CategoricalDistribution):
        count = len(distribution.choices)
        return [((number + 0.5) / count, _value(value)) for number, value in enumerate(distribution.choices)]
    middle = (distribution.low * distribution.high) ** 0.5 if distribution.log else None
    middle = (distribution.low + distribution.high) / 2 if middle is None else middle
    return [(0, _value(distribution.low)), (0.5, f"{middle:.2g}"), (1, _value(distribution.high))]
