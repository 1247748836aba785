"""The entry points that judge stored models, run in this process with a real store."""

import json
from dataclasses import replace

import mlflow
import pytest
from conftest import survey_rows, write_survey
from helpers.cards import only_output, summary_of
from helpers.drawn import drawn
from helpers.exported import exported_folder
from helpers.folders import architectures_of
from helpers.light import leave_out
from helpers.stores import choose_store, new_store
from helpers.trained import by_hand
from mlflow import MlflowClient

from common import train
from common.cli.command import main
from common.judge import compare
from common.judge.card import card_data
from common.judge.compare import BEGIN, END
from common.outputs.metrics import score
from sdss_gs.errors import ZooError
from sdss_gs.schema import OUTPUTS


@pytest.fixture(scope="module")
def trained(tmp_path_factory, repository):
    """Train b2r and w2s once in a store of their own; return store, data and cards."""
    home = tmp_path_factory.mktemp("judged")
    data = write_survey(home / "data", survey_rows(400))
    uri = new_store(home)
    mlflow.set_tracking_uri(uri)
    with pytest.MonkeyPatch.context() as patch:
        leave_out(patch)
        for name in ("b2r", "w2s"):
            arguments = ["--ds", str(data), "--epochs", "6", "--learning_rate", "0.01"]
            assert train._run(repository / name, architectures_of(name), arguments) == 0
    return uri, data


@pytest.fixture
def store(trained, monkeypatch, tmp_path):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", trained[0])
    monkeypatch.chdir(tmp_path)
    mlflow.set_tracking_uri(trained[0])
    return trained[1]


def judged(repository, *arguments):
    code = train._run(repository / "b2r", {}, ["evaluate", *arguments])
    (run,) = MlflowClient().search_runs(["0"], order_by=["attributes.start_time DESC"], max_results=1)
    return code, run


def test_fresh_evaluation_confirms_the_card(store, repository):
    card = compare.champion_cards()["b2r"]
    code, run = judged(repository, "--ds", str(store))
    assert code == 0
    fresh = only_output(json.loads(mlflow.artifacts.load_text(f"{run.info.artifact_uri}/card.json")))
    scores = only_output(card)["scores"]
    assert {rival: pytest.approx(values, rel=1e-4) for rival, values in scores.items()} == fresh["scores"]


def test_other_data_are_judged_whole(store, repository, tmp_path, capsys):
    other = write_survey(tmp_path / "other", survey_rows(30, seed=5))
    code, run = judged(repository, "--ds", str(other), "--part", "all")
    assert code == 0
    assert "on 30 galaxies" in capsys.readouterr().out
    assert run.data.metrics["test_nmad"] < 0.1
    assert run.data.params == {"ds": str(other), "limit": "0", "part": "all"}
    assert not [name for name in run.data.metrics if name.startswith("baseline")]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--model", "models:/b2r/99"], "models:/b2r/99: expected a trained model, found none"),
        (["--part", "some"], "part: expected one of test, all, found 'some'"),
        (["--ds", "nowhere"], "ds=nowhere: expected a folder with data.csv"),
        (["--epochs", "3"], "epochs: b2r evaluate has no such option"),
    ],
)
def test_mistakes_are_one_clear_line(store, repository, arguments, expected, capsys):
    ds = [] if "--ds" in arguments else ["--ds", str(store)]
    code, run = judged(repository, *arguments, *ds)
    assert (code, run.info.status) == (1, "FAILED")
    assert run.data.tags["zoo.failure"].startswith(expected)
    assert f"error: {expected}" in capsys.readouterr().err


def test_comparison_holds_every_champion_with_its_rivals(store, tmp_path, capsys):
    assert main(["compare", "--output", str(tmp_path / "comparison")]) == 0
    text = capsys.readouterr().out
    lines = {line.split("|")[1].strip(): line for line in text.splitlines() if line.startswith("|")}
    assert {"b2r", "w2s"} <= set(lines)
    card = compare.champion_cards()["b2r"]
    assert f"{card['data']['objects']['test']:,}" in lines["b2r"]
    assert {path.name for path in (tmp_path / "comparison").iterdir()} == {
        "comparison.md", "comparison.html", "redshift.png", "subclass.png",
    }  # fmt: skip
    page = (tmp_path / "comparison" / "comparison.html").read_text()
    assert "b2r" in page
    assert "http" not in page


def test_comparison_is_an_entry_point_of_every_model(store, repository, tmp_path, capsys):
    assert train._run(repository / "w2s", {}, ["compare", "--output", str(tmp_path / "mine")]) == 0
    assert f"{tmp_path}/mine/comparison.html" in capsys.readouterr().out
    assert "b2r" in (tmp_path / "mine" / "comparison.html").read_text()


def test_table_replaces_what_stands_between_the_marks(store, tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    assert main(["compare", "--output", str(tmp_path / "comparison"), "--insert", str(readme)]) == 0
    text = readme.read_text()
    assert text.startswith(f"before\n{BEGIN}\n")
    assert text.endswith(f"{END}\nafter\n")
    assert "| b2r |" in text
    assert "old" not in text


def test_file_without_marks_is_left_alone(store, tmp_path):
    (tmp_path / "README.md").write_text("mine")
    with pytest.raises(ZooError, match="expected the marks"):
        compare.insert(tmp_path / "README.md", "text")
    assert (tmp_path / "README.md").read_text() == "mine"


def test_empty_store_is_one_clear_error(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    mlflow.set_tracking_uri(new_store(tmp_path))
    assert main(["compare", "--output", str(tmp_path / "comparison")]) == 1
    assert "expected a registered champion, found none" in capsys.readouterr().err


def test_model_from_elsewhere_is_compared_though_its_card_names_no_rivals(tmp_path, monkeypatch, capsys):
    folder = exported_folder(tmp_path / "b2r-model", by_hand(), light=False)
    choose_store(monkeypatch, new_store(tmp_path))
    assert main(["import", folder]) == 0
    assert main(["compare", "--output", str(tmp_path / "comparison")]) == 0
    (line,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("| b2r |"))
    assert line.endswith("| – | – | 309 |  |")
    assert (tmp_path / "comparison" / "redshift.png").is_file()


def test_votes_of_another_tree_have_no_table_and_a_comparison_without_any_says_so():
    """Their RMSE is one of other answers than the challenge's."""
    output = replace(OUTPUTS["votes"], tree="gz1")
    truth, predicted = drawn(output, 30)
    card = card_data(summary_of(output, score(output, truth, predicted)))
    assert compare.tables({"i2v": card}) == {}
    assert compare.markdown({}) == "No champion has test scores of an output that models share.\n"
