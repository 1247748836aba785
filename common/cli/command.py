"""The command ``zoo``: use trained models without writing a line of Python.

Each command is imported when it, or its help, is asked for, and imports what it needs itself: what only lists, shows or
helps answers at once.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence

import click
from click.shell_completion import CompletionItem

from common.cli.catalogue import COMMANDS, FIRST
from common.cli.completion import COMPLETE, complete
from common.cli.terminal import Context, amount_options, explained
from common.runs.failures import report
from sdss_gs import __version__, logs
from sdss_gs.errors import did_you_mean
from sdss_gs.terminal import BOLD, coloured, paint, print_error

INTERRUPTED = 130
"""Exit code, as a shell has it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code: 0, 1 for an error, 2 for a wrong option, 130 when interrupted."""
    if arguments is None and COMPLETE in os.environ:
        return complete(zoo, os.environ[COMPLETE])
    logs.set_up()
    try:
        # Not zoo.main(), which has exit codes of its own for a closed pipe and for an interruption.
        given = list(sys.argv[1:] if arguments is None else arguments)
        # The object that commands share says whether this process is theirs alone.
        with zoo.make_context("zoo", given or ["--help"], obj=arguments is None, color=coloured(sys.stdout)) as context:
            code = zoo.invoke(context)
        sys.stdout.flush()
        return code or 0
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.ClickException as error:
        print_error(explained(error))
        return error.exit_code
    except BrokenPipeError:
        # The reader, head for instance, has seen enough; Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        return report(error)
    except KeyboardInterrupt:
        print("\ninterrupted; what is finished is kept, the same command goes on", file=sys.stderr)
        return INTERRUPTED


class Zoo(click.Group):
    """All of the commands of the catalogue."""

    context_class = Context

    def list_commands(self, ctx: click.Context) -> list[str]:
        """List the names of the commands, as the help shows them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].place.partition(":")
        return getattr(importlib.import_module(f"common.cli.{module}"), name)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple:
        """Find the command that is asked for, or say which one may be meant."""
        if args[0] not in COMMANDS and not ctx.resilient_parsing:
            raise click.UsageError(f"{args[0]}: unknown command{did_you_mean(args[0], COMMANDS)}", ctx)
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """List the commands that begin so, without importing them, or the options."""
        if incomplete.startswith("-"):
            return click.Command.shell_complete(self, ctx, incomplete)
        return [
            CompletionItem(name, help=about.summary) for name, about in COMMANDS.items() if name.startswith(incomplete)
        ]

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write a help that fits a screen: examples, and the commands by what they are for."""
        formatter.write_text(f"{paint('zoo', BOLD)} {__version__}: redshifts, masses, classes and shapes of galaxies")
        formatter.write_paragraph()
        formatter.write("".join(f"  {example}\n" for example in FIRST))
        formatter.write_paragraph()
        room, before, rows = max(len(about.section) for about in COMMANDS.values()), "", []
        for name, about in COMMANDS.items():
            section = "" if about.section == before else about.section
            rows.append((f"{paint(section, BOLD)}{'':{room - len(section)}}  {name}", about.summary))
            before = about.section
        formatter.write_dl(rows)
        formatter.write_paragraph()
        formatter.write_text("zoo COMMAND --help: options, examples; also --verbose, --quiet, --version")


zoo = click.version_option(__version__, message="zoo %(version)s")(
    Zoo(
        "zoo",
        params=amount_options(),
        no_args_is_help=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120, "show_default": True},
    )
)

if __name__ == "__main__":
    sys.exit(main())
