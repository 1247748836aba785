"""Run a command of a page, in this process where its program is ours, else by a shell."""

import contextlib
import io
import itertools
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass

from conftest import ROOT

from commands import dry, programs
from common.runs.failures import report

NAME = re.compile(r"(?<![\w./-])(DS|OTHER|OLD|NEW|D|IN|OUT|DIR|GZ1|FOLDER|I|R|G)(?=$|[\s/])")
MAKES = re.compile(r"\b(?:sdss_gs|zoo data) (sample|spectra|build|import|download|export)\b")
"""Commands that make a folder: what the page calls DS is a new one then."""
SETS = {"DS": "DS", "D": "DS", "OLD": "DS", "NEW": "DS", "OTHER": "OTHER", "GZ1": "DS", "FOLDER": "frames"}
FRAMES = {band.upper(): f"frame-{band}-003918-3-0213.fits.bz2" for band in "irg"}
NOT_FOUND = 127
"""Exit code, as a shell has it."""
QUOTED = re.compile(r"""("[^"]*"|'[^']*'|\\.)|(&&|;|\|)""")


@dataclass(frozen=True)
class Outcome:
    """What came of a command: exit code, what it printed on stdout, all that it printed, and how it was run.

    real; played, against servers that are played; begun, up to the first step of a training; dry, parsed.
    """

    code: int
    out: str
    text: str
    how: str


class Shell:
    """Who types the commands of a block, in a folder of their own.

    Parameters
    ----------
    world : World
    here : Path
        Where it is typed; `cd` changes that.
    real : bool
        Whether anything is run at all; else what would be run is parsed.
    whole : bool
        Whether trainings are run to their end.
    """

    def __init__(self, world, here, real=True, whole=False):
        self.world, self.here, self.home, self.real, self.whole = world, here, here, real, whole
        self.how = []

    def type(self, text):
        """Run a line; return its outcome."""
        self.how, self.out, said, code = [], io.StringIO(), io.StringIO(), 0
        for name in re.findall(r"--output (\S+)", text) + re.findall(r"zoo export .*?(\S+) --format", text):
            # A page may write what another one reads.
            if (self.here / name).is_symlink():
                (self.here / name).unlink()
        for part in split(placed(text, self.world, self.home), "&&", ";"):
            if code := self._pipeline(split(part, "|"), said) if self.real else dry.check(part, said):
                break
        how = next((how for how in ("dry", "begun", "played") if how in self.how), "real") if self.real else "dry"
        return Outcome(code, self.out.getvalue(), said.getvalue() + self.out.getvalue(), how)

    def _pipeline(self, parts, said):
        words = [word for text in words_of(parts[0]) for word in braced(text)]
        program = programs.PROGRAMS.get(words[0])
        words, target = (words[: words.index(">")], words[-1]) if ">" in words else (words, "")
        if program is None or words[1:2] == ["-c"]:
            return self._shell(" | ".join(parts), "", said)
        out = io.StringIO()
        with contextlib.chdir(self.here), contextlib.redirect_stdout(out), contextlib.redirect_stderr(said):
            try:
                code = program(words, self)
            except SystemExit as end:
                code = end.code or 0
            except Exception as error:
                code = report(error)
        if len(parts) > 1 and not code:
            return self._shell(" | ".join(parts[1:]), out.getvalue(), said)
        if target:
            (self.here / target).write_text(out.getvalue())
        else:
            self.out.write(out.getvalue())
        return code

    def _shell(self, text, given, said):
        program = words_of(text)[0]
        if not shutil.which(program, path=os.environ["PATH"]):
            said.write(f"{program}: expected a program that tests/commands knows or that is here, found none\n")
            return NOT_FOUND
        with contextlib.redirect_stdout(self.out), contextlib.redirect_stderr(said):
            return self.sh(text, given)

    def sh(self, text, given=""):
        """Have a real shell run something; print what it printed, return its exit code."""
        done = subprocess.run(
            ["sh", "-c", text], input=given, cwd=self.here, capture_output=True, text=True, timeout=60
        )
        print(done.stdout, end="")
        print(done.stderr, end="", file=sys.stderr)
        return done.returncode


def split(text, *signs):
    """Split a line at signs of the shell that are not quoted."""
    parts = [""]
    for piece in filter(None, QUOTED.split(text)):
        if piece in signs:
            parts.append("")
        else:
            parts[-1] += piece
    return [part.strip() for part in parts]


def words_of(text):
    """Split a command into words as a shell does, the sign > apart."""
    lexer = shlex.shlex(text, posix=True, punctuation_chars=">")
    lexer.whitespace_split = True
    lexer.commenters = ""
    return list(lexer)


def braced(word):
    """Expand ``a{b,c}d``."""
    parts = re.split(r"\{([^{}\s\"]*,[^{}\s\"]*)\}", word)
    choices = [part.split(",") if number % 2 else [part] for number, part in enumerate(parts)]
    return ["".join(chosen) for chosen in itertools.product(*choices)] if len(parts) > 1 else [word]


def placed(text, world, home):
    """Say of the names that stand for something of the reader's where that is here."""
    making, kind = MAKES.search(text), re.search(r"\bimport (\w+)", text)

    def path(found):
        name = found[1]
        if name in FRAMES:
            return FRAMES[name]
        if name == "IN":
            return str(home / "catalogue.csv" if kind[1] == "catalogue" else world.folder / "in" / kind[1])
        if name == "DIR" and (not making or "--templates" in text[: found.start()]):
            return str(world.folder / "templates")
        new = name == "OUT" or (making and making[1] != "export" and name in ("DS", "D", "DIR"))
        return str(home / "new" / name if new else world.folder / SETS[name])

    if making and not re.fullmatch(r".* build DIR", text):
        shutil.rmtree(home / "new", ignore_errors=True)
    text = NAME.sub(path, text)
    text = re.sub(r"(?<=[\s=])/(data|shared)/", lambda found: f"{home}/{found[1]}/", text)
    return text.replace("<this repository>", str(ROOT))


def run(command, world, **how):
    """Run one command line in a new folder of a world; for `how` see `Shell`."""
    return Shell(world, world.place(f"line-{len(list((world.folder / 'typed').glob('*')))}"), **how).type(command)
