"""What is too much to be run is parsed: every program that it calls must be there, and know every option."""

import ast
import contextlib
import importlib.util
import io
import os
import re
import runpy
import shlex
import subprocess
import sys
import warnings
from unittest.mock import patch

import click
from conftest import ROOT
from packaging.requirements import Requirement

from commands import training
from common.cli.command import zoo as zoo_cli
from common.project import parse_options, read_folder, read_project
from common.runs.failures import report
from sdss_gs.__main__ import make_parser

ELSEWHERE = ("srun", "scontrol", "sbatch", "kubectl")
"""Programs of clusters, which nobody has here."""
PLAIN = ("cd", "export", "head", "cut", "echo", "pytest", "ruff", "git", "curl", "node", ".", "source", "npm", "docker")
MAKES = ("MAKEFLAGS", "MFLAGS", "MAKEOVERRIDES", "MAKELEVEL", "OPTIONS")
"""Variables by which make hands its own options and assignments on."""
ASSIGNMENT = re.compile(r"^[A-Z_]+=\S*$")


def check(text, said):
    """Parse a command line, also inside `bash -c`; return 0, or 1 with what is wrong in `said`."""
    done = subprocess.run(["bash", "-n", "-c", text], capture_output=True, text=True)
    if done.returncode:
        said.write(done.stderr)
        return 1
    for part in re.split(r"\||;|&&", re.sub(r"\$\([^()]*\)", "X", text)):
        words = shlex.split(part, comments=True)
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            try:
                code = _words(words, said)
            except SystemExit as end:
                code = end.code or 0
            except Exception as error:
                code = report(error)
            if code:
                return code
    return 0


def _words(words, said):
    while words and ASSIGNMENT.match(words[0]):
        words = words[1:]
    if not words or words[0] in PLAIN:
        return 0
    if words[0] == "bash" and "-c" in words:
        return check(words[words.index("-c") + 1], said)
    if words[0] in KNOWN:
        return KNOWN[words[0]](words)
    if words[0] in ELSEWHERE or words[:2] == ["ray", "symmetric-run"]:
        inner = next((n for n, word in enumerate(words[1:], 1) if word in (*KNOWN, "bash")), None)
        return _words(words[inner:], said) if inner else 0
    said.write(f"{words[0]}: expected a program that tests/commands knows\n")
    return 1


def _dry(shell):
    if shell:
        shell.how.append("dry")


def _clicked(command, words, name):
    """Parse words as click would for a command and its sub-commands."""
    context = command.make_context(name, list(words))
    if isinstance(command, click.Group):
        name, inner, rest = command.resolve_command(context, [*context._protected_args, *context.args])
        _clicked(inner, rest, name)
    return 0


def _click(command, words, name):
    try:
        return _clicked(command, words, name)
    except click.ClickException as error:
        error.show(sys.stderr)
        return error.exit_code


def zoo(words, shell=None):
    """Parse ``zoo``."""
    _dry(shell)
    return sdss_gs(words[2:]) if words[1] == "data" else _click(zoo_cli, words[1:], "zoo")


def sdss_gs(words, shell=None):
    """Parse ``python -m sdss_gs``."""
    _dry(shell)
    make_parser().parse_args(words)
    return 0


def mlflow(words, shell=None):
    """Parse ``mlflow``; of a run the options of the model folder too."""
    _dry(shell)
    if words[1] != "run":
        return _click(training.mlflow_cli, words[1:], "mlflow")
    folder, arguments = training.resolve(words[2:], ROOT)
    entry_point = arguments[0] if not arguments[0].startswith("-") else "main"
    read = read_folder if folder.name == "x2y" else read_project
    parse_options(read(folder, entry_point), arguments[entry_point != "main" :])
    return 0


def python(words, shell=None):
    """Look for the module that ``python -m`` would run, and for each option in its help."""
    _dry(shell)
    if words[1] != "-m":
        return 0
    if words[2] == "sdss_gs":
        return sdss_gs(words[3:])
    if importlib.util.find_spec(words[2]) is None:
        print(f"{words[2]}: expected a module, found none", file=sys.stderr)
        return 1
    options = {word.partition("=")[0] for word in words[3:] if re.match(r"--\w", word)}
    lacking = options - set(re.findall(r"--[\w-]+", _help(words[2]))) if options else set()
    if lacking:
        print(f"{words[2]}: expected its own options, found {', '.join(sorted(lacking))}", file=sys.stderr)
    return 1 if lacking else 0


def _help(module):
    said = io.StringIO()
    with patch.object(sys, "argv", [module, "--help"]), contextlib.redirect_stdout(said), warnings.catch_warnings():
        # Some of it may have been imported already.
        warnings.simplefilter("ignore", RuntimeWarning)
        with contextlib.suppress(SystemExit):
            runpy.run_module(module, run_name="__main__")
    return said.getvalue()


def make(words, shell=None):
    """Have make say what it would do, as if all were installed, and parse that."""
    _dry(shell)
    # Not with what was given to the make that may have begun these tests.
    theirs = {name: value for name, value in os.environ.items() if name not in MAKES}
    done = subprocess.run(["make", "-n", *words[1:]], cwd=ROOT, capture_output=True, text=True, env=theirs)
    print(done.stderr, file=sys.stderr)
    if done.returncode:
        return done.returncode
    for line in re.sub(r"\\\n\s*", " ", done.stdout).splitlines():
        # How it is installed, and the tests, are other tests' matter.
        found = re.search(r"(?:^|[\s/])((?:mlflow run|zoo|python -m) .*)", line)
        if found and not re.search(r"-m (pip|venv|pytest)\b", line) and (code := check(found[1], sys.stderr)):
            return code
    return 0


def pip(words, shell=None):
    """Parse ``pip install`` and all that it would install; extras are those of setup.py."""
    _dry(shell)
    # Not in this process, where pip and setuptools must not be imported in any order.
    done = subprocess.run([sys.executable, "-m", "pip", "install", "--help"], capture_output=True, text=True)
    known, extras = set(re.findall(r"(?<!\w)--?[\w-]+", done.stdout)), _extras()
    options = [word for word in words[2:] if word.startswith("-")]
    names = [word for word in words[2:] if not word.startswith("-")]
    if lacking := set(options) - known:
        print(f"pip install: expected its own options, found {', '.join(lacking)}", file=sys.stderr)
        return 1
    for name in names:
        wanted = re.search(r"^\.(?:\[(.*)\])?$", name)
        if name.endswith(".txt"):
            lines = (ROOT / name).read_text().splitlines()
            list(map(Requirement, (line for line in lines if line and not line.startswith("#"))))
        elif not wanted:
            Requirement(name)
        elif lacking := set(filter(None, (wanted[1] or "").split(","))) - extras:
            print(f"{name}: expected extras of setup.py, found {', '.join(lacking)}", file=sys.stderr)
            return 1
    return 0


def _extras():
    text = (ROOT / "setup.py").read_text()
    (made,) = (
        node.value for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "EXTRAS"
    )  # fmt: skip
    return {key.value for key in made.keys}


def ray(words, shell=None):
    """Parse ``ray``, where it is installed."""
    _dry(shell)
    if importlib.util.find_spec("ray") is None:
        return 0
    from ray.scripts.scripts import cli

    return _click(cli, words[1:], "ray")


KNOWN = {
    "zoo": zoo, "mlflow": mlflow, "python": python, "python3": python, "make": make, "pip": pip, "ray": ray,
}  # fmt: skip


def quoted(word):
    """Quote a word for a shell, but what a shell is to put into it."""
    return f'"{word}"' if "$(" in word else shlex.quote(word)
