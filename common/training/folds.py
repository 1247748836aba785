"""K-fold cross-validation: each galaxy is tested once, by a network that never saw it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

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
    for fold in range(options.folds):
        with _ended(nested := Run(project, nested=True), begun):
            begun.append((nested, Session(project, nested, options, architectures, fold)))
            nested.pause()
    with _ended(None, begun):
        train_together([session for _, session in begun])
    scores = []
    for fold in range(options.folds):
        print(f"\nfold {fold + 1} of {options.folds}", flush=True)
        nested, session = begun.pop(0)
        nested.go_on()
        with _ended(nested, begun):
            if not session.progress.epoch:
                session.train()
            require_best(session.best)
            scores.append(finish(session, register=False))
            nested.end("FINISHED")
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


@contextlib.contextmanager
def _ended(active: Run | None, waiting: list[tuple[Run, Session]]) -> Iterator[None]:
    """End the active run and those that wait where what is done raises."""
    try:
        yield
    except BaseException as error:
        status, reason = "KILLED" if isinstance(error, KeyboardInterrupt) else "FAILED", str(error) or "interrupted"
        if active:
            active.end(status, reason)
        for run, _ in waiting:
            run.go_on()
            run.end(status, reason)
        raise
