"""How much a command says while it works: progress bars, and the logger ``zoo``, both on stderr.

Records are one line each, ``<time> <level> <logger> <event> key=value …``, so that programs can read them as well.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time

LOG = logging.getLogger("zoo")
QUIET, USUAL, VERBOSE = logging.ERROR, logging.WARNING, logging.INFO


class _Lines(logging.Handler):
    """Writes above the progress bar, to what is stderr now."""

    def emit(self, record: logging.LogRecord) -> None:
        from tqdm import tqdm

        tqdm.write(self.format(record), file=sys.stderr)


def add_options(*parsers: argparse.ArgumentParser) -> None:
    """Give commands ``--verbose`` and ``--quiet``, which set ``amount``."""
    for parser in parsers:
        _add_options(parser.add_mutually_exclusive_group())


def _add_options(amount) -> None:
    for name, level, text in (
        ("--verbose", VERBOSE, "also say on stderr what is opened and done"),
        ("--quiet", QUIET, "no progress bar, no warnings"),
    ):
        # No default: that of a sub-command would undo what was typed before it.
        amount.add_argument(
            name, dest="amount", action="store_const", const=level, default=argparse.SUPPRESS, help=text
        )


def set_up(level: int = USUAL) -> None:
    """Say this much: QUIET, USUAL or VERBOSE."""
    LOG.setLevel(level)
    if not any(isinstance(handler, _Lines) for handler in LOG.handlers):
        handler = _Lines()
        lines = logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s", "%Y-%m-%dT%H:%M:%SZ")
        lines.converter = time.gmtime
        handler.setFormatter(lines)
        LOG.addHandler(handler)


def hidden(worth_it: bool = True) -> bool | None:
    """Return what tqdm takes as ``disable``: True where no bar is wanted, None to show one on terminals only."""
    return None if worth_it and LOG.level < QUIET else True
