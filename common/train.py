"""One training run from the command line to the scores: what every model folder's ``train.py`` calls."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from pathlib import Path

from common.project import ModelFolder, parse_options, read_folder, read_project
from common.runs.dead_runs import DIED, close_dead_runs, how_to_go_on
from common.runs.failures import report
from common.runs.record import Run
from common.training import processes as spread
from common.training.folds import cross_validate
from common.training.multi_session import MultiSession
from common.training.session import Session
from sdss_gs.errors import OptionError


def run(train_file: str, *architectures: Callable) -> None:
    """Train the model of a folder with the options of the command line, then exit.

    Parameters
    ----------
    train_file : str
        ``__file__`` of the model folder's ``train.py``.
    *architectures : callable
        Functions that take the input as a KerasTensor ``(batch, ...)`` and return features ``(batch, n)``; the option
        ``architecture`` chooses one by its name.

    Notes
    -----
    Exit code 0 for a finished run, 1 for a failed one (the MLflow run is FAILED and has the reason as a tag), 130 for
    an interrupted one (KILLED).
    """
    by_name = {function.__name__: function for function in architectures}
    code = _run(Path(train_file).resolve().parent, by_name, sys.argv[1:])
    spread.give_up(code)
    sys.exit(code)


def run_multi(train_file: str, *functions: Callable) -> None:
    """Train the model of a folder whose inputs and outputs are options, then exit; exit codes as for `run`.

    Parameters
    ----------
    train_file : str
        ``__file__`` of the model folder's ``train.py``.
    *functions : callable
        One encoder per input, named like it, and ``fuse``; see `multi_network.build_multi`.
    """
    by_name = {function.__name__: function for function in functions}
    sys.exit(_run(Path(train_file).resolve().parent, by_name, sys.argv[1:], read_folder, MultiSession))


def _run(
    folder: Path,
    architectures: dict[str, Callable],
    arguments: list[str],
    read: Callable[..., ModelFolder] = read_project,
    session_type: type[Session] = Session,
) -> int:
    if arguments[:1] == ["sweep"]:
        return _sweep(folder, architectures, arguments[1:], read, session_type)
    try:
        project = read(folder)
        if {"-h", "--help"} & set(arguments):
            parse_options(project, arguments)
        record = spread.Silent() if spread.rank() else Run(project)
    except Exception as error:
        return report(error)
    signal.signal(signal.SIGTERM, _interrupt)
    session = None
    try:
        options = parse_options(project, arguments)
        if spread.on_jax() and (options.get("folds") or session_type is not Session):
            raise OptionError(f"{project.name}: expected one input and folds=0 on JAX")
        if options.get("folds"):
            _tell_of_dead_runs(project)
            cross_validate(project, record, options, architectures)
        else:
            session = session_type(project, record, options, architectures)
            # A run that was resumed is closed when it is noted where this one comes from.
            _tell_of_dead_runs(project, str(options["resume"]))
            session.train()
            if spread.on_jax():
                spread.leave()
            else:
                session.finish()
    except KeyboardInterrupt:
        return _stop(project, record, session)
    except Exception as error:
        return report(error, record)
    record.end("FINISHED")
    if spread.on_jax() and not spread.rank():
        spread.go_on(folder / "train.py", record.id)
    return 0


def _sweep(
    folder: Path,
    architectures: dict[str, Callable],
    arguments: list[str],
    read: Callable[..., ModelFolder],
    session_type: type[Session],
) -> int:
    # Only here: Optuna takes half a second to import.
    from common.training.sweep.command import sweep

    signal.signal(signal.SIGTERM, _interrupt)
    try:
        main, project = read(folder), read(folder, "sweep")
    except Exception as error:
        return report(error)
    return sweep(main, project, session_type, architectures, arguments)


def _tell_of_dead_runs(project: ModelFolder, resumed: str = "") -> None:
    for run in close_dead_runs(project.folder) if not spread.rank() else []:
        command = how_to_go_on(run)
        if command and f"resume={resumed} " not in command:
            print(f"run {run.info.run_name}: {DIED}; go on with: {command}", file=sys.stderr)


def _interrupt(_signal: int, _frame: object) -> None:
    # `mlflow run` passes Ctrl-C on as SIGTERM after the terminal has sent SIGINT: one interruption is enough.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise KeyboardInterrupt


def _stop(project: ModelFolder, record: Run, session: Session | None) -> int:
    """End an interrupted run: keep the best weights so far and say how to go on."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    kept = session.keep_best() if session else ""
    record.end("KILLED", "interrupted")
    print("\ninterrupted", file=sys.stderr)
    if kept:
        print(f"best weights so far: {kept}", file=sys.stderr)
        print(f"go on with: mlflow run {project.name} -P resume={record.id} --no-conda", file=sys.stderr)
    return 130
