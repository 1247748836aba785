"""Models that come with the zoo."""

import json
import os
import re
import shutil
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT, survey_rows, write_survey
from helpers.bare import bare
from helpers.shipped import ABOUT, ship_by_hand
from helpers.stores import unpack_store
from helpers.trained import MAGNITUDES, by_hand
from mlflow import MlflowClient

from common.cli.command import main
from common.cli.doctor import as_data, examine
from common.models.library import champions
from common.models.opening import load
from common.models.shipped import CARDS, shipped_folder, shipped_models
from common.runs.store_location import ORIGIN_TAG
from common.serve.served_models import open_served
from common.shift.diagnose import stored_reference
from sdss_gs.errors import ZooError
from sdss_gs.origin import SAMPLE

SEEN = (MAGNITUDES + np.random.default_rng(1).normal(0, 1, (40, 5))).astype(np.float32)
EXAMPLE = ROOT / "examples" / "galaxies.csv"
CHAMPION = "zoo b2r: your champion b2r/1; the shipped model is b2r@shipped"


@pytest.fixture
def no_store(tmp_path, monkeypatch):
    """Have no store."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/none.db")
    monkeypatch.setattr("mlflow.tracking._tracking_service.utils._tracking_uri", None)


@pytest.fixture
def store(tmp_path, monkeypatch):
    """Have a store with a champion b2r/1."""
    monkeypatch.setattr("mlflow.tracking._tracking_service.utils._tracking_uri", None)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{unpack_store(tmp_path / 'store')}")


@pytest.fixture
def b2r(tmp_path):
    """Ship a b2r; return the folder."""
    ship_by_hand(shipped_folder(), by_hand(), tmp_path)
    return shipped_folder()


@pytest.fixture
def catalogue(tmp_path):
    """Write forty galaxies."""
    path = tmp_path / "galaxies.csv"
    pd.DataFrame(SEEN, columns=list("ugriz")).to_csv(path, index_label="id")
    return path


def test_shipped_model_answers_by_its_name_where_the_store_has_none(b2r, no_store):
    model = load("b2r")
    assert (model.name, model.version, model.runtime.name) == ("b2r", "shipped", "onnxruntime")
    expected = by_hand().predict(SEEN)
    np.testing.assert_allclose(model.predict(SEEN)["redshift"], expected["redshift"], rtol=1e-5)
    pd.testing.assert_frame_equal(load("b2r@shipped").predict(SEEN), model.predict(SEEN), check_exact=True)
    assert load("b2r", "keras").runtime.name == "keras"


def test_champion_of_the_user_wins_and_that_is_said(b2r, store, catalogue, tmp_path, capsys):
    assert main(["predict", "b2r", "--input", str(catalogue), "--output", str(tmp_path / "mine.csv")]) == 0
    assert CHAMPION in capsys.readouterr().err
    assert main(["predict", "b2r@shipped", "--input", str(catalogue), "--output", str(tmp_path / "theirs.csv")]) == 0
    assert "your champion" not in capsys.readouterr().err
    mine, theirs = (pd.read_csv(tmp_path / f"{name}.csv")["redshift"] for name in ("mine", "theirs"))
    np.testing.assert_allclose(theirs, by_hand().predict(SEEN)["redshift"], rtol=1e-4)
    assert not np.allclose(mine, theirs)
    assert main(["info", "b2r@shipped"]) == 0
    assert capsys.readouterr().out.startswith("# The shipped b2r")
    # This champion has no card; that of another model is not shown instead.
    assert main(["info", "b2r"]) == 1
    assert not capsys.readouterr().out


def test_champion_of_generated_galaxies_does_not_answer_for_real_ones(b2r, store, catalogue, tmp_path, capsys):
    MlflowClient(os.environ["MLFLOW_TRACKING_URI"]).set_model_version_tag("b2r", "1", ORIGIN_TAG, SAMPLE)
    shipped, mine = load("b2r"), load("b2r/1")
    assert (shipped.version, mine.version) == ("shipped", "1")
    pd.testing.assert_frame_equal(shipped.predict(SEEN), load("b2r@shipped").predict(SEEN), check_exact=True)
    assert main(["predict", "b2r", "--input", str(catalogue), "--output", str(tmp_path / "out.csv")]) == 0
    assert "zoo b2r: the shipped model; yours, no champion from real galaxies, by its version\n" in (
        capsys.readouterr().err
    )
    assert main(["list"]) == 0
    yours, _, theirs = capsys.readouterr().out.partition("\nshipped ")
    assert "b2r/1: learnt from synthetic galaxies, and opened by this name; b2r alone: shipped" in yours
    assert "b2r@shipped" not in theirs
    # What opens all of yours opens it by its own name.
    assert [entry.address for entry in champions() if entry.name == "b2r"] == ["b2r/1"]
    assert open_served(["b2r"])["b2r"].model.version == "shipped"
    assert main(["report", "b2r@shipped"]) == 1
    assert "b2r@shipped: expected a run with a report.html, found a model that ships" in capsys.readouterr().err


@pytest.mark.parametrize(("way", "expected"), [("best", "b2r"), ("one2one", "b2r|ss2r")])
def test_all_that_ship_answer_together_where_the_store_has_no_model(b2r, no_store, tmp_path, capsys, way, expected):
    """Of a galaxy with a spectrum too, the one with the better score; its score stands on its card."""
    ship_by_hand(b2r, by_hand("ss2r"), tmp_path)
    survey = write_survey(tmp_path / "survey", survey_rows(3), ("ssel",))
    output = tmp_path / "out.csv"
    assert main(["predict", way, "--input", str(survey), "--output", str(output)]) == 0
    assert f"{way}: b2r (shipped), ss2r (shipped)\n" in capsys.readouterr().out
    assert pd.read_csv(output)["redshift_models"].tolist() == [expected] * 3


def test_own_models_answer_together_without_those_that_ship(b2r, store, catalogue, tmp_path, capsys):
    client = MlflowClient(os.environ["MLFLOW_TRACKING_URI"])
    # This store has only the record of it.
    client.delete_registered_model("x2y")
    command = ["predict", "best", "--input", str(catalogue), "--output", str(tmp_path / "out.csv"), "--overwrite"]
    assert main(command) == 0
    assert "best: b2r (1)\n" in capsys.readouterr().out
    client.set_model_version_tag("b2r", "1", ORIGIN_TAG, SAMPLE)
    assert main(command) == 0
    assert "best: b2r (shipped)\n" in capsys.readouterr().out


def test_predictions_on_stdout_are_csv_and_nothing_else(b2r, no_store, catalogue, tmp_path, capsys):
    assert main(["predict", "b2r", "--input", str(catalogue), "--output", "-"]) == 0
    said = capsys.readouterr()
    assert main(["predict", "b2r", "--input", str(catalogue), "--output", str(tmp_path / "there.csv")]) == 0
    assert said.out == (tmp_path / "there.csv").read_text()
    assert "stdout: 40 rows" in said.err
    capsys.readouterr()
    assert main(["predict", "b2r", "--input", str(tmp_path / "none.csv"), "--output", "-"]) == 1
    assert not capsys.readouterr().out
    assert main(["predict", "b2r", "--input", str(catalogue), "--output", "-", "--pdf", "grid"]) == 1
    assert capsys.readouterr().err == (
        "error: --output -: expected a file for --pdf grid, found stdout, on which rows are CSV\n"
    )


def test_commands_find_it_without_tensorflow_and_mlflow(b2r, catalogue, tmp_path):
    code = """
from common.cli.command import main
import sys
for command in (["predict", "b2r"], ["embed", "b2r@shipped"]):
    assert main([*command, "--input", "galaxies.csv", "--output", command[0] + ".parquet"]) == 0
assert main(["info", "b2r"]) == 0
assert main(["list"]) == 0
"""
    done = bare(code, cwd=tmp_path, env={"MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/none.db"})
    assert done.returncode == 0, done.stderr
    assert "# The shipped b2r" in done.stdout
    assert len(pd.read_parquet(tmp_path / "predict.parquet")) == len(pd.read_parquet(tmp_path / "embed.parquet")) == 40


def test_list_tells_yours_and_shipped_apart_and_names_what_is_lacking(b2r, store, tmp_path, capsys):
    ship_by_hand(b2r, by_hand("b2s"), tmp_path)
    assert main(["list", "--all"]) == 0
    yours, shipped, lacking = (part.splitlines() for part in capsys.readouterr().out.split("\n\n"))
    assert re.match(r"yours +version +test score +data$", yours[0])
    assert re.match(r"b2r +1 ", yours[1])
    assert re.match(r"shipped +test score +learnt from +licence$", shipped[0])
    facts = " +".join(ABOUT.values())
    for name, line in zip(("b2r@shipped", "b2s"), shipped[1:], strict=True):
        assert re.match(f"{name} +{facts}$", line)
    assert any(re.match(r"i2r +there are too few real images", line) for line in lacking)
    assert any(re.match(r"s2r +mlflow run s2r --no-conda trains one", line) for line in lacking)
    assert not any(line.startswith(("b2r ", "b2s ")) for line in lacking)
    # Every model folder stands somewhere.
    listed = {line.split()[0].removesuffix("@shipped") for line in (*yours[1:], *shipped[1:], *lacking[1:])}
    assert {path.parent.name for path in ROOT.glob("*/MLproject")} <= listed


def test_without_any_model_list_says_how_to_train_one(no_store, capsys):
    assert main(["list"]) == 0
    assert capsys.readouterr().out == (
        "No trained model in this store yet: mlflow run b2r --no-conda trains one in a minute.\n"
    )


def test_service_opens_it_with_its_card(b2r, no_store):
    (served,) = open_served(None).values()
    described = served.description()
    assert (described["name"], described["version"], described["card"]) == ("b2r", "shipped", "/models/b2r/card")
    assert described["report"] is described["run"] is None


def test_file_that_is_not_the_one_that_shipped_is_not_opened(b2r, no_store, capsys):
    path = b2r / "b2r.zoo"
    path.write_bytes(path.read_bytes() + b"x")
    sums = shipped_models()["b2r"].sha256
    with pytest.raises(ZooError, match=f"b2r.zoo: expected sha256 {sums}, found [0-9a-f]+; install the zoo again"):
        load("b2r")
    (finding,) = (one for one in as_data(examine())["findings"] if one["subject"] == "b2r@shipped")
    assert (finding["state"], "expected sha256" in finding["text"]) == ("BROKEN", True)
    path.unlink()
    assert main(["predict", "b2r", "--input", "x.csv", "--output", "y.csv"]) == 1
    assert re.fullmatch(
        r"error: b2r@shipped: expected .*b2r.zoo, found no such file; install the zoo again\n", capsys.readouterr().err
    )


@pytest.mark.parametrize("content", ["{", "[]", '{"b2r": {"sha256": "0"}}', '{"b2r": 1}'])
def test_index_that_is_none_is_one_clear_line(content, no_store, capsys):
    shipped_folder().mkdir()
    (shipped_folder() / "index.json").write_text(content)
    assert main(["info", "b2r"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert re.match(r"error: .*index.json: expected the list of shipped models, found .*; install the zoo again", line)


def test_what_does_not_ship_or_is_no_model_of_the_store_is_one_clear_line(b2r, no_store, tmp_path, capsys):
    for command, expected in (
        (["info", "b2s@shipped"], r"b2s@shipped: expected a shipped model \(b2r\), found no b2s"),
        (["info", "b2s"], "b2s: expected a trained model with a card.md, found none; see zoo list"),
        (["report", "b2r"], "b2r: expected a run with a report.html, found a model that ships, .* zoo info b2r"),
        (
            ["export", "b2r", str(tmp_path / "out")],
            "b2r: expected a model of the store, found b2r@shipped, which every zoo has",
        ),
    ):
        assert main(command) == 1
        assert re.fullmatch(f"error: {expected}\n", capsys.readouterr().err), command
    assert not (tmp_path / "out").exists()


def test_same_model_ships_as_the_same_bytes(tmp_path):
    model = by_hand()
    ship_by_hand(tmp_path / "one", model, tmp_path / "first")
    # Keras notes in its file when it was saved, by the second.
    time.sleep(1.1)
    ship_by_hand(tmp_path / "other", model, tmp_path / "second")
    one, other = ((tmp_path / name / "b2r.zoo").read_bytes() for name in ("one", "other"))
    assert one == other


def test_doctor_counts_them(b2r, no_store):
    (finding,) = (one for one in as_data(examine())["findings"] if one["subject"] == "shipped models")
    assert (finding["state"], finding["text"]) == ("ok", "1: b2r")


def test_every_file_of_the_package_is_in_its_index(monkeypatch):
    monkeypatch.delenv("ZOO_SHIPPED")
    folder = shipped_folder()
    assert folder == ROOT / "common" / "shipped"
    models = shipped_models()
    expected = {f"{name}.{ending}" for name in models for ending in ("zoo", *CARDS)} | {"index.json"}
    assert {path.name for path in folder.iterdir()} == expected
    for name in models:
        model = load(f"{name}@shipped")
        # What zoo shift compares a survey with.
        assert (model.name, len(stored_reference(model)) >= 1000) == (name, True)
        assert json.loads((folder / f"{name}.card.json").read_text())
    sizes = [path.stat().st_size for path in folder.iterdir()]
    assert max(sizes) <= 2e6
    assert sum(sizes) <= 8e6


def test_weights_are_held_once_though_a_file_opens_in_both_runtimes(no_store, tmp_path):
    ship_by_hand(shipped_folder(), by_hand("s2r"), tmp_path)
    seen = np.random.default_rng(2).normal(17, 1, (3, 3522)).astype(np.float32)
    by_keras, light = (load("s2r@shipped", runtime) for runtime in ("keras", "onnxruntime"))
    np.testing.assert_allclose(light.predict(seen)["redshift"], by_keras.predict(seen)["redshift"], atol=2e-5)
    assert (shipped_folder() / "s2r.zoo").stat().st_size < 1.2 * 4 * by_keras.network.count_params()


# === What is installed, and the example ===


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Build the wheel, install it without its dependencies; return the folder."""
    scratch = tmp_path_factory.mktemp("wheel")
    base, build, wheel = f"--egg-base={scratch}", f"--build-base={scratch}/build", f"--dist-dir={scratch}"
    command = [sys.executable, "setup.py", "-q", "egg_info", base, "build", build, "bdist_wheel", wheel]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (archive,) = scratch.glob("*.whl")
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
        "--no-compile",
        str(archive),
    ]
    subprocess.run([*command, "--target", str(scratch / "site")], check=True, capture_output=True)
    return scratch / "site"


def elsewhere(site, folder, code):
    """Run Python with an installed package, without the repository."""
    environment = {key: value for key, value in os.environ.items() if key != "ZOO_SHIPPED"}
    environment |= {"PYTHONPATH": str(site), "MLFLOW_TRACKING_URI": f"sqlite:///{folder}/none.db"}
    return subprocess.run([sys.executable, "-c", code], cwd=folder, env=environment, capture_output=True, text=True)


def test_wheel_has_every_shipped_file_and_predicts_without_the_repository(installed, tmp_path):
    shipped = ROOT / "common" / "shipped"
    assert {path.name for path in (installed / "common" / "shipped").iterdir()} == {
        path.name for path in shipped.iterdir()
    }
    assert sorted(path.name for path in installed.iterdir() if path.suffix != ".dist-info") == [
        "bin",
        "common",
        "sdss_gs",
    ]
    shutil.copy(EXAMPLE, tmp_path)
    code = """
import common, sdss_gs, sys
from common.cli.command import main
print(common.__file__, sdss_gs.__file__, file=sys.stderr)
sys.exit(main(["predict", "b2r", "--input", "galaxies.csv", "--output", "-"]))
"""
    done = elsewhere(installed, tmp_path, code)
    assert done.returncode == 0, done.stderr
    assert f"{installed}/common/__init__.py {installed}/sdss_gs/__init__.py" in done.stderr
    assert str(ROOT) not in done.stderr
    assert len(done.stdout.splitlines()) == 9
    done = elsewhere(installed, tmp_path, "from common.cli.command import main; main(['info', 'b2r'])")
    assert done.stdout.strip() == (shipped / "b2r.card.md").read_text().strip()


def test_example_holds_what_spectra_say_within_the_intervals_of_galaxies(no_store, monkeypatch, capsys):
    monkeypatch.delenv("ZOO_SHIPPED")
    table, model = pd.read_csv(EXAMPLE), load("b2r@shipped")
    found = model.predict(table)
    galaxies = (table["spectroscopic_class"] == "GALAXY").to_numpy()
    assert (found["flag"].to_numpy()[galaxies] == 0).all()
    assert (found["flag"].to_numpy()[~galaxies] != 0).all()
    error = (found["redshift"] - table["spectroscopic_redshift"]) / (1 + table["spectroscopic_redshift"])
    assert np.abs(error[galaxies]).max() < 0.05
