"""What every kind of output promises, tried on every output of the zoo, on users' own, and on a kind made here."""

import json
from dataclasses import asdict, fields, replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from astropy.io.votable.ucd import check_ucd
from astropy.units import Unit
from helpers.ballots import ballots
from helpers.cards import only_output, summary_of
from helpers.drawn import EVERY, drawn, perfect
from sklearn.utils.class_weight import compute_sample_weight

from common.backend import keras
from common.judge.baselines import BaselineInputs, baselines, collapse
from common.judge.card import BASELINES, card_data, card_markdown
from common.outputs.column import LONGEST
from common.outputs.kinds import KINDS, kind_of
from common.outputs.kinds.classes import class_weights
from common.outputs.kinds.kind import CONSTANTS, Metric
from common.outputs.kinds.mass import TARGETS
from common.outputs.kinds.number import Scalar
from common.outputs.metrics import intervals, score
from common.predict.combine import Combination, combine
from common.training.sweep.report import shown_metrics
from sdss_gs import schema
from sdss_gs.schema import OUTPUTS, Output

COUNT = 400
TREES = tuple(replace(OUTPUTS["votes"], tree=name) for name in ("gz2", "gz1"))


@pytest.fixture(params=(*EVERY, *TREES), ids=lambda output: f"{output.name}{output.tree}")
def kind(request):
    return kind_of(request.param)


def test_kinds_are_those_of_the_schema():
    assert set(KINDS) == set(schema.KINDS)
    assert {output.kind for output in EVERY} == set(KINDS)


# === What a network learns ===


@pytest.mark.parametrize("target", TARGETS)
def test_decoded_is_what_was_encoded(kind, target):
    truth, _ = drawn(kind.output, COUNT)
    encoded = kind.encode(truth, target)
    assert (encoded.shape, encoded.dtype) == ((COUNT, kind.output.size), np.float32)
    decoded = kind.decode(encoded, target)
    np.testing.assert_allclose(decoded, perfect(kind.output, truth), rtol=1e-5)
    assert decoded.dtype == np.float64


def test_masses_are_learnt_as_logarithms_or_in_the_old_unit():
    mass = np.array([1e9, 2.5e11])
    np.testing.assert_allclose(kind_of(OUTPUTS["smass"]).encode(mass)[:, 0], [9, 11.39794], rtol=1e-6)
    np.testing.assert_allclose(kind_of(OUTPUTS["smass"]).encode(mass, "linear")[:, 0], [1, 250])


def test_untrained_network_predicts_the_best_constant(kind):
    """No other constant has a smaller squared error, or log loss."""
    target = kind.encode(drawn(kind.output, COUNT)[0])
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        features = keras.Input((3,))
        network = keras.Model(features, kind.attach_head(features))
    finally:
        keras.config.set_dtype_policy("float32")
    kind.head_of(network).bias.assign(kind.constant_bias(target))
    values = np.asarray(network(np.ones((2, 3), np.float32)))
    assert (network.layers[-1].name, values.dtype, values.shape) == (kind.output.name, np.float32, (2, target.shape[1]))
    constant = np.ravel(kind.constant(target))
    np.testing.assert_allclose(values[0], constant, rtol=1e-3, atol=1e-5)

    def loss(guess):
        return -np.mean(target * np.log(guess)) if kind.output.classes else np.mean((target - guess) ** 2)

    for factor in np.random.default_rng(0).uniform(0.9, 1.1, (20, len(constant))):
        other = constant * factor
        assert loss(constant) < loss(other / other.sum() if kind.output.classes else other)


def test_loss_is_less_for_the_truth(kind):
    assert kind.loss_name("mse") in ("categorical_crossentropy", "mse", "rmse")
    truth, predicted = drawn(kind.output, COUNT)
    target = kind.encode(truth)
    mediocre = predicted.astype(np.float32) if kind.output.classes else kind.encode(predicted)
    right, wrong = (np.mean(keras.losses.get(kind.loss("mse"))(target, guess)) for guess in (target, mediocre))
    assert right < wrong


def test_class_weights_follow_their_formulas():
    labels = np.repeat([0, 1, 3], [900, 90, 10])
    np.testing.assert_allclose(class_weights("none", labels, labels), 1)
    balanced = class_weights("balanced", labels, labels)
    expected = compute_sample_weight("balanced", labels)
    np.testing.assert_allclose(balanced, expected / expected.mean(), rtol=1e-5)
    effective = class_weights("effective", labels, labels)
    number = [(1 - 0.999**size) / (1 - 0.999) for size in (900, 10)]
    assert effective[-1] / effective[0] == pytest.approx(number[0] / number[1], rel=1e-5)
    assert effective.mean() == pytest.approx(1, rel=1e-6)
    # Others are weighed as the training objects of their class; a class that these lack as one of a single object.
    others = class_weights("balanced", np.array([3, 0, 2, 4]), labels)
    np.testing.assert_allclose(others, [balanced[-1], balanced[0], 10 * balanced[-1], 10 * balanced[-1]], rtol=1e-5)


# === Errors and scores ===


@pytest.mark.parametrize("output", [output for output in EVERY if not output.classes], ids=lambda one: one.name)
def test_applied_error_is_the_inverse_of_the_measured(output):
    kind, (truth, predicted) = kind_of(output), drawn(output, COUNT)
    again = kind.apply_error(predicted, kind.error_in_scale(truth, predicted))
    np.testing.assert_allclose(again, truth, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(kind.from_scale(kind.to_scale(truth)), truth, rtol=1e-9)


def test_names_of_scores_depend_on_the_truth_alone(kind):
    truth, predicted = drawn(kind.output, COUNT)
    names = list(score(kind.output, truth, predicted))
    constant = np.repeat(predicted[:1], COUNT, axis=0)
    assert names == list(score(kind.output, truth, constant)) == list(score(kind.output, truth, predicted[::-1]))
    assert {kind.headline, kind.second, *kind.older, *kind.compared, *kind.class_averages} <= set(names)
    assert kind.headline == kind.compared[0]


def test_every_score_has_a_direction_and_a_label_on_the_card(kind):
    truth, predicted = drawn(kind.output, COUNT)
    good, better = (score(kind.output, truth, values) for values in (predicted, perfect(kind.output, truth)))
    output = only_output(card_data(summary_of(kind.output, good)))
    for name, value in good.items():
        assert kind.metrics[name].cost(better[name]) <= kind.metrics[name].cost(value), name
        assert {"low", "high", "zero"} >= {output["metrics"][name]["better"]}
        assert output["metrics"][name]["label"]
        assert output["metrics"][name]["meaning"]


# === How sure it is, and what is written ===


def test_calibration_survives_json(kind):
    truth, predicted = drawn(kind.output, COUNT)
    calibration = kind.fit_calibration(truth, predicted)
    read = kind.calibration_from(json.loads(json.dumps(asdict(calibration))))
    assert read == calibration
    for one, other in zip(kind.values(calibration, predicted)[0], kind.values(read, predicted)[0], strict=True):
        np.testing.assert_array_equal(one, other)
    for row in kind.coverage(read, truth, predicted):
        assert row["coverage"] > row["level"] - 0.05
        assert row["size"] > 0


def test_columns_are_complete(kind):
    truth, predicted = drawn(kind.output, COUNT)
    columns = kind.columns()
    values, unsure = kind.values(kind.fit_calibration(truth, predicted), predicted)
    assert columns[0] == kind.output.name
    assert len(set(columns)) == len(columns) == len(values)
    assert {*kind.value_columns, *kind.averaged_columns} <= set(columns)
    frame = pd.DataFrame(dict(zip(columns, values, strict=True)))
    assert (len(frame), unsure.shape, unsure.dtype) == (COUNT, (COUNT,), bool)
    assert not frame.isna().any(axis=None)
    assert set(kind.described()) == set(columns)
    for one in kind.described().values():
        assert 0 < len(one.description) <= LONGEST
        assert not one.ucd or check_ucd(one.ucd, check_controlled_vocabulary=True)
        assert Unit(one.unit, format="fits") is not None
    assert frame[kind.value_columns].to_numpy(float).shape == kind.decode(kind.encode(truth)).reshape(COUNT, -1).shape


def test_prediction_outside_what_the_quantity_can_be_is_known(kind):
    """Of outputs whose column has a range in the schema; classes and votes, and users' own numbers, have none."""
    _, predicted = drawn(kind.output, COUNT)
    assert not kind.impossible(predicted).any()
    assert kind.impossible(predicted).shape == (COUNT,)
    quantity = schema.QUANTITIES.get(kind.output.column)
    if quantity:
        span = quantity.high - quantity.low
        ends = np.array([quantity.low - span, quantity.low, quantity.high, quantity.high + span, np.nan])
        assert kind.impossible(ends).tolist() == [True] * 4 + [False]
    assert bool(quantity) == (kind.output.name in ("redshift", "smass"))


def test_models_that_agree_are_averaged_to_what_each_says(kind):
    truth, predicted = drawn(kind.output, COUNT)
    values, _ = kind.values(kind.fit_calibration(truth, predicted), predicted)
    frame = pd.DataFrame(dict(zip(kind.columns(), values, strict=True)))
    frames = {name: frame[lacking:].reindex(range(COUNT)) for name, lacking in (("one", 3), ("other", 2))}
    models = [SimpleNamespace(name=name, outputs=(kind.output,), costs={}) for name in frames]
    for way in ("one2one", "best"):
        found = pd.DataFrame(combine(models, frames, Combination(way, {"one": {kind.output.name: 0.1}})))
        expected = frame[[column for column in found if column in frame]][2:].reindex(range(COUNT))
        pd.testing.assert_frame_equal(found[list(expected)], expected, rtol=1e-9)
        names = found[f"{kind.output.name}_models"].tolist()
        assert names[:4] == ["", "", "other", "one|other" if way == "one2one" else "one"]
        assert (found[f"{kind.output.name}_flag"] > 0).tolist() == [True, True] + [False] * (COUNT - 2)


# === Baselines ===


def test_baselines_are_explained_and_scored(kind):
    truth, _ = drawn(kind.output, COUNT)
    rng = np.random.default_rng(0)
    seen = BaselineInputs(COUNT, *(rng.normal(17, 1, (COUNT, width)).astype(np.float32) for width in (9, 14, 3, 3)))
    found = baselines(kind.output, seen, truth, seen, 0)
    assert set(found) <= set(BASELINES)
    assert list(kind.constants(truth)) == [name for name in found if name in CONSTANTS]
    assert {name for name, _ in kind.baselines(0, 100).values()} < {field.name for field in fields(BaselineInputs)}
    names = [list(score(kind.output, truth, values)) for values in found.values()]
    assert names == names[:1] * len(found)


def test_constants_have_learnt_nothing_and_the_truth_is_not_accused(kind):
    truth, _ = drawn(kind.output, COUNT)
    constant = next(iter(kind.constants(truth).values()))
    assert kind.collapsed(truth, np.broadcast_to(constant, (COUNT, *constant.shape)))
    assert kind.collapsed(truth, perfect(kind.output, truth)) == ""


# === Pictures ===


def test_misses_rank_objects_and_say_why(kind):
    truth, predicted = drawn(kind.output, COUNT)
    error, captions = kind.misses(truth, predicted)
    none, _ = kind.misses(truth, perfect(kind.output, truth))
    assert (error.shape, len(captions)) == ((COUNT,), COUNT)
    np.testing.assert_allclose(none, 0, atol=1e-12)
    assert (error >= 0).all()
    assert all("predicted " in caption for caption in captions)


@pytest.mark.parametrize("count", [2, 15, COUNT])
def test_every_object_is_drawn(kind, count):
    truth, predicted = drawn(kind.output, count)
    figures = kind.figures(truth, predicted)
    for figure in figures.values():
        figure.canvas.draw()
    if kind.output.classes:
        (axes, bar), (image,) = figures["confusion"].axes, figures["confusion"].axes[0].images
        shares = image.get_array()
        np.testing.assert_allclose(shares.sum(axis=1), np.isin(np.arange(len(shares)), truth))
        ticks = [tick.get_text() for tick in axes.get_yticklabels()]
        assert ticks == [f"{label} ({(truth == number).sum()})" for number, label in enumerate(kind.output.classes)]
        assert (axes.get_xlabel(), bar.get_ylabel()) == ("predicted", "share of the true class")
    elif kind.output.tree:
        panels = [axes for axes in figures["answers"].axes if axes.get_title()]
        assert len(panels) == kind.output.size
        for axes, answer, guess in zip(panels, truth.T, predicted.T, strict=True):
            np.testing.assert_array_equal(axes.collections[0].get_offsets(), np.transpose([answer, guess]))
            assert axes.get_title().endswith(f"\nRMSE {np.sqrt(np.mean((answer - guess) ** 2)):.3f}")
        question = kind.tree.questions[0]
        assert panels[0].get_title().startswith(f"{question.number} {question.answers[0]}")
    else:
        axes = figures["residuals"].axes[0]
        points = axes.collections[0].get_offsets()
        np.testing.assert_allclose(points[:, 0], kind.to_scale(truth))
        np.testing.assert_allclose(points[:, 1], kind.error_in_scale(predicted, truth))
        assert axes.get_xlabel() == f"true {kind.axis_label}"
        assert axes.get_ylabel().startswith(kind.error_label)
        axes, bar = figures["predicted_vs_true"].axes
        assert (axes.get_xlabel(), axes.get_ylabel()) == (f"true {kind.axis_label}", f"predicted {kind.axis_label}")
        assert axes.get_title().startswith(f"{count} test galaxies")
        assert bar.get_ylabel() == "galaxies per cell"


def test_label_of_every_object_has_a_colour_of_its_own_or_is_a_number(kind):
    truth, _ = drawn(kind.output, COUNT)
    labels = kind.labels(truth)
    assert len(labels) == COUNT
    if kind.legend(labels):
        assert set(kind.legend(labels)) == set(labels)
    else:
        assert np.isfinite([float(label) for label in labels]).all()


def test_legend_of_votes_begins_with_the_commonest():
    kind = kind_of(OUTPUTS["votes"])
    truth = np.repeat(ballots(2), [3, 7], axis=0)
    assert kind.legend(kind.labels(truth))[0] == kind.labels(truth)[-1]


# === A new kind ===


class Angle(Scalar):
    """A direction in degrees, which comes round again after 360."""

    width_unit, axis_label = " (degrees)", "position angle"
    metrics = {"mae_deg": Metric("MAE (degrees)", "low", "mean distance round the circle")}  # noqa: RUF012
    headline, second, compared = "mae_deg", "mae_deg", ("mae_deg",)

    def error_in_scale(self, value, reference):
        return (value - reference + 180) % 360 - 180

    def samples(self, truth, predicted, drawn):
        return {"mae_deg": np.abs(self.error_in_scale(predicted, truth))[drawn].mean(axis=-1)}


def test_new_kind_is_one_class_and_one_entry(monkeypatch):
    monkeypatch.setitem(KINDS, "angle", Angle)
    output = Output("angle", "a", "angle", "deg", "position angle", "nobody", kind="angle")
    kind, rng = kind_of(output), np.random.default_rng(0)
    truth = rng.uniform(0, 360, COUNT)
    predicted = (truth + rng.normal(0, 5, COUNT)) % 360
    found = score(output, truth, predicted)
    assert found["mae_deg"] == pytest.approx(5 * np.sqrt(2 / np.pi), rel=0.15)
    low, high = intervals(output, truth, predicted, resamples=100)["mae_deg"]
    assert low < found["mae_deg"] < high
    assert kind.columns()[:2] == ["angle", "angle_low_68"]
    values, _ = kind.values(kind.fit_calibration(truth, predicted), predicted)
    assert len(values) == len(kind.columns())
    rivals = baselines(output, BaselineInputs(COUNT), truth, BaselineInputs(COUNT), 0)
    scores = {"i2a": found} | {name: score(output, truth, guess) for name, guess in rivals.items()}
    assert collapse(output, truth, predicted, scores) == ""
    card = card_data(replace(summary_of(output, found), scores={"angle": scores}))
    assert only_output(card)["metrics"]["mae_deg"]["label"] == "MAE (degrees)"
    assert "mean distance round the circle" in card_markdown(card)
    assert shown_metrics([output]) == ["mae_deg"]
    assert kind.figures(truth, predicted)["residuals"].axes[0].get_xlabel() == "true position angle"
