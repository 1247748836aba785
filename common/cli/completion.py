"""Completion in a shell: ``zoo completion bash``, and what the shell then asks for each word."""

from __future__ import annotations

import click
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    add_completion_class,
    get_completion_class,
    shell_complete,
)

from common.cli.terminal import Choice, command

COMPLETE = "_ZOO_COMPLETE"
"""Environment variable with which a shell asks."""
SHELLS = {
    "bash": 'eval "$(zoo completion bash)" in ~/.bashrc',
    "zsh": 'eval "$(zoo completion zsh)" in ~/.zshrc, after compinit',
    "fish": "zoo completion fish | source in ~/.config/fish/config.fish",
}


@add_completion_class
class _Bash(BashComplete):
    """Takes words together that bash takes apart: ``b2r@shipped`` is three to it."""

    def get_completion_args(self) -> tuple[list[str], str]:
        words, begun = super().get_completion_args()
        self.cut = ""
        if begun == "@" or (words and words[-1] == "@"):
            whole = [*words, begun]
            at = len(whole) - 1 - whole[::-1].index("@")
            begun, words = "".join(whole[max(at - 1, 0) :]), whole[: max(at - 1, 0)]
            self.cut = begun.partition("@")[0] + "@" * (whole[-1] != "@")
        return words, begun

    def format_completion(self, item: CompletionItem) -> str:
        return super().format_completion(CompletionItem(str(item.value).removeprefix(self.cut), item.type))


@command("completion", epilog="\n\n".join(f"For {name}: {line}" for name, line in SHELLS.items()))
@click.argument("shell", type=Choice(list(SHELLS)), help="which shell")
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Run ``zoo completion``."""
    root = context.find_root()
    click.echo(get_completion_class(shell)(root.command, {}, "zoo", COMPLETE).source())


def complete(zoo: click.Command, instruction: str) -> int:
    """Answer a shell; whatever goes wrong, nothing is printed into the line that is being typed.

    Parameters
    ----------
    zoo : click.Command
    instruction : str
        ``bash_complete``, ``bash_source`` and the like.
    """
    try:
        return shell_complete(zoo, {}, "zoo", COMPLETE, instruction)
    except Exception:
        return 1
