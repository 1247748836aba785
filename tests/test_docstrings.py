"""What docstrings promise: public functions of three parameters or more describe each, and the examples work."""

import ast
import doctest
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts): path.read_text()
    for package in ("common", "sdss_gs")
    for path in sorted((ROOT / package).rglob("*.py"))
}
MANY = 3


def documented_functions(source: str) -> Iterator[ast.FunctionDef]:
    """Public functions and methods with a docstring; a method without one only overrides another."""
    tree = ast.parse(source)
    classes = (node.body for node in tree.body if isinstance(node, ast.ClassDef) and node.name[0] != "_")
    for node in (node for body in (tree.body, *classes) for node in body):
        function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if function and node.name[0] != "_" and ast.get_docstring(node) and not is_command(node):
            yield node


def is_command(function: ast.FunctionDef) -> bool:
    """Whether the docstring is a help text of the command line, where every option has one of its own."""
    return any(ast.unparse(decorator).startswith("command(") for decorator in function.decorator_list)


def parameters_of(function: ast.FunctionDef) -> set[str]:
    found = function.args
    several = [argument for argument in (found.vararg, found.kwarg) if argument]
    return {one.arg for one in (*found.posonlyargs, *found.args, *found.kwonlyargs, *several)} - {"self", "cls"}


def described_in(docstring: str) -> set[str]:
    """Names in the section Parameters; several may share a line, as in ``low, high : float``."""
    section = re.search(r"^Parameters\n-+\n(.*?)(?=\n\n\w+\n-+\n|\Z)", docstring, re.MULTILINE | re.DOTALL)
    heads = re.findall(r"^\S.*$", section[1], re.MULTILINE) if section else []
    return {name.strip(" *") for head in heads for name in head.split(" : ")[0].split(",")}


def undescribed(source: str) -> list[str]:
    found = []
    for function in documented_functions(source):
        expected, described = parameters_of(function), described_in(ast.get_docstring(function))
        if (described or len(expected) >= MANY) and described != expected:
            found.append(f"{function.name}: expected {sorted(expected)}, found {sorted(described)}")
    return found


@pytest.mark.parametrize("name", SOURCES)
def test_parameters_are_described(name):
    assert not undescribed(SOURCES[name])


@pytest.mark.parametrize(
    ("parameters", "section", "good"),
    [
        ("a, b", "", True),
        ("a, b, c", "", False),
        ("a, b, *c", "a, b : int\n*c\n    As for `g`.", True),
        ("a, b, c", "a, b : int", False),
        ("a, b", "a, b, gone : int", False),
    ],
)
def test_what_counts_as_described(parameters, section, good):
    lines = ["Do it.", "", "Parameters", "----------", *section.split("\n"), "", "Returns", "-------", "int"]
    docstring = "\n    ".join(lines if section else lines[:1])
    assert (not undescribed(f'def f({parameters}):\n    """{docstring}\n    """')) == good


@pytest.mark.parametrize("name", [name for name, source in SOURCES.items() if ">>> " in source])
def test_examples_work(name, capsys):
    tried = doctest.testmod(importlib.import_module(name))
    assert tried.attempted
    assert not tried.failed, capsys.readouterr().out
