"""How shipped models are made, on generated tables, and that what ships is what was made."""

import json
import re
from dataclasses import asdict
from hashlib import sha256

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT, survey_rows

from common.cli.command import main
from common.models.described import read_description
from common.models.opening import load
from common.models.packed import unpacked
from common.models.shipped import CARDS, FOLDER, INDEX, ship_network, shipped_bytes, shipped_models
from common.shift.diagnose import stored_reference
from sdss_gs.errors import DataError
from sdss_gs.schema import BANDS
from weights import __main__ as weights
from weights import pages, recipe, tables
from weights.judge import judge_again
from weights.sources import SOURCES, check_sources

COUNT = 90


@pytest.fixture
def sources(tmp_path):
    """Tables as the recipe's, of generated galaxies: each third raw, and one in two tables."""
    rows, rng = pd.DataFrame(survey_rows(COUNT)), np.random.default_rng(0)
    number = np.arange(COUNT)
    # No two are equally bright.
    table = pd.DataFrame({band: rows[f"modelMag_{band}"].astype(float) + 1e-5 * number for band in BANDS})
    table = table.assign(**{f"err_{band}": np.where(number % 2, 0.02, np.nan) for band in BANDS})
    table = table.assign(
        redshift=rows["redshift"].astype(float), phot=np.where(number % 3, "dered", "raw"), group=number,
        ebv=np.where(number % 4, np.nan, 0.05), odd_colour=number == 5, cls="GALAXY",
        subclass=np.where(number % 2, "AGN", "AGN BROADLINE"), logm=np.where(number < 20, 10.5, np.nan),
        logm_kc=np.where(number > 80, 9.5, np.nan), source=np.where(number % 3, "LM", "A1"),
        photoz_sdss=np.where(number % 2, np.nan, rows["redshift"].astype(float) + 0.01),
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
    assert table["redshift_published"].notna().sum() == 45


def test_masses_are_taken_from_whichever_table_has_one(sources):
    table = tables.masses(sources).set_index("objid")["stellarmass"]
    assert len(table) == 19 + 2 + 9
    assert np.log10(table.loc[tables.FIRST_ID + np.array([0, 30, 31, 85])]).tolist() == pytest.approx(
        [10.5, 11, 8, 9.5]
    )


def test_classes_and_subclasses(sources):
    assert tables.classes(sources)["class"].value_counts().to_dict() == {"GALAXY": 89, "STAR": 45, "QSO": 45}
    assert set(tables.subclasses(sources)["subclass"]) == {"AGN"}


def test_stars_and_quasars_look_like_the_galaxies_as_bright(sources):
    """Or whether a row is raw, or has errors, would tell a network what it is."""
    path = sources / "stars_quasars.parquet"
    stars = pd.read_parquet(path).assign(phot="dered", ebv=np.nan, **{f"err_{band}": 0.03 for band in BANDS})
    stars.to_parquet(path)
    table = tables.classes(sources).set_index(tables.classes(sources)["objid"] - tables.FIRST_ID)
    # Each star or quasar is as bright as one galaxy; that of 1005 was dropped.
    others = table[table["class"] != "GALAXY"].drop(index=1005)
    galaxies = table.loc[others.index - 1000].set_index(others.index)
    raw = galaxies["photometry"] == "raw"
    assert raw.sum() == 30
    assert (others["photometry"] == galaxies["photometry"]).all()
    assert (others["modelMagErr_u"].isna() == galaxies["modelMagErr_u"].isna()).all()
    assert (others["ebv"].isna() == (raw & galaxies["ebv"].isna())).all()
    magnitudes = [f"modelMag_{band}" for band in BANDS]
    redder = (others[magnitudes] - galaxies[magnitudes]).to_numpy()
    assert redder[raw][:, 0] / redder[raw][:, 4] == pytest.approx(4.239 / 1.263, rel=0.01)
    assert (redder[raw] > 0).all()
    assert np.abs(redder[~raw]).max() < 1e-4


def test_model_is_made_shipped_and_predicts(sources, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/none.db")
    monkeypatch.setattr("mlflow.tracking._tracking_service.utils._tracking_uri", None)
    (tmp_path / "work").mkdir()
    options = {"epochs": "1", "precision": "float32", "split": ".4,.1,.5"}
    told = {"limits": ("Knows no dwarfs.",), "published": "somebody's redshifts"}
    tiny = recipe.Recipe("redshifts", "generated galaxies", options, **told)
    data = weights.data_set("b2r", tiny, sources, tmp_path / "work")
    weights.make("b2r", tiny, data, tmp_path / "work", tmp_path / "shipped")
    monkeypatch.setenv("ZOO_SHIPPED", str(tmp_path / "shipped"))
    model = load("b2r@shipped")
    assert model.inputs[0].told_apart
    frame = model.predict(pd.DataFrame({f"dered_{band}": [18.0, 17.0] for band in BANDS}))
    assert frame["redshift"].notna().all()
    index = json.loads((tmp_path / "shipped" / INDEX).read_text())
    assert index["b2r"]["learnt_from"] == "generated galaxies"
    assert index["b2r"]["score"].startswith("nmad ")
    assert_card_is_complete(tmp_path / "shipped", capsys)
    assert_judged_again_it_has_the_same_card(tiny, data, tmp_path / "shipped")


def assert_judged_again_it_has_the_same_card(tiny, data, folder):
    paths = [folder / f"b2r.{file}" for file in CARDS]
    before = [path.read_bytes() for path in paths]
    for path in paths[::2]:
        path.unlink()
    made = load("b2r@shipped")
    with unpacked(shipped_bytes("b2r")) as network:
        facts = read_description(network)["facts"]
        # As it was shipped before models kept one.
        without = {key: fact for key, fact in facts.items() if key != "reference"}
        about = {key: text for key, text in asdict(shipped_models()["b2r"]).items() if key != "sha256"}
        ship_network(folder, network, without, **about)
    assert not load("b2r@shipped").reference
    judge_again("b2r", tiny, data, folder)
    again = load("b2r@shipped")
    assert (again.sha256, again.calibrations) == (made.sha256, made.calibrations)
    assert json.loads((folder / INDEX).read_text())["b2r"].items() >= about.items()
    sample, expected = stored_reference(again), stored_reference(made)
    np.testing.assert_array_equal(sample.traits["bands"], expected.traits["bands"])
    np.testing.assert_array_equal(sample.truth["redshift"], expected.truth["redshift"])
    np.testing.assert_allclose(sample.predicted["redshift"], expected.predicted["redshift"], rtol=1e-4)
    assert paths[2].read_bytes() == before[2]
    card, found = (json.loads(text) for text in (before[1], paths[1].read_bytes()))
    assert found["outputs"][0]["scores"]["b2r"] == pytest.approx(card["outputs"][0]["scores"]["b2r"], rel=1e-4)
    assert {key: found[key] for key in card if key != "outputs"} == {key: card[key] for key in card if key != "outputs"}
    (data / "data.csv").write_text((data / "data.csv").read_text().replace(",raw,", ",dereddened,"))
    with pytest.raises(DataError, match=r"b2r: expected the data that it learnt from \(\w+\), found \w+"):
        judge_again("b2r", tiny, data, folder)


def assert_card_is_complete(folder, capsys):
    """An astronomer reads what it learnt from, how good it is beside others, where it fails, and whom to cite."""
    capsys.readouterr()
    assert main(["info", "b2r@shipped"]) == 0
    card = capsys.readouterr().out
    assert "generated galaxies; MIT; sources in weights/recipe.md." in card
    assert "![Magnitudes and true values of the training and the test galaxies](b2r.card.png)" in card
    assert (folder / "b2r.card.png").read_bytes().startswith(b"\x89PNG")
    assert re.search(r"\| SkyServer DR17 exports, .* \| dereddened \| 59 \| ", card)
    assert re.search(r"\| SDSS main sample cut .* \| raw \| 30 \| ", card)
    for heading in ("### In bins", "### Beside published values", "### How sure it is", "## Limits", "## Cite"):
        assert f"\n{heading}\n" in card
    assert "On the test galaxies of which one is published: somebody's redshifts." in card
    bins = json.loads((folder / "b2r.card.json").read_text())["outputs"][0]
    (everything,) = bins["published"][""]
    assert list(everything["scores"]) == ["b2r", "gradient boosting", "published value"]
    assert everything["scores"]["published value"]["nmad"] < 0.002
    assert 10 <= everything["count"] < 40
    assert card.partition("## Limits")[2].strip().startswith("- Knows no dwarfs.")
    assert "Abdurro'uf" in card
    assert "zenodo" not in card


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


@pytest.mark.parametrize(("page", "form"), pages.PAGES.items())
def test_tables_of_the_pages_are_those_of_the_cards(page, form):
    text = (ROOT / page).read_text()
    shown = text.partition(pages.BEGIN)[2].partition(pages.END)[0]
    assert shown == f"\n\n{pages.table(FOLDER, form)}\n"
    for name in json.loads((FOLDER / INDEX).read_text()):
        assert f"| `{name}` | " in shown
