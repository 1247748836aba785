"""A split of the user's own: by shares, by a column, or without test objects; with a real store."""

import json

import mlflow
import pytest
from conftest import survey_rows, write_survey
from helpers.cards import only_output
from helpers.folders import architectures_of
from helpers.stores import new_store
from mlflow import MlflowClient

from common import train
from common.backend import keras
from common.cli.command import main
from common.models.opening import load
from sdss_gs.split import split

COUNT = 300
LEARNT = {"epochs": 4, "learning_rate": 0.01}


@pytest.fixture(scope="module")
def rows():
    return survey_rows(COUNT)


@pytest.fixture(scope="module")
def data(tmp_path_factory, rows):
    """A data set whose column `fold` says which objects test: the first fifty; the next fifty validate."""
    folder = write_survey(tmp_path_factory.mktemp("data") / "own", rows)
    lines = (folder / "data.csv").read_text().splitlines()
    parts = ["Test"] * 50 + ["val"] * 50 + ["train"] * 190 + [""] * 10
    named = [f"{line},{part}" for line, part in zip(lines[1:], parts, strict=True)]
    (folder / "data.csv").write_text("\n".join([f"{lines[0]},fold", *named]) + "\n")
    return folder


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = tmp_path_factory.mktemp("store")
    new_store(home)
    return home


@pytest.fixture
def launch(repository, home, data, monkeypatch, without_light_form):
    """Run an entry point of b2r in one store; return exit code and MLflow run."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{home}/mlflow.db")
    monkeypatch.chdir(home)
    mlflow.set_tracking_uri(f"sqlite:///{home}/mlflow.db")

    def launch(*point, **options):
        arguments = [text for key, value in ({"ds": data} | options).items() for text in (f"--{key}", str(value))]
        code = train._run(repository / "b2r", architectures_of("b2r"), [*point, *arguments])
        (run,) = MlflowClient().search_runs(["0"], order_by=["attributes.start_time DESC"], max_results=1)
        return code, run

    yield launch
    keras.config.set_dtype_policy("float32")


@pytest.fixture(scope="module")
def done():
    """What the first test that wants a run has trained, for the others: exit code, run, and what was printed."""
    return {}


@pytest.fixture
def by_column(launch, done, capsys):
    """A run that a column divides."""
    if "column" not in done:
        done["column"] = (*launch(split="column:fold", **LEARNT), capsys.readouterr().out)
    return done["column"]


@pytest.fixture
def untested(by_column, launch, done, capsys):
    """A run without test objects, later than one that has some, which has learnt next to nothing."""
    if "all" not in done:
        done["all"] = (*launch(split="all", epochs=1, learning_rate=1e-5), capsys.readouterr().out)
    return done["all"]


def sizes_of(run):
    return [int(run.data.tags[f"zoo.{part}_objects"]) for part in ("train", "validation", "test")]


def card_of(run):
    return json.loads(mlflow.artifacts.load_text(f"{run.info.artifact_uri}/card.json"))


def text_of(run, name):
    return mlflow.artifacts.load_text(f"{run.info.artifact_uri}/{name}")


def version_of(run):
    (version,) = MlflowClient().search_model_versions(f"run_id='{run.info.run_id}'")
    return f"b2r/{version.version}"


def test_column_says_who_tests_and_evaluation_takes_the_same(by_column, launch):
    code, run, output = by_column
    assert code == 0
    assert sizes_of(run) == [190, 50, 50]
    assert "column fold: 10 objects of no part, left out" in output
    # The first fifty galaxies, whatever the hash of their ids says.
    worst = next(line for line in text_of(run, "card.md").splitlines() if "test galaxies that training" in line)
    assert "on 50 test galaxies" in worst
    code, fresh = launch("evaluate", model=version_of(run))
    assert code == 0
    scores = only_output(card_of(run))["scores"]
    assert only_output(card_of(fresh))["scores"]["b2r"] == pytest.approx(scores["b2r"], rel=1e-4)
    assert card_of(fresh)["data"]["objects"] == {"train": 190, "validation": 50, "test": 50}
    assert load(version_of(run)).reading["split"] == "column:fold"


def test_shares_are_of_the_usual_hash(launch, rows):
    code, run = launch(split=".8,.1,.1", **LEARNT)
    assert code == 0
    ids = [int(row["objid"]) for row in rows]
    expected = split(ids, {"train": 0.8, "validation": 0.1, "test": 0.1})
    assert sizes_of(run) == [len(chosen) for chosen in expected.values()]
    assert set(expected["test"]) < set(split(ids)["test"])
    assert run.data.metrics["test_nmad"] > 0


def test_without_test_objects_there_are_no_test_scores_and_everything_says_so(untested, launch, capsys, tmp_path):
    code, run, output = untested
    assert code == 0, output
    train_size, validation, test = sizes_of(run)
    assert (train_size + validation, test) == (COUNT, 0)
    said = f"no test galaxies, so no test scores; of {validation} validation galaxies, which chose the epoch: redshift"
    assert f"warning: {said} nmad " in output
    assert not [name for name in run.data.metrics if name.startswith(("test_", "baseline_"))]
    assert run.data.metrics["validation_nmad"] > 0
    assert said in text_of(run, "card.md")
    assert said in text_of(run, "report.html")
    assert "none, the split left no test galaxies" in text_of(run, "card.md")
    assert "None: the split left no test galaxies." in text_of(run, "report.html")
    assert only_output(card_of(run))["scores"] == {"b2r": {}}
    # It is no rival of models that were judged on objects which it has learnt from.
    assert "(trained with split=" in output
    assert "; this run split=all); zoo promote b2r/" in output
    # And it is there for everything else.
    name = version_of(run)
    assert main(["promote", name]) == 0
    assert main(["list"]) == 0
    assert main(["info", name]) == 0
    assert main(["compare", "--output", str(tmp_path / "comparison")]) == 0
    assert f"champion: {name}" in capsys.readouterr().out


def test_model_without_test_objects_is_not_judged_on_what_it_learnt(untested, launch, capsys):
    _, run, _ = untested
    code, _ = launch("evaluate", model=version_of(run))
    assert code == 1
    assert "part: expected all, and data that are new to it, for a model that left no test objects" in (
        capsys.readouterr().err
    )


def test_champion_of_a_split_is_chosen_among_its_like(untested, launch, capsys):
    _, first, _ = untested
    assert main(["promote", version_of(first)]) == 0
    capsys.readouterr()
    _, better = launch(split="all", **LEARNT)
    said = f"champion: {version_of(better)} replaces {version_of(first)} ({COUNT} galaxies, nmad "
    assert said in capsys.readouterr().out


def test_another_column_is_another_split(by_column, launch, data, tmp_path, capsys):
    _, run, _ = by_column
    text = (data / "data.csv").read_text()
    other = tmp_path / "own"
    other.mkdir()
    (other / "data.csv").write_text(text.replace(",Test\n", ",train\n", 5))
    code, _ = launch(ds=other, resume=run.info.run_id)
    assert code == 1
    assert "expected the data the run began with" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"split": "some"}, "split: expected hash, all, column, column:NAME, or shares of train, validation and test"),
        ({"split": ".8,.1,.2"}, "that sum to 1 (.8,.1,.1), found '.8,.1,.2'"),
        ({"split": ".8,.2"}, "found '.8,.2'"),
        ({"split": "1,0,0"}, "found '1,0,0'"),
        ({"split": "column"}, "data.csv: expected a column split, found objid"),
        (
            {"split": "column:class"},
            "column class: expected train, validation, test or nothing, found 'GALAXY' in 300 rows",
        ),
        ({"split": "all", "folds": 3}, "split: expected hash with folds=3, found all"),
    ],
)
def test_what_is_no_split_is_one_clear_line(launch, options, expected, capsys):
    code, _ = launch(epochs=1, **options)
    assert code == 1
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert expected in line


def test_sweep_takes_one_split(launch, capsys):
    before = {"search": "random", "trials": 1, "epochs": 1, "refit_epochs": 1}
    code, _ = launch("sweep", space="split=hash|all,batch_size=32", **before)
    assert code == 1
    assert "space: split: expected one value, found several" in capsys.readouterr().err
    code, _ = launch("sweep", space="batch_size=32,split=.8,.2,0,architecture=reference", **before)
    assert code == 0
    assert "once on the test objects: there are none" in capsys.readouterr().out
