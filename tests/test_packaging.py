import re
import subprocess
import sys
import tomllib
from importlib.metadata import distribution, entry_points

import mlflow  # noqa: F401 - loads the plug-ins, as every MLflow process does
import yaml
from conftest import ROOT
from packaging.requirements import Requirement

from sdss_gs import __version__


def declared(extra):
    """Requirements of setup.py as the installed package declares them."""
    lines = distribution("sdss-zoo").requires
    return {line.split(";")[0].strip() for line in lines if ("extra ==" in line) == extra}


def declared_by(extra):
    """Requirements of one extra."""
    return {line.split(";")[0].strip() for line in distribution("sdss-zoo").requires if f'extra == "{extra}"' in line}


def normalised(requirement):
    name, bounds = re.match(r"([A-Za-z0-9_.-]+)(.*)", requirement).groups()
    return name.lower(), frozenset(bounds.replace(" ", "").split(","))


def test_conda_yaml_installs_what_setup_declares():
    dependencies = yaml.safe_load((ROOT / "conda.yaml").read_text())["dependencies"]
    (pip,) = [entry["pip"] for entry in dependencies if isinstance(entry, dict)]
    assert {normalised(line) for line in pip} == {normalised(line) for line in declared(extra=False)}


def test_every_library_that_is_imported_is_declared():
    known = {"umap": "umap-learn", "yaml": "pyyaml", "PIL": "pillow", "sklearn": "scikit-learn"}
    known |= {"astropy_healpix": "astropy-healpix", "python_multipart": "python-multipart", "qp": "qp-prob"}
    known |= {"rail": "pz-rail-base"}
    imported = set()
    for package in ("common", "sdss_gs", "i2r", "b2r"):
        for path in (ROOT / package).rglob("*.py"):
            imported |= set(re.findall(r"^\s*(?:import|from) (\w+)", path.read_text(), re.MULTILINE))
    third_party = imported - set(sys.stdlib_module_names) - {"common", "sdss_gs"}
    extras = set().union(
        *(declared_by(extra) for extra in ("serve", "umap", "export", "ray", "jax", "postgresql", "rail"))
    )
    names = {normalised(line)[0] for line in declared(extra=False) | extras}
    assert {known.get(name, name) for name in third_party} <= names


def test_version_has_one_home():
    assert distribution("sdss-zoo").version == __version__
    assert f"version: {__version__}" in (ROOT / "CITATION.cff").read_text()
    assert f"## {__version__}" in (ROOT / "CHANGELOG.md").read_text()


def test_plug_in_is_registered_with_mlflow():
    (provider,) = [point for point in entry_points(group="mlflow.run_context_provider") if point.name == "zoo"]
    assert provider.load()().tags() == {"zoo.version": __version__}


def test_data_package_does_not_import_the_training_core_and_nobody_imports_models():
    for path in (ROOT / "sdss_gs").rglob("*.py"):
        assert not re.search(r"^\s*(import|from) (common|keras|tensorflow|mlflow)\b", path.read_text(), re.MULTILINE), (
            path
        )
    models = "|".join(project.parent.name for project in ROOT.glob("*/MLproject"))
    for package in ("sdss_gs", "common"):
        for path in (ROOT / package).rglob("*.py"):
            assert not re.search(rf"^\s*(import|from) ({models})\b", path.read_text(), re.MULTILINE), path


def test_code_is_clean_for_ruff():
    for command in (["check"], ["format", "--check"]):
        done = subprocess.run([sys.executable, "-m", "ruff", *command, str(ROOT)], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout


def test_python_version_is_the_same_everywhere():
    target = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"].get("target-version")
    assert target == "py311"
    assert "python=3.11" in (ROOT / "conda.yaml").read_text()
    assert distribution("sdss-zoo").metadata["Requires-Python"] == ">=3.11"


def test_lock_holds_every_requirement_within_its_range_with_hashes():
    text = (ROOT / "requirements.lock").read_text()
    pins = {}
    for name, version in re.findall(r"^([a-z0-9-]+)==([^ ]+)", text, re.MULTILINE):
        pins.setdefault(name, set()).add(version)
    tested = re.search(r"^TESTED = (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE).group(1).split(",")
    for line in declared(extra=False).union(*map(declared_by, tested)):
        needed = Requirement(line)
        assert pins.get(needed.name), f"{needed.name}: make lock"
        assert all(needed.specifier.contains(version) for version in pins[needed.name]), f"{needed}: make lock"
    assert len(re.findall(r"^[a-z0-9-]+==", text, re.MULTILINE)) == len(
        re.findall(r"^[a-z0-9-]+==.*\\\n    --hash=", text, re.MULTILINE)
    )
