"""Maps of a data set as a model sees it."""

import json
import re
import sys

import mlflow
import numpy as np
import pytest
from conftest import survey_rows, write_survey
from helpers import needed
from helpers.several import FUNCTIONS, patchy_rows
from helpers.stores import new_store
from mlflow import MlflowClient

from common import train
from common.backend import keras
from common.judge.maps.draw import Mapped, html_page, sprite
from common.judge.maps.reduce import available, reduce
from common.training import pool
from sdss_gs.errors import ZooError
from sdss_gs.schema import OUTPUTS
from sdss_gs.split import split

RNG = np.random.default_rng(0)


def mapped(n=30):
    pictures = [np.full((150, 150, 3), 8 * k, np.uint8) for k in range(n)]
    part = np.repeat(["train", "validation"], n // 2)
    places = {"pca": RNG.normal(size=(n, 2))}
    return Mapped("i2s", OUTPUTS["subclass"], np.arange(n) + 2**60, part, np.arange(n) % 3, places, pictures)


@pytest.mark.parametrize("method", ["pca", "tsne", pytest.param("umap", marks=needed.minutes)])
def test_alike_objects_lie_together(method):
    centres = RNG.normal(0, 10, (2, 8))
    features = np.concatenate([centre + RNG.normal(0, 1, (40, 8)) for centre in centres])
    places = reduce(features.astype(np.float32), method)
    means = places[:40].mean(axis=0), places[40:].mean(axis=0)
    apart = np.linalg.norm(means[0] - means[1])
    assert apart > 2 * np.linalg.norm(places[:40] - means[0], axis=1).mean()
    np.testing.assert_array_equal(places, reduce(features.astype(np.float32), method))


def test_missing_package_and_too_few_objects_are_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "umap", None)
    monkeypatch.setattr("common.judge.maps.reduce.find_spec", lambda name: None)
    methods, note = available(["pca", "umap"])
    assert methods == ["pca"]
    assert 'pip install -e ".[umap]"' in note
    with pytest.raises(ZooError, match="expected at least 10 objects, found 3"):
        reduce(np.zeros((3, 4), np.float32), "pca")


def test_page_holds_every_object_and_its_picture():
    found = mapped()
    page = html_page(found)
    data = json.loads(re.search(r"const data = (\{.*\});", page).group(1))
    assert data["objid"] == [str(objid) for objid in found.objid]
    assert data["classes"] == ["AGN", "BROADLINE", "STARBURST"]
    assert len(data["maps"]["PCA"]) == 30
    assert not re.search(r'(src|href)="(?!data:)', page)
    sheet, side = sprite(found), data["side"]
    for number in (0, 7, 29):
        y, x = divmod(number, data["columns"])
        assert sheet[y * side + 5, x * side + 5, 0] == 8 * number


def colour_of_the_middle(img):
    """Turn the middle's mean colour into features: enough here, and quick."""
    return keras.layers.Dense(8)(keras.layers.GlobalAveragePooling2D()(keras.layers.CenterCrop(20, 20)(img)))


def test_champion_draws_maps_of_its_data(tmp_path, monkeypatch, repository, capsys, without_light_form):
    uri = new_store(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.chdir(tmp_path)
    mlflow.set_tracking_uri(uri)
    folder = write_survey(tmp_path / "survey", survey_rows(80), ("img",))
    options = ["--ds", str(folder), "--epochs", "1"]
    assert train._run(repository / "i2g", {"middle": colour_of_the_middle}, options) == 0
    assert train._run(repository / "i2g", {}, ["embed", "--ds", str(folder), "--maps", "pca"]) == 0
    assert "PROJECTOR" in capsys.readouterr().out
    run, *_ = MlflowClient().search_runs(["0"], order_by=["attributes.start_time DESC"], max_results=1)
    files = {file.path for where in ("", "plots") for file in MlflowClient().list_artifacts(run.info.run_id, where)}
    assert {"map.html", "plots/map_pca.png"} <= files
    (folder,) = (repository / "i2g" / "logs").glob(f"*{run.info.run_id[:8]}*/map")
    rows = (folder / "features.tsv").read_text().splitlines()
    assert len(rows) == len((folder / "labels.tsv").read_text().splitlines()) - 1
    assert "pictures.png" in (folder / "projector_config.pbtxt").read_text()


def test_map_of_several_inputs_shows_the_objects_that_have_the_first_output(
    tmp_path, monkeypatch, repository, without_light_form
):
    # Of so few objects a pool is chosen in fewer steps.
    monkeypatch.setattr(pool, "STEPS", 40)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri := new_store(tmp_path))
    mlflow.set_tracking_uri(uri)
    monkeypatch.chdir(tmp_path)
    rows = patchy_rows(120)
    folder = write_survey(tmp_path / "survey", rows)
    options = ["--ds", str(folder), "--epochs", "1", "--inputs", "bands,wise", "--outputs", "redshift,subclass"]
    assert train._run(repository / "x2y", FUNCTIONS, options) == 0
    assert train._run(repository / "x2y", FUNCTIONS, ["embed", "--ds", str(folder), "--maps", "pca"]) == 0
    run, *_ = MlflowClient().search_runs(["0"], order_by=["attributes.start_time DESC"], max_results=1)
    page = mlflow.artifacts.load_text(f"{run.info.artifact_uri}/map.html")
    shown = json.loads(re.search(r"const data = (\{.*\});", page).group(1))["objid"]
    usable = [row for number, row in enumerate(rows) if number % 10 != 3 and (row["redshift"] or row["subclass"])]
    parts = split(np.array([int(row["objid"]) for row in usable]))
    seen = [usable[number] for part in ("train", "validation") for number in parts[part]]
    assert set(shown) == {row["objid"] for row in seen if row["redshift"]}
