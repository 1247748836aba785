"""What a terminal shows: help of one screen, tables that fit, colours; and what a pipe gets."""

import os
import pty
import re
import sys
import termios

import pytest

from common.cli.catalogue import COMMANDS
from common.cli.command import main
from sdss_gs import __version__, terminal
from sdss_gs.terminal import print_table, width

ESCAPE = re.compile(r"\x1b\[[0-9;]*m")
TABLE = [
    ("model", "objects", "note"),
    ("b2r", "13,441", "spectra of galaxies, made of templates, by the equivalent width of Hα"),
    ("Größe", "7", "星系星系星系星系星系星系星系星系星系星系星系星系星系星系"),
    ("e\u0301e\u0301", "-1.5e3", ""),
]


@pytest.fixture
def screen(monkeypatch):
    """Return what makes a terminal of so many columns of stdout, and then returns what it was shown."""
    for name in ("NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")

    def show(action, columns=80):
        monkeypatch.setenv("COLUMNS", str(columns))
        reader, writer = pty.openpty()
        # Otherwise each line would end with a carriage return as well.
        settings = termios.tcgetattr(writer)
        settings[1] &= ~termios.OPOST
        termios.tcsetattr(writer, termios.TCSANOW, settings)
        with open(writer, "w", encoding="utf-8") as stream, monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", stream)
            action()
            stream.write("\x00")
            stream.flush()
            shown = b""
            while not shown.endswith(b"\x00"):
                shown += os.read(reader, 65536)
        os.close(reader)
        return shown.decode()[:-1]

    return show


def plain(text):
    return ESCAPE.sub("", text)


@pytest.mark.parametrize("columns", [80, 200])
def test_help_is_one_screen_with_three_examples_and_every_command(screen, columns):
    shown = plain(screen(lambda: main(["--help"]), columns))
    lines = shown.splitlines()
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80
    assert len(re.findall(r"^  (zoo|mlflow) ", shown, re.MULTILINE)) == 3
    for name in COMMANDS:
        assert re.search(rf"^\S* ?\S* +{name}  ", shown, re.MULTILINE), name
    assert plain(screen(lambda: main([]), columns)) == shown


def test_version_is_that_of_the_package(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"zoo {__version__}\n"


@pytest.mark.parametrize("columns", [20, 40, 80])
def test_table_is_no_wider_than_the_terminal_and_aligned(screen, columns):
    head, *lines = plain(screen(lambda: print_table(TABLE), columns)).splitlines()
    assert max(map(width, (head, *lines))) <= columns
    assert any("…" in line for line in lines)
    # Numbers end where their column does, also behind marks that are wide or none.
    if columns > 20:
        numbers = zip(lines, ("13,441", "7", "-1.5e3"), strict=True)
        assert len({width(line[: line.index(number) + len(number)]) for line, number in numbers}) == 1


def test_pipe_gets_whole_cells_without_colour(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "20")
    print_table(TABLE)
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert [line.split("  ")[-1].strip() for line in out.splitlines()[:3]] == [row[2] for row in TABLE[:3]]
    assert out.splitlines()[1].startswith("b2r    13,441   spectra")


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, True), ({"NO_COLOR": "0"}, False), ({"NO_COLOR": ""}, True), ({"TERM": "dumb"}, False),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, False),
    ],
)  # fmt: skip
def test_colours_of_a_terminal_follow_its_settings(screen, monkeypatch, variables, expected):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert ("\x1b[" in screen(lambda: print_table(TABLE))) == expected
    assert ("\x1b[" in screen(lambda: main(["--help"]))) == expected
    assert ("\x1b[" in screen(lambda: main(["doctor", "--ds", "nowhere"]))) == expected


@pytest.mark.parametrize("name", ["FORCE_COLOR", "CLICOLOR_FORCE"])
def test_colours_are_forced_into_a_pipe(monkeypatch, capsys, name):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv(name, "1")
    assert main(["--help"]) == 0
    assert main(["nonsense"]) == 2
    written = capsys.readouterr()
    assert "\x1b[" in written.out
    assert written.err.startswith("\x1b[")


def test_nothing_that_is_piped_has_a_colour(capsys):
    for arguments in (["--help"], ["list"], ["doctor", "--ds", "nowhere"], ["predict", "--help"], ["nonsense"]):
        main(arguments)
    written = capsys.readouterr()
    assert "\x1b" not in written.out + written.err


def test_long_findings_of_the_doctor_are_broken_between_words_and_commands_are_not(screen):
    shown = plain(screen(lambda: main(["doctor", "--ds", "nowhere"]), 60))
    assert all(len(line) <= 60 for line in shown.splitlines() if "→" not in line and "/" not in line)
    assert re.search(r"^BROKEN  data set", shown, re.MULTILINE)


def test_shortened_text_leaves_no_colour_behind():
    assert terminal.shortened("\x1b[1mgalaxies\x1b[0m", 5) == "\x1b[1mgala…\x1b[0m"
