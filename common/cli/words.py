"""What a shell completes that only the zoo knows: the names of models."""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem

from common.cli.terminal import OPEN


class ModelName(click.ParamType):
    """The name of a trained model, or the folder of an exported one.

    Parameters
    ----------
    ways : bool
        Whether ``best`` and ``one2one`` may stand for several.
    """

    name = "model"

    def __init__(self, ways: bool = False):
        self.ways = ways

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """List the names that begin so; folders where there is none.

        Parameters
        ----------
        ctx, param, incomplete
            As click has them: the command so far, what of it is completed, and what is typed.
        """
        if (option := ctx.meta.get(OPEN)) and option is not param:
            return option.shell_complete(ctx, incomplete)
        # Only here: what looks into the store is not needed to parse.
        from common.models.names import WAYS, begin_with

        found = begin_with(incomplete)
        if self.ways:
            found |= {name: "all trained models together" for name in WAYS if name.startswith(incomplete)}
        items = [CompletionItem(name, help=text) for name, text in found.items()]
        return items or [CompletionItem(incomplete, type="dir")]
