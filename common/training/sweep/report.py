"""What a sweep has found: its tables, its picture, and words for them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure
from optuna.distributions import CategoricalDistribution
from optuna.trial import FrozenTrial, TrialState

from common.outputs.figures import ACCENT
from common.outputs.kinds import kind_of
from common.training.sweep.space import Space, swept
from common.training.sweep.storage import FAILURE, NUMBER
from sdss_gs.schema import Output

SEVERAL = "validation_cost"
"""What a model with several outputs is chosen by."""
SCORES, EPOCH, SECONDS, RUN = "scores", "best_epoch", "seconds", "run"
"""Attributes of a trial that is done: validation scores, epoch kept, seconds, MLflow run."""


def shown_metrics(outputs: Sequence[Output]) -> list[str]:
    """Name the validation scores of the tables; trials are ranked by the first."""
    if len(outputs) > 1:
        return [SEVERAL]
    kind = kind_of(outputs[0])
    return [kind.headline, *kind.older]


def ranked(trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """Sort trials from best to worst: those with a score, then the pruned, then the failed."""
    order = {TrialState.COMPLETE: 0, TrialState.PRUNED: 1, TrialState.FAIL: 2}
    return sorted(trials, key=lambda trial: (order[trial.state], trial.value if order[trial.state] == 0 else 0))


def table(trials: Sequence[FrozenTrial], space: Space, metrics: Sequence[str]) -> pd.DataFrame:
    """Lay the trials out as text, a row per trial, the best first.

    Parameters
    ----------
    trials : sequence of FrozenTrial
    space : Space
    metrics : sequence of str
        Scores to show; see `shown_metrics`.
    """
    return pd.DataFrame(
        {
            "trial": str(facts[NUMBER]),
            **{name: shown(trial.params[name]) for name in swept(space)},
            **{_validation(metric): shown(facts.get(SCORES, {}).get(metric, "")) for metric in metrics},
            "epoch kept": str(facts.get(EPOCH, "")),
            "seconds": f"{facts[SECONDS]:.3g}" if SECONDS in facts else "",
            "end": end_of(trial),
            "run": facts.get(RUN, ""),
        }
        for trial in ranked(trials)
        if (facts := trial.user_attrs)
    )


def end_of(trial: FrozenTrial) -> str:
    """Say how a trial ended."""
    if trial.state == TrialState.PRUNED:
        return f"pruned after epoch {trial.last_step}"
    return f"failed: {trial.user_attrs[FAILURE]}" if trial.state == TrialState.FAIL else "finished"


def _validation(metric: str) -> str:
    return metric if metric == SEVERAL else f"validation {metric}"


def crossed(frame: pd.DataFrame, space: Space, metric: str) -> list[list[str]]:
    """Lay a grid out as the predecessor's tables: first option down, combinations of the others across.

    Empty where there is no such table: one option only, or options that are ranges.

    Parameters
    ----------
    frame : DataFrame
        From `table`.
    space : Space
    metric : str
        Score to show.
    """
    names = swept(space)
    if len(names) < 2 or not all(isinstance(space[name], CategoricalDistribution) for name in names):
        return []
    first, *others = ([shown(choice) for choice in space[name].choices] for name in names)
    columns = list(itertools.product(*others))
    scores = frame.set_index(names)[_validation(metric)].to_dict()
    header = [f"{names[0]} ({metric})", *map(" / ".join, columns)]
    return [header, *([row, *(scores.get((row, *column), "") for column in columns)] for row in first)]


def markdown(model: str, frame: pd.DataFrame, space: Space, metrics: Sequence[str]) -> str:
    """Write all tables of a sweep.

    Parameters
    ----------
    model : str
    frame : DataFrame
        From `table`.
    space : Space
    metrics : sequence of str
        As for `table`.
    """
    fixed = ", ".join(f"{name}={shown(space[name].choices[0])}" for name in space if name not in swept(space))
    parts = [f"# {model}: exploration", "Scores on the validation objects; the test objects were not looked at."]
    parts += [f"Held fixed: {fixed}."] * bool(fixed)
    parts += [_markdown_table(lines) for metric in metrics if (lines := crossed(frame, space, metric))]
    return "\n\n".join([*parts, _markdown_table([list(frame), *frame.to_numpy().tolist()])]) + "\n"


def _markdown_table(lines: list[list[str]]) -> str:
    rows = [f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines]
    return "\n".join([rows[0], f"|{' --- |' * len(lines[0])}", *rows[1:]])


def shown(value: object) -> str:
    """Write an option's value."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def slices(trials: Sequence[FrozenTrial], space: Space, metric: str) -> Figure:
    """Draw the score of each finished trial against each option; the best trial is marked.

    Parameters
    ----------
    trials, space
        As for `table`.
    metric : str
        Score to show.
    """
    finished = [trial for trial in ranked(trials) if trial.state == TrialState.COMPLETE]
    names = swept(space) or list(space)[:1]
    figure = Figure(figsize=(2.6 * len(names) + 1.2, 4), layout="constrained")
    scores = [trial.user_attrs[SCORES][metric] for trial in finished]
    for name, axes in zip(names, figure.subplots(1, len(names), sharey=True, squeeze=False)[0], strict=True):
        values = [trial.params[name] for trial in finished]
        if isinstance(space[name], CategoricalDistribution):
            places = [shown(value) for value in space[name].choices]
            values = [places.index(shown(value)) for value in values]
            axes.set(xticks=range(len(places)), xticklabels=places, xlim=(-0.5, len(places) - 0.5))
        elif space[name].log:
            axes.set_xscale("log")
        axes.scatter(values[1:], scores[1:], alpha=0.6)
        axes.scatter(values[:1], scores[:1], color=ACCENT, marker="*", s=150)
        axes.set_xlabel(name)
        axes.grid(axis="y", alpha=0.3)
    figure.suptitle(f"{len(finished)} trials; star: the best, trial {finished[0].user_attrs[NUMBER]}", fontsize=10)
    figure.axes[0].set_ylabel(_validation(metric))
    return figure


def in_words(seconds: float) -> str:
    """Say a duration.

    Examples
    --------
    >>> in_words(75), in_words(600), in_words(9000)
    ('75 s', '10 min', '2.5 h')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
