"""Train one model with several processes: ``python -m common.training.processes i2r --processes 2``.

Each process feeds its part of every batch, and all hold the same weights: the losses are those of one process with the
whole batches, to rounding. Keras does it on JAX. The process of rank 0 keeps the record; when all epochs are done it
goes on with TensorFlow, which judges and stores the model as it does any other.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from common.data.batches import Share
from common.options import TrainingOptions
from common.runs.store_location import REPOSITORY
from sdss_gs.errors import OptionError, ZooError

PROCESSES, RANK = "KERAS_DISTRIBUTION_NUM_PROCESSES", "KERAS_DISTRIBUTION_PROCESS_ID"
COORDINATOR = "KERAS_DISTRIBUTION_JOB_ADDRESSES"
"""Where Keras looks for how many processes there are, which this is, and where the one of rank 0 listens."""


def on_jax() -> bool:
    """Tell whether this process trains on JAX."""
    from common.backend import keras

    return keras.backend.backend() == "jax"


def rank() -> int:
    """Return the number of this process, 0 where it is alone."""
    return int(os.environ.get(RANK, 0))


def processes() -> int:
    """Return how many processes feed a batch together."""
    from common.backend import keras

    return 1 if keras.distribution.distribution() is None else int(os.environ.get(PROCESSES, 1))


def share() -> Share:
    """Return what this process feeds of every batch."""
    count = processes()
    return Share(count, rank()) if count > 1 else Share()


def join(options: TrainingOptions) -> None:
    """Meet the other processes, on JAX; call it before a model is built.

    Parameters
    ----------
    options : dict
        Typed options of the run.

    Raises
    ------
    OptionError
        If an option cannot be had with several processes.
    """
    from common.backend import keras

    if not on_jax():
        return
    count = int(os.environ.get(PROCESSES, 1))
    if options.patience:
        raise OptionError(f"patience: expected 0 on JAX, found {options.patience}")
    if options.batch_size % count:
        raise OptionError(f"batch_size: expected a multiple of {count} processes, found {options.batch_size}")
    if count > 1:
        keras.utils.set_random_seed(options.seed)
        keras.distribution.initialize()
    keras.distribution.set_distribution(keras.distribution.DataParallel(auto_shard_dataset=False))


@contextmanager
def alone() -> Iterator[None]:
    """Compute something in this process only."""
    from common.backend import keras

    if not on_jax():
        yield
        return
    together = keras.distribution.distribution()
    keras.distribution.set_distribution(None)
    try:
        yield
    finally:
        keras.distribution.set_distribution(together)


class Silent:
    """Stands in for `tracking.Run` in the processes that keep no record."""

    id = ""

    def __init__(self):
        self._folder = tempfile.TemporaryDirectory()
        self.logs = Path(self._folder.name)

    def __getattr__(self, name: str):
        return lambda *arguments, **options: None


def leave() -> None:
    """Part from the other processes when all have come so far."""
    if on_jax() and int(os.environ.get(PROCESSES, 1)) > 1:
        import jax

        jax.distributed.shutdown()


def give_up(code: int) -> None:
    """End this process without waiting for the others, which the launcher stops."""
    if code and on_jax():
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def go_on(train_file: Path, run_id: str) -> None:
    """Replace this process by one that judges and stores, on TensorFlow, what a run has trained."""
    environment = {name: value for name, value in os.environ.items() if name not in (PROCESSES, RANK, COORDINATOR)}
    environment |= {"KERAS_BACKEND": "tensorflow"}
    environment.pop("MLFLOW_RUN_ID", None)
    sys.stdout.flush()
    os.execve(sys.executable, [sys.executable, str(train_file), "--resume", run_id], environment)


# === Launcher ===


def main(arguments: list[str] | None = None) -> int:
    """Start the processes of this machine; return the first exit code that is not 0."""
    options = _parser().parse_args(arguments)
    try:
        commands = _commands(options)
    except ZooError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    running = [
        # The record is kept, and all is said, by rank 0.
        subprocess.Popen(command, env=environment, stdout=None if environment[RANK] == "0" else subprocess.DEVNULL)
        for command, environment in commands
    ]
    return _wait(running)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m common.training.processes", description=__doc__.splitlines()[0], allow_abbrev=False
    )
    parser.add_argument("model", help="a model folder with one input, for example i2r")
    parser.add_argument("--processes", type=int, default=2, metavar="N", help="of all machines (default: %(default)s)")
    parser.add_argument(
        "--rank", type=int, metavar="K", help="start this one only, from 0 (default: all of them on this machine)"
    )
    parser.add_argument(
        "--coordinator", default="", metavar="HOST:PORT",
        help="where rank 0 listens, as the others see it (default: a free port of this machine's loopback)",
    )  # fmt: skip
    parser.add_argument(
        "-P", dest="parameters", action="append", default=[], metavar="NAME=VALUE", help="as for mlflow run"
    )
    return parser


def _commands(options: argparse.Namespace) -> list[tuple[list[str], dict[str, str]]]:
    if find_spec("jax") is None:
        raise OptionError('several processes need jax; in the repository: pip install -e ".[jax]"')
    train_file = REPOSITORY / options.model / "train.py"
    if not train_file.is_file():
        raise OptionError(f"model: expected a model folder, found {options.model!r}")
    if options.processes < 1:
        raise OptionError(f"processes: expected at least 1, found {options.processes}")
    ranks = range(options.processes) if options.rank is None else [options.rank]
    if not 0 <= ranks[0] < options.processes:
        raise OptionError(f"rank: expected 0 to {options.processes - 1}, found {options.rank}")
    if options.rank is not None and not options.coordinator:
        raise OptionError("coordinator: expected HOST:PORT with --rank, found none")
    chosen = []
    for text in options.parameters:
        name, sign, value = text.partition("=")
        if not sign:
            raise OptionError(f"P: expected NAME=VALUE, found {text!r}")
        chosen += [f"--{name}", value]
    common = {
        "KERAS_BACKEND": "jax",
        # Ignored on GPUs, which have NCCL.
        "JAX_CPU_COLLECTIVES_IMPLEMENTATION": "gloo",
        PROCESSES: str(options.processes),
        COORDINATOR: options.coordinator or f"127.0.0.1:{_free_port()}",
        "PYTHONPATH": os.pathsep.join(filter(None, (str(REPOSITORY), os.environ.get("PYTHONPATH")))),
    }
    command = [sys.executable, str(train_file), *chosen]
    return [(command, os.environ | common | {RANK: str(number)}) for number in ranks]


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def _wait(running: list[subprocess.Popen]) -> int:
    """Wait for all processes; when one fails, the others would wait for it for ever."""
    try:
        while None in (codes := [process.poll() for process in running]):
            if failed := [code for code in codes if code]:
                _stop(running)
                return failed[0]
            time.sleep(0.2)
    except KeyboardInterrupt:
        _stop(running)
        return 130
    return next((process.returncode for process in running if process.returncode), 0)


def _stop(running: list[subprocess.Popen]) -> None:
    for process in running:
        process.terminate()
    for process in running:
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


if __name__ == "__main__":
    # Whoever stops this process means all of them.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main())
