"""Completion in a shell: ``zoo completion bash``, and what the shell then asks for each word."""

from __future__ import annotations

import click
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    FishComplete,
    ZshComplete,
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
    """Takes words together that bash takes apart: ``b2r@shipped`` and ``--pdf=grid`` are three to it."""

    def get_completion_args(self) -> tuple[list[str], str]:
        words, begun = super().get_completion_args()
        if begun == "=":
            begun = ""
        elif words[-1:] == ["="]:
            words.pop()
        elif words[-1:] == ["@"]:
            begun = words.pop() + begun
        self.known = words.pop() if begun.startswith("@") and words else ""
        return words, self.known + begun

    def format_completion(self, item: CompletionItem) -> str:
        # Bash replaces no more than the last word, which begins with the @.
        return super().format_completion(CompletionItem(str(item.value).removeprefix(self.known), item.type))


class _Whole:
    """What zsh and fish want to hear: the word from its beginning, ``--pdf=grid``."""

    known = ""

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem]:
        name, sign, _ = incomplete.partition("=")
        self.known = name + sign if sign and name.startswith("--") else ""
        return super().get_completions(args, incomplete)

    def format_completion(self, item: CompletionItem) -> str:
        return super().format_completion(CompletionItem(f"{self.known}{item.value}", item.type, item.help))


@add_completion_class
class _Zsh(_Whole, ZshComplete):
    pass


@add_completion_class
class _Fish(_Whole, FishComplete):
    pass


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
