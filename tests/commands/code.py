"""Blocks of other languages than a console's: run, or looked at as far as that goes without what they need."""

import ast
import importlib
import importlib.util
import io
import re
import subprocess
import warnings

import numpy as np
import yaml
from conftest import ROOT
from helpers import needed

from commands import dry
from common.cli.command import zoo

NAMESPACES = {}


def given(world):
    """Make what the code of the pages takes as the reader's own."""
    import pandas as pd

    galaxies = pd.read_csv(world.folder / "catalogue.csv")
    bands = galaxies.filter(like="modelMag_").to_numpy(np.float32)
    wise = np.full((len(bands), 4), 12.0, np.float32)
    return {
        "galaxies": galaxies, "others": galaxies.drop(columns="redshift"), "bands": bands, "zeros": 0 * wise,
        "magnitudes": bands, "infrared": wise,
    }  # fmt: skip


def run(block, world):
    """Run Python in the namespace of its page."""
    names = NAMESPACES.setdefault(block.page, {"__name__": "page", **given(world)})
    with warnings.catch_warnings():
        # In one line a file is opened, written and left to Python.
        warnings.simplefilter("ignore", ResourceWarning)
        exec(compile(block.text, str(block), "exec"), names)


def check_fragment(block):
    """Compile Python, and import what it imports; another's package must be said to be installed."""
    tree = ast.parse(block.text)
    extras = (ROOT / "setup.py").read_text()
    for node in ast.walk(tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module] if isinstance(node, ast.ImportFrom) else []
        for name in names:
            package = name.partition(".")[0]
            if importlib.util.find_spec(package) is None:
                assert f"pip install {package}" in block.text or package in extras, f"{block}: {name}"
                continue
            module = importlib.import_module(name)
            if isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    assert hasattr(module, alias.name), f"{block}: {name} has no {alias.name}"


def check_javascript(block, here):
    """Have node parse it; tests/elsewhere runs it."""
    (here / "page.mjs").write_text(block.text)
    command = [needed.program("node"), "--check", "page.mjs"]
    done = subprocess.run(command, cwd=here, capture_output=True, text=True)
    assert done.returncode == 0, f"{block}: {done.stderr}"


def check_script(block):
    """Parse a script of the shell, and every command of ours in it."""
    done = subprocess.run(["bash", "-n"], input=block.text, capture_output=True, text=True)
    assert done.returncode == 0, f"{block}: {done.stderr}"
    said = io.StringIO()
    for line in re.sub(r"\\\n\s*", " ", block.text).splitlines():
        if line.strip() and not line.startswith("#") and not re.match(r"\w+=\$\(", line):
            assert dry.check(line, said) == 0, f"{block}: {line}: {said.getvalue()}"


def check_yaml(block):
    """Read it, and parse every command in it."""
    said, found = io.StringIO(), yaml.safe_load(block.text)
    assert isinstance(found, dict | list), str(block)
    for command in re.findall(r"\b(?:entrypoint|command|run): (.+)", block.text):
        assert dry.check(command, said) == 0, f"{block}: {command}: {said.getvalue()}"


def check_nginx(block):
    """Look whether its braces are closed, its lines end, and the port is that of the service."""
    assert block.text.count("{") == block.text.count("}"), str(block)
    for line in filter(None, map(str.strip, block.text.splitlines())):
        assert line[-1] in ";{}", f"{block}: {line}"
    (port,) = (option.default for option in zoo.get_command(None, "serve").params if option.name == "port")
    assert f"127.0.0.1:{port};" in block.text, str(block)
