"""A Python in which only what requirements-predict.txt brings can be imported."""

import functools
import os
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, packages_distributions, requires

from conftest import ROOT
from packaging.requirements import Requirement

LIGHT = ROOT / "requirements-predict.txt"
# Hidden, not refused: whoever asks whether a package is there is told that it is not.
_HIDE = """
import sys
from importlib.machinery import PathFinder

class Bare(PathFinder):
    hidden = {hidden!r}

    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.partition(".")[0] in cls.hidden else super().find_spec(name, path, target)

sys.meta_path[sys.meta_path.index(PathFinder)] = Bare
"""


def light_requirements():
    """Lines of requirements-predict.txt, parsed."""
    return [Requirement(line) for line in LIGHT.read_text().splitlines() if line and not line.startswith("#")]


@functools.cache
def hidden_packages(*more):
    """Names of all packages here that neither requirements-predict.txt nor `more` bring, by way of others either."""
    brought, waiting = set(), [*(one.name for one in light_requirements()), *more]
    while waiting:
        name = normal(waiting.pop())
        if name in brought:
            continue
        try:
            lines = requires(name) or []
        except PackageNotFoundError:
            continue
        brought.add(name)
        needed = map(Requirement, lines)
        waiting += [one.name for one in needed if not one.marker or one.marker.evaluate({"extra": ""})]
    ours = {"common", "sdss_gs"} | set(sys.stdlib_module_names)
    return {
        package for package, owners in packages_distributions().items() if brought.isdisjoint(map(normal, owners))
    } - ours


def normal(name):
    return name.lower().replace("_", "-")


def bare(code, *more, **options):
    """Run code in such a Python, with some packages more; extra words are arguments of `subprocess.run`."""
    code = _HIDE.format(hidden=hidden_packages(*more)) + code
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    environment = os.environ | {"PYTHONPATH": path} | options.pop("env", {})
    return subprocess.run([sys.executable, "-c", code], text=True, capture_output=True, env=environment, **options)
