"""What the zoo adds to MLflow: a version tag on every run, and the ``--no-conda`` flag that ``mlflow run`` has dropped.

``mlflow run`` also makes a new store in one step: MLflow takes seconds for it, the first ones of the first run, and if
they were interrupted, it ends with a traceback ever after.

MLflow loads this module in every process, so it imports nothing heavy.
"""

from __future__ import annotations

import atexit
import functools
import gc
import os
import sys
from pathlib import Path
from typing import Any

import wrapt
from mlflow.tracking.context.abstract_context import RunContextProvider

from sdss_gs import __version__
from sdss_gs.locate import LAUNCH_FOLDER

# `mlflow run` starts its child in the model's folder; only here is it known where the user typed the command.
os.environ.setdefault(LAUNCH_FOLDER, os.getcwd())
# Nothing leaves the user's machine unless the user says so.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")


class ZooRunContext(RunContextProvider):
    """Tags every run with the version of the zoo."""

    def in_context(self) -> bool:
        """Tell MLflow that the tags apply: always."""
        return True

    def tags(self) -> dict[str, str]:
        """Return the tags of a new run."""
        return {"zoo.version": __version__}


# What `mlflow run` needs none of: other commands of MLflow, which it goes without where they cannot be imported. They
# take longer than all the rest that it imports: a service, for one.
OTHER_COMMANDS = ("mlflow.agent", "mlflow.assistant", "mlflow.claude_code", "mlflow.gateway.cli", "mlflow.models.cli")
if Path(sys.argv[0]).stem == "mlflow" and sys.argv[1:2] == ["run"]:
    for _name in OTHER_COMMANDS:
        sys.modules.setdefault(_name, None)
    # It imports, starts a process and waits for it: there is no garbage to be looked for, not at its end either.
    gc.disable()
    atexit.register(gc.freeze)


@wrapt.when_imported("mlflow.cli")
def extend_run(cli: Any) -> None:
    """Give ``mlflow run`` the flag ``--no-conda``, an alias of ``--env-manager=local``, and `make_store`."""
    import click

    def use_local(context: click.Context, _parameter: click.Parameter, given: bool) -> None:
        if given:
            context.params["env_manager"] = "local"

    text = "Use the Python this command runs in (the same as --env-manager=local)."
    cli.run.params.append(click.Option(["--no-conda"], is_flag=True, expose_value=False, callback=use_local, help=text))
    run = cli.run.callback

    @functools.wraps(run)
    def run_with_store(uri: str, **options: object) -> object:
        import mlflow

        from common.runs.failures import report
        from common.runs.store_location import make_store

        try:
            # A mistyped folder leaves no store behind.
            if (Path(uri) / "MLproject").is_file():
                make_store(mlflow.get_tracking_uri())
        except Exception as error:
            raise SystemExit(report(error)) from None
        return run(uri=uri, **options)

    cli.run.callback = run_with_store
