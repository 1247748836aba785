"""Train one model with several processes: ``python -m common.training.processes i2r --processes 2``.

Each process feeds its part of every batch, and all hold the same weights: the losses are those of one process with the
whole batches, to rounding. Keras does it on JAX. The process of rank 0 keeps the record; when all epochs are done it
goes on with TensorFlow, which judges and stores the model as it does any other.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import weakref
from importlib.util import find_spec
from pathlib import Path

from common.backend import keras
from common.data.batches import Share
from common.options import TrainingOptions
from common.runs.store_location import REPOSITORY
from sdss_gs.errors import OptionError, ZooError

PROCESSES, RANK = "KERAS_DISTRIBUTION_NUM_PROCESSES", "KERAS_DISTRIBUTION_PROCESS_ID"
COORDINATOR = "KERAS_DISTRIBUTION_JOB_ADDRESSES"
"""Where Keras looks for how many processes there are, which this is, and where the one of rank 0 listens."""


def model_folder(name: str | Path, option: str) -> Path:
    """Return the folder of a model: one of the repository by its name, or any by its path.

    Parameters
    ----------
    name : str or path-like
    option : str
        What the user gave it as.

    Raises
    ------
    OptionError
        If there is none. Where the zoo was installed without its repository, none can be known by its name alone.
    """
    for folder in (Path(name), REPOSITORY / name):
        if (folder / "train.py").is_file():
            return folder
    where = "of the repository, such as b2r"
    if not any(REPOSITORY.glob("*/MLproject")):
        where = "by its path (the installed package has no model folders; the repository and the sdist have them)"
    raise OptionError(f"{option}: expected a model folder {where}, found {str(name)!r}")


def on_jax() -> bool:
    """Tell whether this process trains on JAX."""
    return keras.backend.backend() == "jax"


def rank() -> int:
    """Return the number of this process, 0 where it is alone."""
    return int(os.environ.get(RANK, 0))


def share() -> Share:
    """Return what this process feeds of every batch."""
    return Share(int(os.environ.get(PROCESSES, 1)), rank())


def join(options: TrainingOptions) -> None:
    """Meet the other processes, on JAX, with a run's options; call it before a model is built.

    Raises
    ------
    OptionError
        If an option cannot be had with several processes.
    """
    if not on_jax():
        return
    count = share().processes
    if options.patience:
        raise OptionError(f"patience: expected 0 on JAX, found {options.patience}")
    if options.batch_size % count:
        raise OptionError(f"batch_size: expected a multiple of {count} processes, found {options.batch_size}")
    if count > 1:
        keras.utils.set_random_seed(options.seed)
        keras.distribution.initialize()
    keras.distribution.set_distribution(keras.distribution.DataParallel(auto_shard_dataset=False))


class Silent:
    """Stands in for `record.Run` where no record is kept.

    Parameters
    ----------
    logs : Path, optional
        Folder for the state of the training; by default a temporary one of its own.
    """

    id = ""

    def __init__(self, logs: Path | None = None):
        self.logs = logs or Path(tempfile.mkdtemp(prefix="zoo-train-"))
        if logs is None:
            weakref.finalize(self, shutil.rmtree, self.logs, ignore_errors=True)

    def __getattr__(self, name: str):
        return lambda *arguments, **options: None


def leave() -> None:
    """Part from the other processes when all have come so far."""
    if on_jax() and share().processes > 1:
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
    environment.pop("MLFLOW_RUN_ID", None)
    sys.stdout.flush()
    command = [sys.executable, str(train_file), "--resume", run_id]
    os.execve(sys.executable, command, environment | {"KERAS_BACKEND": "tensorflow"})


# === Launcher ===


def main(arguments: list[str] | None = None) -> int:
    """Start the processes of this machine; return the first exit code that is not 0."""
    parser = argparse.ArgumentParser("python -m common.training.processes", allow_abbrev=False)
    parser.description, add = __doc__.splitlines()[0], parser.add_argument
    add("model", help="a model folder with one input, for example i2r")
    add("--processes", type=int, default=2, metavar="N", help="of all machines (default: %(default)s)")
    add("--rank", type=int, metavar="K", help="start this one only, from 0 (default: all of them on this machine)")
    where = "where rank 0 listens, as the others see it (default: a free port of this machine's loopback)"
    add("--coordinator", default="", metavar="HOST:PORT", help=where)
    add("-P", dest="parameters", action="append", default=[], metavar="NAME=VALUE", help="as for mlflow run")
    try:
        command, environments = _command(parser.parse_args(arguments))
    except ZooError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    running = [
        # The record is kept, and all is said, by rank 0.
        subprocess.Popen(command, env=environment, stdout=None if environment[RANK] == "0" else subprocess.DEVNULL)
        for environment in environments
    ]
    return _wait(running)


def _command(options: argparse.Namespace) -> tuple[list[str], list[dict[str, str]]]:
    """Return the command that each process runs, and the environment of each."""
    if find_spec("jax") is None:
        raise OptionError('several processes need jax; in the repository: pip install -e ".[jax]"')
    train_file = model_folder(options.model, "model") / "train.py"
    if options.processes < 1:
        raise OptionError(f"processes: expected at least 1, found {options.processes}")
    ranks = range(options.processes) if options.rank is None else [options.rank]
    if not 0 <= ranks[0] < options.processes:
        raise OptionError(f"rank: expected 0 to {options.processes - 1}, found {options.rank}")
    if options.rank is not None and not options.coordinator:
        raise OptionError("coordinator: expected HOST:PORT with --rank, found none")
    command = [sys.executable, str(train_file)]
    for text in options.parameters:
        name, sign, value = text.partition("=")
        if not sign:
            raise OptionError(f"P: expected NAME=VALUE, found {text!r}")
        command += [f"--{name}", value]
    environment = os.environ | {
        "KERAS_BACKEND": "jax",
        # Ignored on GPUs, which have NCCL.
        "JAX_CPU_COLLECTIVES_IMPLEMENTATION": "gloo",
        PROCESSES: str(options.processes),
        COORDINATOR: options.coordinator or _free_address(),
        "PYTHONPATH": os.pathsep.join(filter(None, (str(REPOSITORY), os.environ.get("PYTHONPATH")))),
    }
    return command, [environment | {RANK: str(number)} for number in ranks]


def _free_address() -> str:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return "{}:{}".format(*server.getsockname())


def _wait(running: list[subprocess.Popen]) -> int:
    """Wait for all processes; when one fails, the others would wait for it for ever."""
    code = 0
    try:
        while None in (codes := [process.poll() for process in running]) and not any(codes):
            time.sleep(0.2)
        code = next(filter(None, codes), 0)
    except KeyboardInterrupt:
        code = 130
    # Those that have ended are not harmed.
    for process in running:
        process.terminate()
    for process in running:
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    return code


if __name__ == "__main__":
    # Whoever stops this process means all of them.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main())
