"""K-fold cross-validation: each galaxy is tested once, by a network that never saw it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from common.options import TrainingOptions
from common.project import ModelFolder
from common.runs.record import Run
from common.training.fit import require_best
from common.training.keeping import finish
from common.training.session import Session
from common.training.together import train_together
from sdss_gs.errors import OptionError


def cross_validate(
    project: ModelFolder, record: Run, options: TrainingOptions, architectures: dict[str, Callable]
) -> None:
    """Train one network per fold as nested runs, and record mean and standard deviation of their test scores.

    Parameters
    ----------
    project, record, options, architectures
        As for `Session`; the record is the parent of the nested runs, and ``folds`` is at least 2.

    Raises
    ------
    OptionError
        If a run is to be resumed.
    """
    if options.resume:
        raise OptionError("resume: expected a run without folds, found folds; start the cross-validation again")
    begun: list[tuple[Run, Session]] = []
    scores: list[dict[str, float]] = []
    try:
        # MLflow's active run is the last that was begun: that of the first fold, which is the first to be judged.
        for fold in reversed(range(options.folds)):
            nested = Run(project, nested=True)
            begun.append((nested, None))
            begun[-1] = nested, Session(project, nested, options, architectures, fold)
        train_together([session for _, session in reversed(begun)])
        while begun:
            nested, session = begun[-1]
            print(f"\nfold {len(scores) + 1} of {options.folds}", flush=True)
            if not session.progress.epoch:
                session.train()
            require_best(session.best)
            scores.append(finish(session, register=False))
            nested.end("FINISHED")
            begun.pop()
    except BaseException as error:
        for nested, _ in reversed(begun):
            nested.end("KILLED" if isinstance(error, KeyboardInterrupt) else "FAILED", str(error) or "interrupted")
        raise
    metrics = [name for name in scores[0] if all(name in fold for fold in scores)]
    values = np.array([[fold[name] for fold in scores] for name in metrics])
    means, deviations = values.mean(axis=1).tolist(), values.std(axis=1, ddof=1).tolist()
    for word, numbers in (("mean", means), ("std", deviations)):
        named = zip(metrics, numbers, strict=True)
        record.metrics({f"folds_{word}_{name}": number for name, number in named}, 0, part="test")
    rows = zip(metrics, means, deviations, strict=True)
    table = "\n".join(f"{name:<22}{mean:>12.5g} ± {deviation:.2g}" for name, mean, deviation in rows)
    record.text(table, "folds.txt")
    print(f"\n{project.name}, mean ± standard deviation over {options.folds} folds\n{table}", flush=True)
