"""Which objects a run uses, what each has of several inputs and outputs, and how that reaches the network."""

import numpy as np
import pytest
from conftest import ROOT, survey_rows, write_survey
from helpers.ballots import ballots, write_votes
from helpers.several import NAMES, fused, patchy_rows, task

from common.data.task import task_of
from common.data.training_data import TrainingData
from common.networks.fused import joint_network
from common.networks.inputs import PRESENT
from common.networks.training_wrappers import hiding_model
from common.options import TrainingOptions
from common.project import read_project
from common.training.compile import begin_fused, compile_model, constant_losses
from common.training.pool import what_is_said
from sdss_gs.errors import DataError, OptionError
from sdss_gs.sample import write_sample
from sdss_gs.schema import INPUTS, OUTPUTS
from sdss_gs.split import split
from sdss_gs.tables.votes import USUAL_TOTAL


@pytest.fixture(scope="module")
def patchy(tmp_path_factory):
    """Data with gaps, votes, and a column of the user's own."""
    rows = patchy_rows(300)
    folder = write_survey(tmp_path_factory.mktemp("data") / "patchy", rows)
    header, *lines = (folder / "data.csv").read_text().splitlines()
    shapes = ("far" if float(row["redshift"] or 0) > 0.15 else "near" for row in rows)
    lines = [f"{line},{shape}" for line, shape in zip(lines, shapes, strict=True)]
    (folder / "data.csv").write_text("\n".join([f"{header},shape", *lines]) + "\n")
    write_votes(folder, [row["objid"] for row in rows], ballots(300))
    return folder


@pytest.fixture(scope="module")
def data(patchy):
    return TrainingData(task(), TrainingOptions(ds=str(patchy)))


def test_objects_with_any_input_and_any_output_are_used_in_the_usual_parts(patchy, data):
    rows = patchy_rows(300)
    objid = np.array([int(row["objid"]) for row in rows])
    has = np.array([number % 10 != 3 for number in range(300)])
    expected = {part: objid[has][chosen] for part, chosen in split(objid[has]).items()}
    whole = split(objid)
    for part, objects in data.parts.items():
        np.testing.assert_array_equal(objid[objects], expected[part])
        assert set(objects) <= set(whole[part])
    options = TrainingOptions(ds=str(patchy))
    single = TrainingData(task_of(read_project(ROOT / "b2r"), options), options)
    assert set(single.parts["test"]) <= set(data.parts["test"])


def test_what_an_object_lacks_is_fed_as_zero_and_said_to_be_missing(data):
    for inputs, targets, weights in data.batches("test", 16):
        present = np.asarray(inputs[PRESENT])
        for column, item in enumerate(data.inputs):
            values = np.asarray(inputs[item.name])
            assert (values[present[:, column] == 0] == 0).all()
            assert (values[present[:, column] == 1] != 0).all()
        assert set(targets) == set(weights) == set(NAMES)


def test_weights_leave_out_unknown_truths_and_balance_the_outputs(data):
    targets, weights = data.targets("train")
    for name in NAMES:
        known = data.known("train", name)
        assert not known.all() or name == "smass"
        np.testing.assert_array_equal(weights[name] > 0, known)
        assert weights[name].mean() == pytest.approx(1, rel=1e-5)
        assert np.isfinite(targets[name]).all()
        assert len(data.truth("train", name)) == known.sum()


def test_training_begins_at_the_best_constants_with_a_loss_of_one_each(data):
    network = fused(data.inputs, data.outputs, data.shapes())
    said = what_is_said(network, data, new=True)
    model = hiding_model(joint_network(network), 0.3, 0)
    options = TrainingOptions(epochs=2, learning_rate=0.01, schedule="constant")
    compile_model(model, data.outputs, options, steps=4, constants=constant_losses(data, options))
    begin_fused(network, data, said["train"])
    found = model.evaluate(data.batches("train", 64, said=said), verbose=0, return_dict=True)
    assert found["loss"] == pytest.approx(len(NAMES), rel=1e-4)
    # The statistics are of the training objects that have the input: a zero in place of a magnitude is none.
    values = network.get_layer("wise_encoder").get_layer("wise_values")
    (layer,) = [layer for layer in values.layers if "normalization" in layer.name]
    seen = np.concatenate(list(data.chunks("train", "wise")))
    assert len(seen) == data.present("train")[:, 1].sum()
    np.testing.assert_allclose(np.ravel(layer.adapt_mean)[:4], seen.mean(axis=0), rtol=1e-4)
    assert (said["train"]["wise"][~data.present("train")[:, 1]] == 0).all()


def test_fingerprint_of_one_input_and_output_is_that_of_a_model_of_its_own(data):
    """A version of b2r is known again by it."""
    project = read_project(ROOT / "b2r")
    alone = TrainingData(task_of(project, TrainingOptions()), TrainingOptions(ds=str(data.folder)))
    assert data.fingerprint_of("bands", "redshift") == alone.fingerprint
    assert data.fingerprint_of("wise", "redshift") != alone.fingerprint


def test_each_object_is_measured_once(data, monkeypatch):
    measured = data.measured("train", INPUTS["bands"])
    assert len(measured) == data.present("train")[:, 0].sum()
    monkeypatch.setattr(data, "chunks", lambda *_: pytest.fail("measured again"))
    assert data.measured("train", INPUTS["bands"]) is measured


def test_output_that_nobody_has_is_named(tmp_path):
    rows = [row | {"subclass": ""} for row in survey_rows(60)]
    folder = write_survey(tmp_path / "unlabelled", rows)
    with pytest.raises(DataError, match="expected objects with subclass and any of bands, wise in every part"):
        TrainingData(task(outputs=("redshift", "subclass")), TrainingOptions(ds=str(folder)))


def test_a_run_says_how_many_rows_were_merged(tmp_path):
    rows = survey_rows(60)
    folder = write_survey(tmp_path / "repeated", [*rows, *rows[:7]])
    used = TrainingData(task(outputs=("redshift",)), TrainingOptions(ds=str(folder)))
    assert sum(used.sizes().values()) == 60
    assert "  7 rows of data.csv repeat the objid of another" in used.description()


@pytest.mark.parametrize(("name", "origin"), [("sky", "sample"), ("my-sample", None)])
def test_generated_data_are_known_by_what_is_in_the_folder_not_by_its_name(tmp_path, name, origin):
    folder = tmp_path / name
    if origin:
        write_sample(folder, 40, 0)
    else:
        write_survey(folder, survey_rows(60))
    assert TrainingData(task(outputs=("redshift",)), TrainingOptions(ds=str(folder))).made().get("origin") == origin


def test_classes_without_a_training_object_are_named(tmp_path):
    rows = [row | {"subclass": ("STARBURST", "AGN")[number % 2]} for number, row in enumerate(survey_rows(60))]
    used = TrainingData(task(outputs=("subclass",)), TrainingOptions(ds=str(write_survey(tmp_path / "two", rows))))
    assert used.unlearnt(OUTPUTS["subclass"]) == ["BROADLINE", "STARFORMING"]
    numbers = TrainingData(task(outputs=("redshift",)), TrainingOptions(ds=str(tmp_path / "two")))
    assert numbers.unlearnt(OUTPUTS["redshift"]) == []


# === What an output of classes or votes brings along beside others ===


def test_rare_classes_weigh_more_among_those_that_are_known_and_as_much_in_validation(patchy, data):
    of = task(outputs=("redshift", "subclass"))
    balanced = TrainingData(of, TrainingOptions(ds=str(patchy), class_weights="balanced"))
    truth, known = balanced.truth("train", "subclass"), balanced.known("train", "subclass")
    _, weights = balanced.targets("train")
    per_class = np.bincount(truth, weights["subclass"][known])
    np.testing.assert_allclose(per_class[per_class > 0], len(known) / (per_class > 0).sum(), rtol=1e-5)
    assert (weights["subclass"][~known] == 0).all()
    plain = TrainingData(of, TrainingOptions(ds=str(patchy)))
    np.testing.assert_array_equal(weights["redshift"], plain.targets("train")[1]["redshift"])
    label, has = balanced.truth("validation", "subclass"), balanced.known("validation", "subclass")
    weighted, equal = (one.targets("validation")[1]["subclass"][has] for one in (balanced, plain))
    sizes = np.bincount(truth)
    np.testing.assert_allclose(weighted / equal, len(truth) / (sizes > 0).sum() / sizes[label], rtol=1e-5)


def test_own_column_takes_the_place_of_the_one_output_of_classes(patchy, data):
    used = TrainingData(task(outputs=("smass", "subclass")), TrainingOptions(ds=str(patchy), target="shape"))
    assert [output.name for output in used.outputs] == ["smass", "shape"]
    assert used.outputs[1].classes == ("far", "near")
    targets, _ = used.targets("train")
    np.testing.assert_array_equal(
        targets["shape"][used.known("train", "shape")].argmax(axis=1), used.truth("train", "shape")
    )
    # A name of a column says nothing of how masses are learnt.
    known = used.known("train", "smass")
    np.testing.assert_allclose(targets["smass"][known, 0], np.log10(used.truth("train", "smass")), rtol=1e-5)
    assert "shape: far" in used.description()


def test_own_column_for_two_outputs_of_classes_is_refused(patchy):
    with pytest.raises(OptionError, match=r"target: expected one output of classes .*, found redshift, subclass, gz2c"):
        TrainingData(task(outputs=("redshift", "subclass", "gz2c")), TrainingOptions(ds=str(patchy), target="shape"))


def test_votes_beside_another_output_are_learnt_as_counts_where_the_loss_wants_them(patchy):
    of = task(outputs=("redshift", "votes"))
    used = TrainingData(of, TrainingOptions(ds=str(patchy), loss="dirichlet"))
    used.require_learnable()
    targets, _ = used.targets("test")
    known = used.known("test", "votes")
    np.testing.assert_allclose(targets["votes"][known], USUAL_TOTAL * used.truth("test", "votes"), rtol=1e-6)
    assert "no numbers of volunteers (total_classifications), taken as 40" in used.description()


def test_what_is_read_under_another_name_is_said_once(tmp_path):
    folder = write_survey(tmp_path / "data", survey_rows(60))
    (folder / "data.csv").write_text((folder / "data.csv").read_text().replace("modelMag_", "dered_"))
    text = TrainingData(task(), TrainingOptions(ds=str(folder))).description()
    assert text.count("modelMag_u is read from dered_u") == 1
    assert "bands: dereddened magnitudes" in text
