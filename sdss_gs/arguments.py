"""Command lines of the standard library's kind: errors of one line that say what was meant, examples in the help."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Iterator, Sequence

from sdss_gs.errors import did_you_mean
from sdss_gs.examples import EXAMPLES
from sdss_gs.terminal import BOLD, paint, print_error

EXAMPLES_HEAD = "examples:"
"""Line that begins what a help text shows as it is."""


class Help(argparse.HelpFormatter):
    """Leaves examples as they are, and wraps what stands before them."""

    def start_section(self, heading: str | None) -> None:
        """Begin a section; its heading is bold on a terminal."""
        super().start_section(paint(heading or "", BOLD))

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        fill = super()._fill_text
        return "\n\n".join(
            part if EXAMPLES_HEAD in part.split("\n")[0] else fill(part, width, indent) for part in text.split("\n\n")
        )


class HelpWithDefaults(Help, argparse.ArgumentDefaultsHelpFormatter):
    """Also says the default of each option."""


class Parser(argparse.ArgumentParser):
    """A parser whose users are told in one line what is wrong, and what they may have meant."""

    def error(self, message: str):
        """End the process with exit code 2."""
        print_error(f"{self.prog}: {self.explained(message)} ({self.prog} --help)")
        sys.exit(2)

    def explained(self, message: str) -> str:
        """Add to a message of the library which of the known options, commands or choices is near."""
        if found := re.match(r"unrecognized arguments: (--?[\w-]+)", message):
            return f"{found[1]}: unknown option{did_you_mean(found[1], self.options())}"
        if found := re.match(r"argument (.+?): invalid choice: '(.*)' \(choose from (.*)\)", message):
            choices = [choice.strip(" '") for choice in found[3].split(",")]
            meant = did_you_mean(found[2], choices)
            return f"{found[1]}: expected one of {', '.join(choices)}, found {found[2]!r}{meant}"
        return message

    def parse_args(self, args: Sequence[str] | None = None, namespace=None):
        """Parse; what is wrong with an option is said by the command that it was given to."""
        given, unknown = self.parse_known_args(args, namespace)
        if unknown:
            getattr(given, "parser", self).error(f"unrecognized arguments: {' '.join(unknown)}")
        return given

    def options(self) -> list[str]:
        """List the options."""
        return [flag for action in self._actions for flag in action.option_strings]


def with_examples(text: str, program: str, examples: Sequence[str]) -> str:
    """Return a description that ends with example commands.

    Parameters
    ----------
    text : str
    program : str
        What each of the commands begins with.
    examples : sequence of str
        What follows it.
    """
    lines = [paint(EXAMPLES_HEAD, BOLD), *(f"  {program} {example}".rstrip() for example in examples)]
    return "\n\n".join([text.strip(), "\n".join(lines)])


def add_command(commands, name: str, function: Callable, text: str, description: str = "") -> Parser:
    """Add a command to a parser's sub-commands, with the examples that there are of it.

    Parameters
    ----------
    commands : argparse action
        What ``add_subparsers`` returned.
    name : str
    function : callable
        Takes the parsed options and returns an exit code.
    text, description : str
        A line for the list of commands; what its own help says, if that is more.
    """
    command = commands.add_parser(name, help=text, formatter_class=HelpWithDefaults)
    command.description = with_examples(description or text, command.prog, EXAMPLES[name])
    command.set_defaults(command=function, parser=command)
    return command


def completions(parser: argparse.ArgumentParser, arguments: Sequence[str], begun: str) -> Iterator[tuple[str, str]]:
    """Yield what may stand where a user is typing, each with a help text; nothing where that is a file.

    Parameters
    ----------
    parser : argparse.ArgumentParser
    arguments : sequence of str
        Words before that place.
    begun : str
        What stands there already.
    """
    # The library keeps what it was told in these places only.
    if arguments and (option := parser._option_string_actions.get(arguments[-1])) and option.nargs != 0:
        yield from _starting(dict.fromkeys(map(str, option.choices or ()), ""), begun)
        return
    places = [action for action in parser._actions if not action.option_strings]
    for number, word in enumerate(arguments):
        for action in places:
            if isinstance(action, argparse._SubParsersAction) and word in action.choices:
                yield from completions(action.choices[word], arguments[number + 1 :], begun)
                return
    if begun.startswith("-"):
        named = {flag: action.help or "" for action in parser._actions for flag in action.option_strings}
        yield from _starting({flag: text.replace("%%", "%") for flag, text in named.items()}, begun)
        return
    for action in places:
        if isinstance(action, argparse._SubParsersAction):
            yield from _starting({choice.dest: choice.help or "" for choice in action._choices_actions}, begun)
        elif action.choices and not set(map(str, action.choices)) & set(arguments):
            yield from _starting(dict.fromkeys(map(str, action.choices), ""), begun)


def _starting(known: dict[str, str], begun: str) -> Iterator[tuple[str, str]]:
    yield from ((name, text) for name, text in known.items() if name.startswith(begun))
