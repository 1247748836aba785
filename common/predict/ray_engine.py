"""Predict on many processes or machines with Ray: each piece of a prediction by whichever worker is free.

The pieces are those of a prediction in one process, so that either engine goes on where the other was stopped. A
worker writes a piece under a name of its own and this process renames it: what a lost worker leaves is never taken for
a piece.
"""

from __future__ import annotations

import dataclasses
import logging
import os
import secrets
import sys
import warnings
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from socket import gethostname

from common.data.sources import Chunk, Source
from common.models.model import Model
from common.predict.combine import Combination
from common.predict.predict import flag_counts, predict_together
from common.predict.results import Pieces, unfinished, write_piece
from sdss_gs.errors import DataError, OptionError, ZooError, first_line
from sdss_gs.files import TEMPORARY

AT_ONCE = 2
"""Pieces that a worker is given at a time: it predicts one while the next waits."""
LOSSES = 3
"""So often may workers be lost with the same piece, or one after the other before they are ready."""
PATIENCE = 60
"""Seconds without any worker before the user is told."""
LOCAL = "local"
Job = tuple[int, Chunk | None]
"""Number of a piece, and its objects where a worker cannot read them by itself."""


def on_ray(
    models: Sequence[Model],
    source: Source,
    together: Combination,
    pieces: Pieces,
    *,
    opened: Callable[[], Source],
    address: str = "",
    workers: int = 0,
) -> Iterator[tuple[int, Counter]]:
    """Predict with Ray; an `predict.Engine`.

    Parameters
    ----------
    models, source, together, pieces
        As for `predict.Engine`.
    opened : callable
        Opens the source again, in a worker; its paths are absolute.
    address : str
        Of a Ray cluster, ``auto`` for the one that this machine is part of; by default ``$RAY_ADDRESS``, else Ray is
        started on this machine and listens on its loopback only.
    workers : int
        Processes that predict; 0: one per GPU, without any one per core.

    Raises
    ------
    ZooError
        If Ray or the cluster is not there, workers do not see the files, or one is lost again and again.
    """
    with connected(address) as ray:
        count, options, each = _share(ray, workers)
        if source.chunk_objects:
            count = min(count, _pieces_of(source))
        print(f"Ray: {count} workers, {each}", flush=True)
        with warnings.catch_warnings():
            # Keras' way to write a model uses what NumPy has deprecated.
            warnings.simplefilter("ignore", DeprecationWarning)
            models_once = ray.put(list(models))
        # What opens a source holds open files, which no other process can use.
        plain, folder = dataclasses.replace(source, chunks=None), pieces.folder.absolute()
        actor = ray.remote(Worker).options(**options)
        arguments = models_once, plain, opened if source.chunk_objects else None, together, folder
        crew = Crew(ray, lambda: actor.remote(*arguments), _jobs(source, pieces), count)
        for number, (temporary, rows, flags) in crew.results():
            if source.chunk_objects and rows != min(source.chunk_objects, source.count - number * source.chunk_objects):
                raise DataError(f"input: expected {source.count} objects, found another number in piece {number}")
            pieces.take(number, temporary, rows)
            yield rows, flags


def _pieces_of(source: Source) -> int:
    return -(-source.count // source.chunk_objects)


def _jobs(source: Source, pieces: Pieces) -> Iterator[Job]:
    """Yield the pieces that are not finished, with their objects where a worker cannot read them by itself."""
    if not source.chunk_objects:
        return unfinished(source, pieces)
    return ((number, None) for number in range(_pieces_of(source)) if number not in pieces.finished)


@dataclasses.dataclass
class Worker:
    """A process that predicts pieces; Ray makes an actor of it.

    Parameters
    ----------
    models : sequence of Model
    source : Source
        Without its function that reads.
    opened : callable or None
        Opens the source; None where the objects come with each piece.
    together : Combination
    folder : Path
        Where the pieces go.
    """

    models: Sequence[Model]
    source: Source
    opened: Callable[[], Source] | None
    together: Combination
    folder: Path

    def ready(self) -> int:
        """Open the source; return the process id.

        Raises
        ------
        ZooError
            If this machine does not see the same files as the one that started the prediction.
        """
        if not self.folder.is_dir():
            raise DataError(f"{self.folder}: expected a folder that all machines share, {gethostname()} has none")
        if self.opened is not None:
            own = self.opened()
            if own.stamp != self.source.stamp:
                raise DataError(f"input: expected the same files on all machines, found others on {gethostname()}")
            self.source = own
        return os.getpid()

    def predict(self, number: int, chunk: Chunk | None) -> tuple[Path, int, Counter]:
        """Predict one piece; return its file, its objects and its flags."""
        if chunk is None:
            chunk = next(self.source.chunks(number * self.source.chunk_objects))
        rows = predict_together(self.models, chunk, self.source, self.together)
        temporary = self.folder / f"{number:06d}.{secrets.token_hex(8)}{TEMPORARY}"
        write_piece(rows, temporary)
        return temporary, len(rows), flag_counts(self.models, rows)


class Crew:
    """Workers and what each of them is doing.

    Parameters
    ----------
    ray : module
    hire : callable
        Starts a worker.
    jobs : iterator of (int, Chunk or None)
        Is asked for the next one only when a worker can take it.
    size : int
        Workers.
    """

    def __init__(self, ray, hire: Callable, jobs: Iterator[Job], size: int):
        self.ray, self.hire, self.jobs = ray, hire, jobs
        self.again: deque[Job] = deque()
        self.free: deque = deque()
        self.doing: dict = {}
        self.alive: set = set()
        self.losses: Counter = Counter()
        for _ in range(size):
            self._start_worker()

    def results(self) -> Iterator[tuple[int, tuple[Path, int, Counter]]]:
        """Yield number and answer of each piece as it is finished."""
        patient, job = True, self._next_job()
        while job or self._at_work():
            done, _rest = self.ray.wait(list(self.doing), timeout=PATIENCE)
            if not done and patient and not self._at_work():
                print("Ray has not started a worker yet: is the cluster busy? ray status tells", file=sys.stderr)
                patient = False
            for reference in done:
                worker, finished = self.doing.pop(reference)
                answer = self._answer(reference, worker, finished)
                if worker in self.alive:
                    self.free.extend([worker] * (1 if finished else AT_ONCE))
                if answer is not None and finished:
                    yield finished[0], answer
            job = job or self._next_job()
            while job and self.free:
                worker = self.free.popleft()
                if worker in self.alive:
                    self.doing[worker.predict.remote(*job)] = worker, job
                    job = self._next_job()

    def _next_job(self) -> Job | None:
        return self.again.popleft() if self.again else next(self.jobs, None)

    def _at_work(self) -> bool:
        return any(job for _worker, job in self.doing.values())

    def _start_worker(self) -> None:
        worker = self.hire()
        self.alive.add(worker)
        self.doing[worker.ready.remote()] = worker, None

    def _answer(self, reference, worker, job: Job | None):
        """Return what a worker answered; None if it was lost, when its piece is done again and a worker is started."""
        number = None if job is None else job[0]
        try:
            answer = self.ray.get(reference)
        except self.ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, ZooError | OSError):
                raise error.cause from None
            raise
        except self.ray.exceptions.RayError as error:
            self.losses[number] += 1
            if self.losses[number] > LOSSES:
                what = "before they were ready" if job is None else f"while they predicted piece {number}"
                kind = type(error).__name__
                raise ZooError(f"Ray: lost {LOSSES + 1} workers {what} (out of memory?): {kind}") from None
            self._replace(worker, job)
            return None
        self.losses.pop(number, None)
        return answer

    def _replace(self, worker, job: Job | None) -> None:
        if job is not None:
            self.again.append(job)
        if worker in self.alive:
            self.alive.remove(worker)
            # It may be alive beyond a broken connection.
            self.ray.kill(worker)
            self._start_worker()


def _share(ray, workers: int) -> tuple[int, dict, str]:
    """Share a cluster out: how many workers there are, each one's options as an actor, and what it gets in words."""
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU")]
    cores = int(sum(node["CPU"] for node in nodes))
    gpus = int(sum(node.get("GPU", 0) for node in nodes))
    workers = workers or gpus or cores
    each = max(1, min(cores // workers, *(int(node["CPU"]) for node in nodes)) if nodes else 1)
    options = {"num_cpus": each, "num_gpus": int(0 < workers <= gpus), "max_restarts": 0, "max_task_retries": 0}
    # TensorFlow would otherwise start as many threads as the machine has cores in each of its workers.
    threads = {"TF_NUM_INTRAOP_THREADS": str(each), "TF_NUM_INTEROP_THREADS": str(each)}
    options["runtime_env"] = {"env_vars": {**threads, "TF_CPP_MIN_LOG_LEVEL": "3", "MLFLOW_DISABLE_TELEMETRY": "true"}}
    machines = f"{len(nodes)} machine{'s' * (len(nodes) != 1)}"
    gpu = " and a GPU" * options["num_gpus"]
    return workers, options, f"{each} core{'s' * (each != 1)}{gpu} each, on {machines}"


@contextmanager
def connected(address: str = "") -> Iterator:
    """Connect to a Ray cluster, or start Ray here; yield the module ``ray``.

    Nothing is reported to anybody. Ray that is started here has no dashboard, listens on loopback only and asks for a
    secret that nobody else has.

    Raises
    ------
    OptionError
        If Ray is not installed, or there is no cluster.
    """
    if find_spec("ray") is None:
        raise OptionError('--engine ray needs ray; in the repository: pip install -e ".[ray]"')
    address = address or os.environ.get("RAY_ADDRESS", LOCAL)
    quiet = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
    if address == LOCAL:
        # As on macOS and Windows, where it is the default: no other machine can join, all ports are on loopback.
        quiet["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
        quiet |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    if "ray" not in sys.modules:
        # It looks at them once.
        for name, value in quiet.items():
            os.environ.setdefault(name, value)
    import ray

    if ray.is_initialized():
        yield ray
        return
    no_dashboard = {"include_dashboard": False} if address == LOCAL else {}
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, **no_dashboard)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise OptionError(f"address {address}: expected Ray to answer there, found {first_line(error)}") from None
    try:
        yield ray
    finally:
        ray.shutdown()
