"""What the commands of ``zoo`` share: their help, ``--quiet``, ``--verbose``, and options of several values."""

from __future__ import annotations

import functools
import sys
from collections.abc import Collection, Sequence
from importlib.abc import MetaPathFinder
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from common.cli.catalogue import COMMANDS
from sdss_gs import logs
from sdss_gs.errors import did_you_mean
from sdss_gs.terminal import BOLD, paint

PATH = click.Path(path_type=Path)
AMOUNT = "common.cli.amount"
"""Where click's context keeps which of ``--quiet`` and ``--verbose`` was given."""
OPEN = "common.cli.open"
"""Where it keeps the option of several values that stands last."""


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


class Choice(click.Choice):
    """One of a few words; another one is told which is near."""

    def get_invalid_choice_message(self, value: object, ctx: click.Context | None) -> str:
        """Say what was expected and what was found."""
        meant = did_you_mean(str(value), self.choices)
        return f"expected one of {', '.join(self.choices)}, found {str(value)!r}{meant}"


def explained(error: click.ClickException) -> str:
    """Say in one line what is wrong with a command line, and which help says more."""
    context, text = getattr(error, "ctx", None), error.format_message()
    path = context.command_path if context else "zoo"
    if isinstance(error, click.NoSuchOption):
        known = [flag for option in context.command.get_params(context) for flag in option.opts if "-" in flag]
        text = f"{error.option_name}: unknown option{did_you_mean(error.option_name, known)}"
    elif isinstance(error, click.BadParameter) and not isinstance(error, click.MissingParameter) and error.param:
        text = f"{error.param.get_error_hint(context).strip(chr(39))}: {error.message}"
    return f"{path}: {' '.join(text.split())} ({path} --help)"


class Formatter(click.HelpFormatter):
    """Writes headings that are bold on a terminal."""

    def write_heading(self, heading: str) -> None:
        """Write a heading."""
        super().write_heading(paint(heading, BOLD))


class Context(click.Context):
    """What a command was started with."""

    formatter_class = Formatter


class Command(click.Command):
    """A command with `amount_options`, whose options may be `Several`, and whose help begins with examples."""

    context_class = Context

    def __init__(self, name: str, **settings):
        about = COMMANDS[name]
        super().__init__(name, **settings | {"help": f"{about.summary} {about.more}".strip()})
        self.params += amount_options()

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write what the command does, and examples."""
        super().format_help_text(ctx, formatter)
        with formatter.section("Examples"):
            for example in COMMANDS[self.name].examples:
                formatter.write(f"  {example}\n")

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse as click does, which wants an option anew before each of its values."""
        several = {flag: option for option in self.params if isinstance(option, Several) for flag in option.opts}
        spelled = repeat_flags(args, several)
        # What a word that is being typed belongs to, if nothing else claims it.
        ctx.meta[OPEN] = several.get(spelled[-2]) if len(spelled) > 1 else None
        try:
            return super().parse_args(ctx, spelled)
        except click.UsageError as error:
            # Click does not always say which command's options were wrong.
            error.ctx = error.ctx or ctx
            raise

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """List what an option of several values takes next, or the options."""
        if (option := ctx.meta.get(OPEN)) and not incomplete.startswith("-"):
            return option.shell_complete(ctx, incomplete)
        return super().shell_complete(ctx, incomplete)


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
