"""Votes from a table, in a network, in its loss, before its judges and in every answer."""

import json
from dataclasses import replace

import mlflow
import numpy as np
import pytest
from conftest import ROOT, survey_rows, write_survey
from helpers.ballots import ballots, write_votes
from helpers.cards import only_output
from helpers.light import leave_out
from helpers.stores import new_store
from scipy.special import gammaln
from sklearn.linear_model import LinearRegression

from common import train
from common.backend import keras, tf
from common.data.measure import simple_features
from common.data.sources import Loaded
from common.data.task import Task, task_of
from common.data.training_data import TrainingData
from common.judge import compare
from common.judge.baselines import BaselineInputs, baselines, collapse
from common.models.opening import load
from common.networks.layers import dense_stack, standardise
from common.options import TrainingOptions
from common.outputs.calibration import LEVELS
from common.outputs.kinds import kind_of
from common.outputs.kinds.votes import VOTE_LOSSES
from common.outputs.metrics import intervals, score
from common.outputs.vote_losses import CONCENTRATION, vote_loss
from common.predict.combine import Combination, combine
from common.project import parse_options, read_project
from common.serve.answers import predicted
from common.serve.served_models import ServedModel
from sdss_gs.check import verify
from sdss_gs.decision_tree import KAGGLE, TREES
from sdss_gs.errors import DataError, OptionError
from sdss_gs.schema import INPUTS, OUTPUTS
from sdss_gs.tables.votes import USUAL_TOTAL, read_votes

TREE, VOTES = TREES[KAGGLE], OUTPUTS["votes"]
I2V = task_of(read_project(ROOT / "i2v"), TrainingOptions())
OBJID = np.array([int(row["objid"]) for row in survey_rows(6)])


# === Tables ===


@pytest.mark.parametrize("name", ["votes.csv", "data.csv"])
def test_votes_follow_ids_and_column_names_not_their_order(tmp_path, name):
    values = ballots(6)
    write_votes(tmp_path, OBJID, values, name=name)
    header, *rows = (tmp_path / name).read_text().splitlines()
    turned = [",".join(reversed(line.split(","))) for line in (header, *rows[::-1])]
    (tmp_path / name).write_text("\n".join(turned) + "\n")
    found = read_votes(tmp_path, np.array([*OBJID, 17]))
    np.testing.assert_allclose(found.values[:6], values, atol=1e-6)
    assert np.isnan(found.values[6]).all()
    assert (found.path.name, found.tree.name, found.counted, found.totals[0]) == (name, KAGGLE, False, USUAL_TOTAL)


def test_shares_of_those_asked_are_weighted_and_nobody_asked_is_no_vote(tmp_path):
    tree, values = TREES["gz2"], ballots(6, tree="gz2")
    values[1] = 0
    values[1, [0, 14, 15]] = 1
    shares = tree.conditional(values)
    shares[2] = np.nan
    write_votes(tmp_path, OBJID, shares, "gz2")
    path = tmp_path / "votes.csv"
    header, *rows = path.read_text().splitlines()
    rows = [f"{row},{40 + number}" for number, row in enumerate(rows)]
    path.write_text("\n".join([f"{header},{tree.total}", *rows]) + "\n")
    found = read_votes(tmp_path, OBJID)
    known = [0, 1, 3, 4, 5]
    np.testing.assert_allclose(found.values[known], values[known], atol=1e-5)
    assert np.isnan(found.values[2]).all()
    assert (found.tree.name, found.counted, found.totals.tolist()) == ("gz2", True, [40, 41, 42, 43, 44, 45])
    assert not tree.inconsistent(found.values[known]).any()


@pytest.mark.parametrize(("cell", "expected"), [("1.2", "0 to 1"), ("many", "a number")])
def test_wrong_vote_is_named_and_its_galaxy_left_out(tmp_path, cell, expected):
    write_survey(tmp_path, survey_rows(6))
    write_votes(tmp_path, OBJID, ballots(6))
    path = tmp_path / "votes.csv"
    lines = path.read_text().splitlines()
    lines[3] = ",".join([*lines[3].split(",")[:5], cell, *lines[3].split(",")[6:]])
    path.write_text("\n".join(lines) + "\n")
    found = read_votes(tmp_path, OBJID)
    assert np.isnan(found.values).all(axis=1).tolist() == [False, False, True, False, False, False]
    (problem,), notes = verify(tmp_path, progress=False)
    assert (problem.where, problem.item) == (f"votes.csv objid {OBJID[2]}", "Class2.2")
    assert problem.text == f"expected {expected}, found {cell}"
    assert notes == []


def test_set_without_votes_says_what_it_looked_for(tmp_path):
    write_survey(tmp_path, survey_rows(6))
    with pytest.raises(DataError, match=r"Class1\.1 … Class11\.6 or .* in votes\.csv or data\.csv, found none"):
        read_votes(tmp_path, OBJID)


# === Network ===


def head(output=VOTES, seed=0):
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((4,))
    network = keras.Model(inputs, kind_of(output).attach_head(inputs))
    kernel = kind_of(output).head_of(network).kernel
    kernel.assign(np.random.default_rng(seed).normal(0, 2, kernel.shape))
    return network


@pytest.mark.parametrize("name", TREES)
def test_predicted_votes_follow_the_tree_whatever_the_weights(name, tmp_path):
    tree, output = TREES[name], replace(VOTES, tree=name)
    network = head(output)
    found = network.predict(np.random.default_rng(1).normal(0, 5, (200, 4)), verbose=0).astype(float)
    np.testing.assert_allclose(tree.sums(found), tree.expected_sums(found), atol=1e-6)
    assert ((found >= 0) & (found <= 1)).all()
    assert network.layers[-1].name == "votes"


# === Losses ===


def losses(name, truth, guess):
    return np.asarray(vote_loss(TREE, name)(truth.astype(np.float32), guess.astype(np.float32)))


def test_losses_are_those_worked_out_by_hand():
    truth, guess = ballots(8, 1), ballots(8, 2)
    np.testing.assert_allclose(losses("rmse", truth, guess), ((truth - guess) ** 2).mean(axis=1), rtol=1e-4)
    shares = np.clip(TREE.conditional(guess), 1e-12, 1)
    entropy = -(truth * np.log(shares)).sum(axis=1)
    np.testing.assert_allclose(losses("cross_entropy", truth, guess), entropy, rtol=2e-2)
    expected = np.zeros(8)
    for question in TREE.questions:
        alpha, counts = CONCENTRATION * shares[:, question.slice], 40 * truth[:, question.slice]
        expected -= (gammaln(alpha + counts) - gammaln(alpha)).sum(axis=1)
        expected += gammaln(alpha.sum(axis=1) + counts.sum(axis=1)) - gammaln(alpha.sum(axis=1))
    np.testing.assert_allclose(losses("dirichlet", 40 * truth, guess), expected, rtol=2e-2)


@pytest.mark.parametrize("name", VOTE_LOSSES)
def test_loss_is_least_where_the_prediction_is_the_truth(name):
    truth = ballots(20, 1)
    scale = 40 if name == "dirichlet" else 1
    right = losses(name, scale * truth, truth).mean()
    assert all(right < losses(name, scale * truth, ballots(20, seed)).mean() for seed in range(2, 7))


@pytest.mark.parametrize("name", ["cross_entropy", "dirichlet"])
def test_stars_teach_nothing_about_odd_features(name):
    """Tables write "not odd" for them, although nobody was asked."""
    truth = np.zeros((1, 37))
    truth[0, [2, 14]] = 1
    invented = truth.copy()
    invented[0, [13, 14]] = 0.7, 0.3
    guess = ballots(1)
    assert losses(name, truth, guess) == losses(name, invented, guess)


@pytest.mark.parametrize("name", ["cross_entropy", "dirichlet"])
def test_what_stands_where_nobody_was_asked_teaches_nothing(name):
    network, x = head(), np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
    truth = ballots(6)
    truth[:, 1], truth[:, 0] = 0, truth[:, 0] + truth[:, 1]
    truth = TREE.weighted(np.nan_to_num(TREE.conditional(truth)))
    invented = truth.copy()
    for number in (2, 3, 4, 5, 9, 10, 11):
        invented[:, TREE.questions[number - 1].slice] = 0.5
    # The questions further down hang on answers that were invented too: only where the parent is known to be 0.
    invented[:, [3, 4, 7]] = 0

    def taught(target):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(vote_loss(TREE, name)(target.astype(np.float32), network(x)))
        return float(loss), np.asarray(tape.gradient(loss, kind_of(VOTES).head_of(network).kernel))

    assert np.any(invented != truth)
    (loss, gradient), (other, changed) = taught(truth), taught(invented)
    assert loss == other
    np.testing.assert_array_equal(gradient, changed)


# === Judges ===


def test_rmse37_is_the_challenges_and_accuracy_counts_those_asked():
    truth, guess = ballots(50, 1), ballots(50, 2)
    found = score(VOTES, truth, guess)
    assert found["rmse37"] == pytest.approx(np.sqrt(np.mean((truth - guess) ** 2)))
    asked = truth[:, 1] > 0.5
    right = (truth[asked, 3] >= truth[asked, 4]) == (guess[asked, 3] >= guess[asked, 4])
    assert found["accuracy_q2"] == pytest.approx(right.mean())
    questions = [value for name, value in found.items() if name.startswith("accuracy_q")]
    assert found["question_accuracy"] == pytest.approx(np.mean(questions))
    low, high = intervals(VOTES, truth, guess, resamples=200)["rmse37"]
    assert low < found["rmse37"] < high


def test_question_that_nobody_came_to_has_no_accuracy():
    truth = ballots(30)
    truth[:, 0], truth[:, 1:] = 1, 0
    truth[:, [14, 15]] = 1
    assert {"accuracy_q1", "accuracy_q6", "accuracy_q7"} == {
        name for name in score(VOTES, truth, truth) if name.startswith("accuracy_q")
    }


def test_baselines_are_those_of_the_challenge():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 255, (60, 9, 9, 3)).astype(np.uint8)
    centre, colour = simple_features(images)
    np.testing.assert_array_equal(centre, images[:, 4, 4])
    np.testing.assert_allclose(colour, images.reshape(60, -1, 3).mean(axis=1), rtol=1e-6)
    truth = ballots(60)
    train_part, test_part = (
        BaselineInputs(30, np.ones((30, 9)), None, centre[part], colour[part]) for part in (slice(30), slice(30, 60))
    )
    found = baselines(VOTES, train_part, truth[:30], test_part, 0)
    assert list(found) == ["mean", "linear on central pixel", "linear on mean colour"]
    np.testing.assert_allclose(found["mean"], np.tile(truth[:30].mean(axis=0), (30, 1)), atol=1e-6)
    expected = LinearRegression().fit(centre[:30], truth[:30]).predict(centre[30:])
    np.testing.assert_allclose(found["linear on central pixel"], np.clip(expected, 0, 1), atol=1e-3)


def told(truth, guess):
    constant = {"mean": np.broadcast_to(truth.mean(axis=0), truth.shape)}
    scores = {name: score(VOTES, truth, values) for name, values in ({"i2v": guess} | constant).items()}
    return collapse(VOTES, truth, guess, scores)


def test_constant_votes_are_a_collapse_although_each_answer_has_another_value():
    truth = ballots(100)
    assert "its predictions spread by only" in told(truth, np.tile(truth.mean(axis=0), (100, 1)))
    assert "rmse37" in told(truth, truth[::-1])
    assert told(truth, 0.5 * truth + 0.5 * truth.mean(axis=0)) == ""


def test_intervals_of_shares_hold_them():
    truth = ballots(900)
    guess = TREE.weighted(np.nan_to_num(TREE.conditional(0.7 * truth + 0.3 * truth[::-1])))
    calibration = kind_of(VOTES).fit_calibration(truth[:600], guess[:600])
    for row, level in zip(kind_of(VOTES).coverage(calibration, truth[600:], guess[600:]), LEVELS, strict=True):
        assert row["coverage"] == pytest.approx(level, abs=0.04)
    low, high = kind_of(VOTES).bounds(calibration, guess, 0.9)
    assert ((low >= 0) & (high <= 1) & (low <= high)).all()


# === Runs ===

DATA_ROWS = 90


def striking_votes(rows):
    """Votes that the brightness of the image tells: near galaxies are smooth and round, far ones spirals."""
    near, far = ballots(1, 5)[0], ballots(1, 9)[0]
    share = np.array([(float(row["redshift"]) - 0.02) / 0.28 for row in rows])[:, None]
    return (1 - share) * near + share * far


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    rows = survey_rows(DATA_ROWS)
    folder = write_survey(tmp_path_factory.mktemp("zoo") / "data", rows, ["img"])
    write_votes(folder, [row["objid"] for row in rows], striking_votes(rows))
    return folder


def small(img):
    """Turn the image's mean pixel into features: enough here, and quick."""
    return dense_stack(standardise(keras.layers.GlobalAveragePooling2D()(img)), (16,))


@pytest.fixture(scope="module")
def trained(data, repository, tmp_path_factory):
    uri = new_store(tmp_path_factory.mktemp("store"))
    mlflow.set_tracking_uri(uri)
    arguments = ["--ds", str(data), "--epochs", "12", "--learning_rate", "0.02", "--batch_size", "16"]
    with pytest.MonkeyPatch.context() as patch:
        leave_out(patch)
        assert train._run(repository / "i2v", {"fast": small, "reference": small}, arguments) == 0
    return uri


@pytest.fixture
def store(trained, monkeypatch, tmp_path):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", trained)
    monkeypatch.chdir(tmp_path)
    mlflow.set_tracking_uri(trained)


def test_run_learns_the_votes_and_its_answers_are_named(store, data):
    model = load("i2v")
    found = model.predict(str(data))
    shares = found[[f"votes_{column}" for column in TREE.columns]].to_numpy()
    truth = striking_votes(survey_rows(DATA_ROWS))
    assert np.sqrt(np.mean((shares - truth) ** 2)) < 0.5 * np.sqrt(np.mean((truth.mean(axis=0) - truth) ** 2))
    np.testing.assert_allclose(TREE.sums(shares), TREE.expected_sums(shares), atol=1e-5)
    assert set(found.columns) >= {"votes", "votes_Class1.1_low_90", "votes_Class11.6_high_90", "flag"}
    assert found["votes"].str.match(r"^(A|E[ric]|Se[rbn]|SB?[abcd])").all()
    card = compare.champion_cards()["i2v"]
    output = only_output(card)
    assert output["task"] == "votes"
    assert {"mean", "linear on central pixel", "linear on mean colour"} < set(output["baselines"])
    assert output["scores"]["i2v"]["rmse37"] < output["scores"]["mean"]["rmse37"]
    assert output["metrics"]["accuracy_q1"]["meaning"].endswith("smooth, with features, or a star?")
    assert compare.tables({"i2v": card})["votes"][1][0] == "i2v"


def test_service_says_which_questions_are_answered(store):
    model = load("i2v")
    first = ServedModel(model).description()["outputs"][0]["questions"][0]
    assert first["answers"]["smooth"] == "votes_Class1.1"
    images = np.zeros((2, 150, 150, 3), np.uint8)
    (answer, _) = predicted(model, {"img": Loaded(images, np.zeros(2, np.int32))})
    assert isinstance(answer["prediction"]["votes"], str)
    assert 0 <= answer["prediction"][first["answers"]["smooth"]] <= 1
    json.dumps(answer)


def test_models_of_votes_are_averaged(store, data):
    model = load("i2v")
    other = replace(model, name="again")
    frame = model.predict(str(data))
    found = combine([model, other], {"i2v": frame, "again": frame}, Combination("one2one"))
    np.testing.assert_allclose(found["votes_Class1.2"], frame["votes_Class1.2"])
    assert (found["votes"] == frame["votes"]).all()
    assert set(found["votes_models"]) == {"i2v|again"}


def test_image_and_votes_belong_together(data):
    """Known rows, end to end: what the network is shown of a galaxy comes with that galaxy's votes."""
    used = TrainingData(I2V, TrainingOptions(ds=str(data), loss="rmse"))
    rows = {int(row["objid"]): row for row in survey_rows(DATA_ROWS)}
    expected = dict(zip(rows, striking_votes(rows.values()), strict=True))
    (images, targets), *_ = used.batches("train", 1000).as_numpy_iterator()
    for objid, image, target in zip(used.objid("train").tolist(), images["img"], targets, strict=True):
        assert abs(int(image[0, 0, 0]) - int(40 + 600 * float(rows[objid]["redshift"]))) <= 2
        np.testing.assert_allclose(target, expected[objid], atol=1e-6)


def test_counts_are_the_shares_times_the_volunteers(data):
    used = TrainingData(I2V, TrainingOptions(ds=str(data), loss="dirichlet"))
    targets, _ = used.targets("test")
    np.testing.assert_allclose(targets["votes"], USUAL_TOTAL * used.truth("test", "votes"), rtol=1e-6)
    assert "no numbers of volunteers (total_classifications), taken as 40" in used.description()


@pytest.mark.parametrize("loss", VOTE_LOSSES)
def test_votes_that_sum_to_something_else_are_refused_where_they_would_mean_nothing(data, tmp_path, loss):
    rows = survey_rows(DATA_ROWS)
    folder = write_survey(tmp_path / "odd", rows, ["img"])
    values = striking_votes(rows)
    values[:, 3] *= 0.5
    write_votes(folder, [row["objid"] for row in rows], values)
    options = TrainingOptions(ds=str(folder), loss=loss)
    if loss == "rmse":
        used = TrainingData(I2V, options)
        assert "of 89 objects they do not sum as they must" in used.description()
    else:
        with pytest.raises(DataError, match=rf"for 89 of {DATA_ROWS} objects: objid \d+, Class2\.1 to"):
            TrainingData(I2V, options).require_learnable()


def test_losses_are_those_of_the_output():
    with pytest.raises(OptionError, match="loss: expected one of rmse, cross_entropy, dirichlet, found 'mae'"):
        parse_options(read_project(ROOT / "i2v"), ["--loss", "mae"])
    with pytest.raises(OptionError, match="loss: expected one of mse, mae, huber, found 'rmse'"):
        parse_options(read_project(ROOT / "i2r"), ["--loss", "rmse"])


def test_votes_go_with_other_outputs(data):
    """x2y learns them beside the rest."""
    task = Task(ROOT / "x2y", (INPUTS["bands"],), (OUTPUTS["redshift"], VOTES), flat=False)
    used = TrainingData(task, TrainingOptions(ds=str(data)))
    targets, weights = used.targets("train")
    assert targets["votes"].shape == (len(weights["votes"]), 37)
