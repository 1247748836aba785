"""Every entry point of a model folder: what each ``train.py`` calls; and `train` and `train_and_judge`, for Python."""

from __future__ import annotations

import gc
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from common.options import ENTRY_POINTS, AdaptOptions, EmbedOptions, EvaluateOptions, TrainingOptions
from common.processor import keep_freed_memory
from common.project import FUSE, ModelFolder, parse_options, read_folder, read_project
from common.runs.dead_runs import DIED, close_dead_runs, how_to_go_on
from common.runs.failures import report
from common.runs.record import Run
from common.training import processes as spread
from common.training.from_python import train, train_and_judge
from common.training.session import Session
from sdss_gs.errors import OptionError
from sdss_gs.locate import as_typed

__all__ = ["run", "train", "train_and_judge"]

OBJECTS_BETWEEN_COLLECTIONS = 10_000
"""Of Python's collector of garbage, whose own number is 700 or 2,000."""


def run(train_file: str, *functions: Callable) -> None:
    """Train the model of a folder, or do with it what the first argument says, then exit.

    Parameters
    ----------
    train_file : str
        ``__file__`` of the model folder's ``train.py``.
    *functions : callable
        Of a model with one input and one output, architectures: they take the input as a KerasTensor ``(batch, ...)``
        and return features ``(batch, n)``; the option ``architecture`` chooses one by its name. Of a model of several,
        one encoder per input, named like it, and ``fuse``; see `build.build_fused`.

    Notes
    -----
    Exit code 0 for a finished run, 1 for a failed one (the MLflow run is FAILED and has the reason as a tag), 130 for
    an interrupted one (KILLED).
    """
    # Garbage is looked for less often, and not in all that was imported: that took a tenth of a short run.
    gc.freeze()
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS, *gc.get_threshold()[1:])
    keep_freed_memory()
    by_name = {function.__name__: function for function in functions}
    code = _run(Path(train_file).resolve().parent, by_name, sys.argv[1:])
    spread.give_up(code)
    # Nor in what goes with this process.
    gc.freeze()
    sys.exit(code)


def _run(folder: Path, functions: dict[str, Callable], arguments: list[str]) -> int:
    """Run an entry point; return the exit code."""
    entry_point = arguments[0] if arguments and arguments[0] in ENTRY_POINTS else "main"
    arguments = arguments[entry_point != "main" :]
    read = read_folder if FUSE in functions else read_project
    try:
        project = read(folder, entry_point)
        if {"-h", "--help"} & set(arguments):
            parse_options(project, arguments)
        if entry_point == "sweep":
            return _sweep(read(folder), project, functions, arguments)
        if entry_point == "compare":
            return _compare(project, arguments)
        if entry_point == "adapt" and FUSE in functions:
            raise OptionError(f"adapt: expected a model with one input and one output, found {project.name}")
        record = spread.Silent() if spread.rank() else Run(project)
    except Exception as error:
        return report(error)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        options = parse_options(project, arguments)
        if entry_point == "main":
            _train(project, record, options, functions)
        elif entry_point == "adapt":
            _adapt(project, record, options, functions)
        else:
            record.parameters({name: value for name, value in project.recorded(options).items() if value != ""})
            print(JUDGEMENTS[entry_point](project, record, options), flush=True)
    except KeyboardInterrupt as interruption:
        _ignore_interruptions()
        record.end("KILLED", "interrupted")
        print(f"\ninterrupted{interruption}", file=sys.stderr)
        return 130
    except Exception as error:
        return report(error, record)
    record.end("FINISHED")
    if spread.on_jax() and not spread.rank():
        spread.go_on(folder / "train.py", record.id)
    return 0


def _train(project: ModelFolder, record: Run, options: TrainingOptions, functions: dict[str, Callable]) -> None:
    if spread.on_jax() and (options.folds or FUSE in functions):
        raise OptionError(f"{project.name}: expected one input and folds=0 on JAX")
    if options.folds:
        from common.training.folds import cross_validate

        _tell_of_dead_runs(project)
        cross_validate(project, record, options, functions)
        return
    session = Session(project, record, options, functions)
    # A run that was resumed is closed when it is noted where this one comes from.
    _tell_of_dead_runs(project, options.resume)
    try:
        session.train()
        if spread.on_jax():
            spread.leave()
        else:
            # Only here: nobody waits for what draws and judges before the first step.
            from common.training.keeping import finish

            finish(session)
    except KeyboardInterrupt:
        _ignore_interruptions()
        from common.training.keeping import keep_best

        kept = keep_best(session)
        raise KeyboardInterrupt(
            f"\nbest weights so far: {kept}\ngo on with: mlflow run {project.name} -P resume={record.id} --no-conda"
            if kept
            else ""
        ) from None


def _sweep(main: ModelFolder, project: ModelFolder, functions: dict[str, Callable], arguments: list[str]) -> int:
    # Only here: Optuna takes half a second to import.
    from common.training.sweep.command import sweep

    signal.signal(signal.SIGTERM, _interrupt)
    return sweep(main, project, functions, arguments)


def _compare(project: ModelFolder, arguments: list[str]) -> int:
    from common.judge.compare import write
    from common.runs.store_location import choose_store

    output = parse_options(project, arguments).output
    folder = as_typed(output) if output else project.repository / "comparison"
    choose_store(project.repository)
    print(f"{write(folder)}\n{folder}/comparison.html")
    return 0


def _adapt(project: ModelFolder, record: Run, options: AdaptOptions, functions: dict[str, Callable]) -> None:
    # Only here: scikit-learn takes a second to import.
    from common.training.adaptation.command import adapt

    adapt(project, read_project(project.folder), record, options, functions)


def _evaluate(project: ModelFolder, record: Run, options: EvaluateOptions) -> str:
    from common.judge.evaluate import evaluate

    return evaluate(project, record, options)


def _embed(project: ModelFolder, record: Run, options: EmbedOptions) -> str:
    # Only here: scikit-learn takes a second to import.
    from common.judge.maps.dataset import draw_maps

    return draw_maps(project, record, options)


JUDGEMENTS = {"evaluate": _evaluate, "embed": _embed}


def _tell_of_dead_runs(project: ModelFolder, resumed: str = "") -> None:
    for run in close_dead_runs(project.folder) if not spread.rank() else []:
        command = how_to_go_on(run)
        if command and f"resume={resumed} " not in command:
            print(f"run {run.name}: {DIED}; go on with: {command}", file=sys.stderr)


def _interrupt(_signal: int, _frame: object) -> None:
    # `mlflow run` passes Ctrl-C on as SIGTERM after the terminal has sent SIGINT: one interruption is enough.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise KeyboardInterrupt


def _ignore_interruptions() -> None:
    """Let nothing interrupt what is now being kept."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
