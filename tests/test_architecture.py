"""The house: arrows between rooms lead downwards only, and no import leads in a circle."""

import ast

import pytest
from conftest import ROOT

FLOORS = (
    "common.train",
    "common.cli",
    "common.elsewhere",
    "common.serve",
    "common.training",
    "common.shift",
    "common.judge",
    "common.predict",
    "common.models",
    "common.data",
    "common.runs",
    "common.project",
    "common.options",
    "common.networks",
    "common.outputs",
    "common.backend",
    "common.processor",
    "sdss_gs",
)
"""From the top down; a room may import those below it. docs/architecture.md draws them."""


def modules():
    """Every module of the packages, by dotted name."""
    found = {}
    for path in [*ROOT.glob("common/**/*.py"), *ROOT.glob("sdss_gs/**/*.py")]:
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


def imported(name):
    """The modules of the packages that a module names, also inside functions and for type checking."""
    path, found = MODULES[name], set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            parts = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
            base = ".".join(parts[: len(parts) - node.level + 1]) + "." if node.level else ""
            whole = (base + (node.module or "")).rstrip(".")
            found |= {f"{whole}.{alias.name}" if f"{whole}.{alias.name}" in MODULES else whole for alias in node.names}
    return {other for other in found if other in MODULES and other != name}


def floor(name):
    return next(number for number, room in enumerate(FLOORS) if name == room or name.startswith(f"{room}."))


@pytest.mark.parametrize("name", sorted(set(MODULES) - {"common"}))
def test_arrows_lead_downwards(name):
    upwards = sorted(other for other in imported(name) - {"common"} if floor(other) < floor(name))
    assert not upwards, f"{name} imports from above: {upwards}"


def test_no_circle():
    graph = {name: imported(name) for name in MODULES}
    done, path = set(), []

    def visit(name):
        assert name not in path, " -> ".join([*path[path.index(name) :], name])
        if name in done:
            return
        path.append(name)
        for other in sorted(graph[name]):
            visit(other)
        path.pop()
        done.add(name)

    for name in graph:
        visit(name)
