"""The command ``zoo data``: the command line of the data package."""

from __future__ import annotations

from collections.abc import Sequence

import click
from click.shell_completion import CompletionItem

from common.cli.terminal import AMOUNT

PROGRAM = "zoo data"


class _Words(click.ParamType):
    """The words of a command line that the data package parses."""

    name = "words"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        from sdss_gs.__main__ import make_parser
        from sdss_gs.arguments import completions

        given = ctx.params.get(param.name) or ()
        found = [CompletionItem(name, help=text) for name, text in completions(make_parser(PROGRAM), given, incomplete)]
        return found or [CompletionItem(incomplete, type="file")]


@click.command(
    "data", add_help_option=False, context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False}
)
@click.argument("arguments", nargs=-1, type=_Words())
@click.pass_context
def data(context: click.Context, arguments: Sequence[str]) -> int:
    """Run ``zoo data``."""
    from sdss_gs.__main__ import main

    amount = [context.meta[AMOUNT]] if AMOUNT in context.meta else []
    return main([*amount, *arguments], PROGRAM)
