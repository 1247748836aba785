"""Bounds on memory and time within which a reader must be done with any file."""

import resource
import signal
import warnings
from contextlib import contextmanager

MEGABYTES, SECONDS = 768, 10


class TooSlowError(BaseException):
    """No `Exception`: what catches all of them must not hide that a reader hangs."""


@contextmanager
def bounded(megabytes=MEGABYTES, seconds=SECONDS):
    """Give what runs inside so much more memory, and so much time; warnings are what users may see, not errors."""
    old = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (_data() + megabytes * 2**20, old[1]))
    handler = signal.signal(signal.SIGALRM, _late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        resource.setrlimit(resource.RLIMIT_DATA, old)


def _late(*_):
    raise TooSlowError


def _data():
    """Bytes of this process that count against the limit."""
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmData")) * 1024
