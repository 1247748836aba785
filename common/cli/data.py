"""The command ``zoo data``: the command line of the data package."""

from __future__ import annotations

from collections.abc import Sequence

import click
from click.shell_completion import CompletionItem

from common.cli.terminal import AMOUNT

PROGRAM = "zoo data"


class _Data(click.Command):
    """A command whose words the data package parses, and completes."""

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        from sdss_gs.__main__ import make_parser
        from sdss_gs.arguments import completions

        found = completions(make_parser(PROGRAM), ctx.params["arguments"] or (), incomplete)
        items = [CompletionItem(name, help=text) for name, text in found]
        return items or [CompletionItem(incomplete, type="file")]


@click.command(
    "data", cls=_Data, add_help_option=False,
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)  # fmt: skip
@click.argument(
    "arguments", nargs=-1, type=click.UNPROCESSED,
    shell_complete=lambda context, _argument, begun: context.command.shell_complete(context, begun),
)  # fmt: skip
@click.pass_context
def data(context: click.Context, arguments: Sequence[str]) -> int:
    """Run ``zoo data``."""
    from sdss_gs.__main__ import main

    amount = [context.meta[AMOUNT]] if AMOUNT in context.meta else []
    return main([*amount, *arguments], PROGRAM)
