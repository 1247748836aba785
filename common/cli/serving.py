"""The command ``zoo serve``."""

from __future__ import annotations

import functools
from pathlib import Path

import click

from common.cli.inputs import RUNTIME
from common.cli.terminal import PATH, Several, arrow_without_pandas, command
from common.cli.words import ModelName


@command("serve")
@click.option("--host", default="127.0.0.1", help="address to listen at; the default is this machine only")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, help="0 takes any that is free")
@click.option("--ds", default="", show_default="the usual one, if any", metavar="FOLDER", help="data set to show")
@click.option(
    "--models",
    cls=Several,
    type=ModelName(),
    show_default="all that zoo list shows",
    metavar="MODEL...",
    help="trained models",
)
@click.option(
    "--mlflow", default="http://127.0.0.1:5000", metavar="URL", help="where mlflow ui answers, for links to runs"
)
@click.option("--max-mb", "megabytes", type=click.IntRange(1, 4096), default=32, help="of a request's body")
@click.option("--max-rows", "rows", type=click.IntRange(1), default=1000, help="objects of a request")
@click.option("--at-once", type=click.IntRange(1, 64), default=2, help="predictions that run")
@click.option("--waiting", type=click.IntRange(0), default=64, help="predictions that wait")
@click.option("--seconds", type=click.IntRange(1), default=30, help="to receive, to predict")
@click.option(
    "--token-file", type=PATH, metavar="FILE", show_default="the variable ZOO_TOKEN",
    help="file with a token that clients must send; without any, anybody who reaches the port may ask",
)  # fmt: skip
@RUNTIME
def serve(
    host: str, port: int, ds: str, models: tuple[str, ...], mlflow: str, token_file: Path | None, runtime: str | None,
    **limits: int,
) -> None:  # fmt: skip
    """Run ``zoo serve``."""
    arrow_without_pandas()
    from common.serve.service import serve as run_service

    say = functools.partial(print, flush=True)
    run_service(host, port, ds, list(models) or None, limits, mlflow, say, token_file, runtime or "")
