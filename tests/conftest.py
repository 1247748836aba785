"""Small data sets in the SDSS-GS layout, written by hand so that each test knows every value."""

import contextlib
import io
import os
import resource
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
from helpers.skips import pytest_addoption, pytest_sessionfinish, pytest_terminal_summary  # noqa: F401 - hooks
from PIL import Image

from sdss_gs.formats.img import LARGEST_FILE_SIDE
from sdss_gs.schema import INPUTS, OPTIONAL, OUTPUTS, QUANTITIES, WAVELENGTH, in_windows

ROOT = Path(__file__).resolve().parent.parent
FIRST_ID = 1237648720693755918
SLOWEST = (
    "test_several.py", "test_training.py", "test_pages.py", "test_end_to_end.py", "test_together.py",
    "test_notebooks.py", "test_backbones.py", "test_sweep.py", "test_adapt.py", "test_champion.py", "test_start.py",
    "test_benchmarks.py", "test_maps.py", "test_rail.py", "test_light_networks.py", "test_shift.py",
    "test_own_split.py", "test_jax.py", "test_from_python.py", "test_sweep_outputs.py", "test_own.py",
    "test_site.py", "test_ray.py", "test_store_location.py", "test_weights.py", "test_elsewhere_page.py",
    "test_serve_page.py", "test_evaluate.py", "test_surround.py",
)  # fmt: skip
"""Files of tests that train or start processes; each takes over a quarter of a minute."""
COLUMNS = ("objid", "class", *(name for name in QUANTITIES if name not in OPTIONAL), "subclass", "gz2c_s")


def pytest_configure():
    """Undo what a shell does to commands in the background, and pytest-xdist to its workers: they ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if "PYTEST_XDIST_WORKER" in os.environ:
        # Each worker has a core: threads of TensorFlow would only take it from the other one.
        for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
            os.environ.setdefault(name, "1")


def pytest_collection_modifyitems(items):
    """Begin with the files that take longest, so that no process ends with one of them while the other has none."""
    items.sort(key=lambda item: SLOWEST.index(item.path.name) if item.path.name in SLOWEST else len(SLOWEST))


def write_spectrum(path, wavelength, best_fit):
    lines = ["Wavelength,Flux,BestFit,SkyFlux"]
    lines += [f"{w:.3f},{value + 0.5:.3f},{value:.3f},0.000" for w, value in zip(wavelength, best_fit, strict=True)]
    path.write_text("\r\n".join(lines) + "\r\n")


def write_image(path, level, size=(150, 150)):
    pixels = np.full((size[1], size[0], 3), level, np.uint8)
    pixels[size[1] // 2 - 5 : size[1] // 2 + 5, size[0] // 2 - 5 : size[0] // 2 + 5] = 255 - level
    Image.fromarray(pixels).save(path, quality=95)


def cutout(level):
    """A cut-out of a level with a square half as bright in its middle."""
    pixels = np.full((61, 61, 5), level, np.float32)
    pixels[25:36, 25:36] /= 2
    return pixels


def survey_rows(n, seed=0):
    """Catalogue rows whose magnitudes, and images, tell the redshift."""
    rng = np.random.default_rng(seed)
    redshift = rng.uniform(0.02, 0.3, n)
    rows = []
    for number, z in enumerate(redshift):
        row = dict.fromkeys(COLUMNS, "")
        row |= {"objid": str(FIRST_ID + 7 * number), "class": "GALAXY", "redshift": f"{z:.5f}"}
        colours = np.array([2.5, 1.2, 0, -0.4, -0.7]) * (1 + z)
        magnitudes = 16.5 + colours + rng.normal(0, 0.02, 5)
        row |= {f"modelMag_{band}": f"{m:.4f}" for band, m in zip("ugriz", magnitudes, strict=True)}
        row |= {f"w{k}mag": f"{14 - k + 2 * z + rng.normal(0, 0.05):.3f}" for k in (1, 2, 3, 4)}
        row["stellarmass"] = f"{10 ** (10 + 3 * z):.6g}"
        row["subclass"] = OUTPUTS["subclass"].classes[int(z > 0.15) * 3]
        row["gz2c_s"] = OUTPUTS["gz2c"].classes[1 + int(z > 0.15)]
        rows.append(row)
    return rows


def write_survey(folder, rows, inputs=()):
    """Write a data set; files of each input follow from the row's redshift."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [",".join(COLUMNS), *(",".join(row[column] for column in COLUMNS) for row in rows)]
    (folder / "data.csv").write_text("\n".join(lines) + "\n")
    table = np.round(10.0 ** (np.arange(35900, 39600) * 1e-4), 3)
    for name in inputs:
        (folder / name).mkdir(exist_ok=True)
        for row in rows:
            path, z = folder / name / f"{row['objid']}{INPUTS[name].suffix}", float(row["redshift"])
            if name == "img":
                write_image(path, int(40 + 600 * z))
            elif name == "fits":
                np.save(path, cutout(z))
            else:
                wavelength = table if name == "spectra" else table[in_windows(table)]
                write_spectrum(path, wavelength, z * wavelength / 1000)
    return folder


@pytest.fixture
def survey(tmp_path):
    """Make a survey of 12 objects with every input."""
    return write_survey(tmp_path / "survey", survey_rows(12), ("img", "fits", "spectra", "ssel"))


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """Copy the model folders and work there, so that logs, store and files of a test stay out of the real ones."""
    root = tmp_path_factory.mktemp("repository") / "zoo"
    root.mkdir()
    shutil.copy(ROOT / "conda.yaml", root)
    for project in ROOT.glob("*/MLproject"):
        folder = root / project.parent.name
        folder.mkdir()
        for name in ("MLproject", "train.py"):
            shutil.copy(project.parent / name, folder)
    with contextlib.chdir(root):
        yield root


@pytest.fixture
def without_light_form(monkeypatch):
    """Leave out what takes a fifth of a short run, and has tests of its own (tests/models, tests/networks)."""
    from helpers.light import leave_out

    leave_out(monkeypatch)


@pytest.fixture(autouse=True)
def signals_as_they_were():
    """An interrupted run ignores further interruptions, and so would every process that a later test starts."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(autouse=True)
def own_environment(monkeypatch, tmp_path):
    """Keep the user's data set, cache and MLflow settings out of the tests."""
    for name in [name for name in os.environ if name.startswith("MLFLOW_") or name in ("SDSS_GS", "ZOO_LAUNCH_FOLDER")]:
        monkeypatch.delenv(name)
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    # A test has the shipped models that it makes.
    monkeypatch.setenv("ZOO_SHIPPED", str(tmp_path / "shipped"))


@pytest.fixture
def wavelengths():
    return WAVELENGTH


def wide_image():
    """A PNG one pixel wider than the zoo takes any."""
    file = io.BytesIO()
    Image.new("RGB", (LARGEST_FILE_SIDE + 1, 8)).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def full_disk():
    """Let no file grow beyond so many bytes until told otherwise."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size or soft, hard))
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
