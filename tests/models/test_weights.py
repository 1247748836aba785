"""How shipped models are made, on generated tables, and that what ships is what was made."""

import json
from hashlib import sha256

import numpy as np
import pandas as pd
import pytest
from conftest import survey_rows

from common.models.opening import load
from common.models.shipped import FOLDER, INDEX
from sdss_gs.errors import DataError
from sdss_gs.schema import BANDS
from weights import __main__ as weights
from weights import recipe, tables
from weights.sources import SOURCES, check_sources

COUNT = 90


@pytest.fixture
def sources(tmp_path):
    """Tables as the recipe's, of generated galaxies: each third raw, and one in two tables."""
    rows, rng = pd.DataFrame(survey_rows(COUNT)), np.random.default_rng(0)
    number = np.arange(COUNT)
    table = pd.DataFrame({band: rows[f"modelMag_{band}"].astype(float) for band in BANDS})
    table = table.assign(**{f"err_{band}": np.where(number % 2, 0.02, np.nan) for band in BANDS})
    table = table.assign(
        redshift=rows["redshift"].astype(float), phot=np.where(number % 3, "dered", "raw"), group=number,
        ebv=np.where(number % 4, np.nan, 0.05), odd_colour=number == 5, cls="GALAXY",
        subclass=np.where(number % 2, "AGN", "AGN BROADLINE"), logm=np.where(number < 20, 10.5, np.nan),
        logm_kc=np.where(number > 80, 9.5, np.nan),
    )  # fmt: skip
    folder = tmp_path / "sources"
    folder.mkdir()
    pd.concat([table, table.iloc[:1]]).reset_index(drop=True).to_parquet(folder / "galaxies.parquet")
    pd.DataFrame({"ebv": rng.uniform(0.01, 0.1, 50)}).to_csv(folder / "ebv_sample.csv", index=False)
    masses = pd.DataFrame({"group": [30, 30, 31], "logm_kc": [11.0, 11.0, 8.0]})
    masses.to_parquet(folder / "masses_kcorrect.parquet")
    stars = table.assign(cls=np.where(number % 2, "STAR", "QSO"), group=number + 1000, odd_colour=False)
    stars.to_parquet(folder / "stars_quasars.parquet")
    return folder


def test_each_galaxy_is_taken_once_and_says_what_its_magnitudes_are(sources):
    table = tables.redshifts(sources)
    assert sorted(table["objid"] - tables.FIRST_ID) == [number for number in range(COUNT) if number != 5]
    assert (table["photometry"] == "raw").sum() == 30
    raw = table[table["photometry"] == "raw"]
    assert raw["ebv"].notna().sum() == 8
    assert table[table["photometry"] == "dereddened"]["ebv"].notna().all()


def test_masses_are_taken_from_whichever_table_has_one(sources):
    table = tables.masses(sources).set_index("objid")["stellarmass"]
    assert len(table) == 19 + 2 + 9
    assert np.log10(table.loc[tables.FIRST_ID + np.array([0, 30, 31, 85])]).tolist() == pytest.approx(
        [10.5, 11, 8, 9.5]
    )


def test_classes_and_subclasses(sources):
    assert tables.classes(sources)["class"].value_counts().to_dict() == {"GALAXY": 89, "STAR": 45, "QSO": 45}
    assert set(tables.subclasses(sources)["subclass"]) == {"AGN"}


def test_model_is_made_shipped_and_predicts(sources, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/none.db")
    monkeypatch.setattr("mlflow.tracking._tracking_service.utils._tracking_uri", None)
    (tmp_path / "work").mkdir()
    options = {"epochs": "1", "precision": "float32"}
    tiny = recipe.Recipe("redshifts", "generated galaxies", options, ("Never tried on the sky.",))
    weights.make("b2r", tiny, sources, tmp_path / "work", tmp_path / "shipped")
    monkeypatch.setenv("ZOO_SHIPPED", str(tmp_path / "shipped"))
    model = load("b2r@shipped")
    assert model.inputs[0].told_apart
    frame = model.predict(pd.DataFrame({f"dered_{band}": [18.0, 17.0] for band in BANDS}))
    assert frame["redshift"].notna().all()
    index = json.loads((tmp_path / "shipped" / INDEX).read_text())
    assert index["b2r"]["learnt_from"] == "generated galaxies"
    assert index["b2r"]["score"].startswith("nmad ")
    data, text = ((tmp_path / "shipped" / f"b2r.{card}").read_text() for card in ("card.json", "card.md"))
    assert json.loads(data)["limits"][-1] == "Never tried on the sky."
    assert "- Never tried on the sky." in text
    assert not any(str(tmp_path / "work") in card for card in (data, text))


def test_another_file_of_the_same_name_is_refused(sources, capsys):
    with pytest.raises(DataError, match=r"galaxies.parquet: expected sha256 7cb3e401\w*, found"):
        check_sources(sources, ["galaxies.parquet"], SOURCES)
    assert weights.main([str(sources), "--models", "b2r"]) == 1
    assert "see weights/recipe.md" in capsys.readouterr().err
    assert weights.main([str(sources), "--models", "b2x"]) == 1
    assert "--models b2x: expected some of b2r" in capsys.readouterr().err


def test_what_ships_is_what_the_recipe_wrote():
    listed = json.loads((FOLDER / INDEX).read_text())
    assert {path.name.removesuffix(".zoo") for path in FOLDER.glob("*.zoo")} == set(listed)
    assert set(listed) <= set(recipe.RECIPES)
    for name, about in listed.items():
        content = (FOLDER / f"{name}.zoo").read_bytes()
        assert sha256(content).hexdigest() == about["sha256"]
        assert len(content) < 2e6
        card = json.loads((FOLDER / f"{name}.card.json").read_text())
        assert card["model"] == name
