"""What the commands of ``zoo`` share: ``--quiet``, ``--verbose``, options of several values, and tables."""

from __future__ import annotations

import functools
import sys
from collections.abc import Collection, Sequence
from importlib.abc import MetaPathFinder
from pathlib import Path

import click

from sdss_gs import logs

PATH = click.Path(path_type=Path)
AMOUNT = "common.cli.amount"
"""Where click's context keeps which of ``--quiet`` and ``--verbose`` was given."""


def _set_amount(context: click.Context, option: click.Parameter, given: bool) -> None:
    if not given:
        return
    if context.meta.setdefault(AMOUNT, option.opts[0]) != option.opts[0]:
        raise click.UsageError("expected --quiet or --verbose, found both")
    logs.set_up(logs.QUIET if option.name == "quiet" else logs.VERBOSE)


def amount_options() -> list[click.Parameter]:
    """Return the options ``--verbose`` and ``--quiet``, which act by themselves."""
    return [
        click.Option([name], is_flag=True, expose_value=False, callback=_set_amount, help=text)
        for name, text in (
            ("--verbose", "also say on stderr what is opened and done"),
            ("--quiet", "no progress bar, no warnings"),
        )
    ]


class Several(click.Option):
    """An option that takes what follows it, up to the next option: ``--input a.fits b.fits``."""

    def __init__(self, *declarations, **settings):
        super().__init__(*declarations, multiple=True, **settings)


class Command(click.Command):
    """A command with `amount_options`, whose options may be `Several`."""

    def __init__(self, *declarations, **settings):
        super().__init__(*declarations, **settings)
        self.params += amount_options()

    def parse_args(self, context: click.Context, arguments: list[str]) -> list[str]:
        """Parse as click does, which wants an option anew before each of its values."""
        flags = {flag for option in self.params if isinstance(option, Several) for flag in option.opts}
        return super().parse_args(context, repeat_flags(arguments, flags))


def repeat_flags(arguments: Sequence[str], flags: Collection[str]) -> list[str]:
    """Put the flag before each value that follows it.

    >>> repeat_flags(["b2r", "--input", "a", "b", "--id", "x", "i2r"], {"--input"})
    ['b2r', '--input', 'a', '--input', 'b', '--id', 'x', 'i2r']
    """
    spelled: list[str] = []
    current = ""
    for argument in arguments:
        if argument.startswith("-"):
            current = argument if argument in flags else ""
        elif current and spelled[-1] != current:
            spelled.append(current)
        spelled.append(argument)
    return spelled


command = functools.partial(click.command, cls=Command)


def print_table(lines: Sequence[Sequence[str]]) -> None:
    """Print lines of cells, each column as wide as its widest cell."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


class _Hidden(MetaPathFinder):
    """Hides pandas from an import."""

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> None:
        """Look for a module."""
        if fullname == "pandas":
            raise ImportError(fullname)


def arrow_without_pandas() -> None:
    """Have Arrow look for pandas while it cannot be found: it loads it to make its first array of anything.

    That is a fifth of the time of a small prediction, which has no table of pandas. Only where ``zoo`` is a process of
    its own: in one of somebody else Arrow would not know tables of pandas any more.
    """
    if not click.get_current_context().obj:
        return
    import pyarrow as pa

    finder = _Hidden()
    sys.meta_path.insert(0, finder)
    try:
        pa.array([0])
    finally:
        sys.meta_path.remove(finder)
