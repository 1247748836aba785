"""``zoo shift``: what moved is named rightly, nothing is named where nothing did, and mistakes are one clear line."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from helpers.exported import exported_folder
from helpers.trained import MAGNITUDES, by_hand

from common.cli.command import main
from common.data.fit_novelty import fit_novelty
from common.data.sources import Chunk, Loaded, Source, open_source
from common.models.opening import load
from common.models.reference import packed_sample, unpacked_sample
from common.shift.diagnose import diagnose
from common.shift.importance import importance
from common.shift.report import as_data, html_page
from common.shift.survey import look_at
from sdss_gs.schema import PER_EBV

BANDS = [f"modelMag_{band}" for band in "ugriz"]
NOBODY = np.empty((0, 0))


def galaxies(n, seed):
    """Galaxies of one survey: brightness, colour, and some noise; redshifts that the model knows."""
    rng = np.random.default_rng(seed)
    bright, colour = rng.normal(0, 0.8, (n, 1)), rng.normal(0, 0.15, (n, 1))
    values = MAGNITUDES + bright + colour * np.array([1.5, 1, 0, -0.5, -0.8]) + rng.normal(0, 0.05, (n, 5))
    frame = pd.DataFrame(np.round(values, 3), columns=BANDS)
    frame.insert(0, "objid", np.arange(n) + 10_000 * (seed + 1))
    return frame.assign(redshift=0.01 * values.mean(axis=1) * (1 + 0.01 * rng.normal(size=n)))


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A model that keeps a sample of its survey."""
    path = tmp_path_factory.mktemp("reference") / "old.csv"
    frame = galaxies(1000, 0)
    frame.to_csv(path, index=False)
    usual = frame[BANDS].to_numpy(np.float32)
    bare = by_hand()
    bare = replace(bare, training_ranges={"bands": fit_novelty(bare.inputs[0], lambda _part: [usual])})
    sample = look_at(bare, open_source([path], ["bands"]), NOBODY).sample
    sample = replace(sample, truth={"redshift": frame["redshift"].to_numpy()})
    return replace(bare, reference=packed_sample(sample, bare.inputs, bare.outputs))


@pytest.fixture(scope="module")
def folder(model, tmp_path_factory):
    return exported_folder(tmp_path_factory.mktemp("exported") / "b2r", model)


@pytest.fixture
def told(folder, tmp_path, capsys):
    """Run the command on a table; return exit code, what the JSON holds and what was printed."""

    def told(frame, *options):
        frame.to_csv(tmp_path / "other.csv", index=False)
        code = main(
            ["shift", folder, "--input", str(tmp_path / "other.csv"), "--output", str(tmp_path / "found"), *options]
        )
        out = capsys.readouterr()
        print(out.out, out.err)
        path = tmp_path / "found.json"
        return code, json.loads(path.read_text()) if path.is_file() else {}, out.out + out.err

    return told


def test_sample_comes_back_from_the_stored_model(model, folder):
    sample, stored = (unpacked_sample("b2r", one.reference, one.inputs, one.outputs) for one in (model, load(folder)))
    assert len(stored) == 1000
    np.testing.assert_array_equal(stored.traits["bands"], sample.traits["bands"])
    np.testing.assert_allclose(stored.truth["redshift"], galaxies(1000, 0)["redshift"], rtol=1e-4)
    assert len(json.dumps(model.reference)) < 40_000


def test_galaxies_of_the_same_survey_are_no_alarm(model, tmp_path):
    verdicts = []
    for seed in (1, 2):
        galaxies(500, seed).to_csv(tmp_path / "half.csv", index=False)
        survey = look_at(model, open_source([tmp_path / "half.csv"], ["bands"]), NOBODY)
        sample = unpacked_sample("b2r", model.reference, model.inputs, model.outputs)
        truth = galaxies(500, seed)["redshift"].to_numpy()
        verdicts.append(diagnose(model, sample, survey, {"redshift": truth} if seed % 2 else {}).verdict.words)
    assert verdicts == ["use", "use"]


@pytest.mark.parametrize(
    ("change", "kind", "words", "verdict"),
    [
        (lambda one: one.assign(modelMag_g=one["modelMag_g"] + 0.15), "zero_point", "g moved by +0.1", "use with care"),
        (
            lambda one: one.assign(**{
                band: one[band] + 0.08 * per for band, per in zip(BANDS, PER_EBV.values(), strict=True)
            }),
            "extinction", "E(B-V) = +0.0", "adapt",
        ),
        (lambda one: one.assign(**{band: one[band] + 2.0 for band in BANDS}), "brightness", "fainter: r by 2.0", ""),
        (lambda one: one.assign(redshift=one["redshift"] * 1.06), "labels", "below the true values", "adapt"),
    ],
    ids=["zero point", "extinction", "fainter", "labels"],
)  # fmt: skip
def test_what_moved_is_named(told, change, kind, words, verdict):
    # An exit code for pipelines, where it is asked for.
    options = ["--fail"] if kind == "extinction" else []
    code, found, printed = told(change(galaxies(500, 3)), *options)
    assert code == len(options)
    named = {one["kind"]: one["text"] for one in found["movements"]}
    assert words in named[kind]
    assert found["verdict"] == verdict or not verdict
    assert found["verdict"] != "use"
    assert f": {found['verdict']}" in printed
    # A catalogue is no data set: the command is not to fail when it is copied.
    assert not any("ds=" in step and "other.csv" in step for step in found["next"])
    assert any(named[kind] in reason for reason in found["reasons"]) or kind == "brightness"


def test_page_and_json_say_the_same_and_colours_have_their_sign(told, tmp_path):
    code, found, printed = told(galaxies(300, 4), "--fail")
    assert (code, found["verdict"]) == (0, "use")
    assert found["objects"] == {"input": 300, "seen": 300, "predicted": 300, "reference": 1000}
    (colour,) = [one for one in found["traits"] if one["name"] == "g − r"]
    assert colour["reference"] == pytest.approx(MAGNITUDES[1] - MAGNITUDES[2], abs=0.05)
    scores = found["scores"]["redshift"]
    assert {"reference", "expected", "measured"} <= set(scores)
    page = (tmp_path / "found.html").read_text()
    assert "b2r: use" in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "300 objects beside 1,000 reference objects" in printed


def test_mistakes_are_one_clear_line(told, folder, tmp_path, capsys):
    code, _, printed = told(galaxies(40, 5).drop(columns=["redshift"]), "--truth", "z_spec")
    assert code == 1
    assert "z_spec" in printed.splitlines()[-1]
    old = exported_folder(tmp_path / "old", by_hand())
    assert main(["shift", old, "--input", str(tmp_path / "other.csv")]) == 1
    assert "expected a model stored with a reference sample" in capsys.readouterr().err
    (tmp_path / "empty.csv").write_text(",".join(["objid", *BANDS]) + "\n")
    assert main(["shift", folder, "--input", str(tmp_path / "empty.csv"), "--output", str(tmp_path / "none")]) == 1
    assert capsys.readouterr().err.startswith("error: ")
    code, found, _ = told(galaxies(1, 6))
    assert (code, found["verdict"]) == (0, "use with care")
    code, _, printed = told(galaxies(1, 6))
    assert code == 1
    assert "--overwrite" in printed


def test_weights_make_the_reference_look_like_the_other_survey():
    """Of two normal distributions the ratio of the densities is known."""
    rng = np.random.default_rng(0)
    ours, theirs = rng.normal(0, 1, (2000, 1)), rng.normal(0.7, 1, (2000, 1))
    found = importance(ours, theirs)
    expected = np.exp(0.7 * ours[:, 0] - 0.7**2 / 2)
    assert np.average(ours[:, 0], weights=found.weights) == pytest.approx(0.7, abs=0.1)
    assert np.corrcoef(np.log(found.weights), np.log(expected))[0, 1] > 0.95
    assert found.auc == pytest.approx(0.69, abs=0.03)


def pictures(n, radius, seed):
    """Images of round galaxies that differ in brightness and, a little, in size; pixels have noise."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:150, :150] - 74.5
    size = radius * rng.lognormal(0, 0.1, (n, 1, 1))
    light = rng.uniform(60, 120, (n, 1, 1)) * np.exp(-np.hypot(x, y) / size)
    colours = light[..., None] * np.array([1.0, 0.8, 0.6]) + rng.normal(20, 3, (n, 150, 150, 3))
    return np.clip(colours, 0, 255).astype(np.uint8)


def image_survey(model, values):
    """What a model finds of images in memory."""
    flags = np.zeros(len(values), np.int32)
    chunk = Chunk(pa.array(np.arange(len(values))), lambda _item, _shape, _column: Loaded(values, flags))
    source = Source("objid", len(values), ("img",), "made here", [], lambda _first=0: iter([chunk]))
    return look_at(model, source, NOBODY)


def test_images_at_another_scale_are_named_and_others_are_not():
    model, usual = by_hand("i2r"), pictures(200, 6, 0)
    model = replace(model, training_ranges={"img": fit_novelty(model.inputs[0], lambda _part: [usual])})
    reference = replace(image_survey(model, usual).sample, truth={"redshift": np.full(200, 0.1)})
    surveys = {radius: image_survey(model, pictures(80, radius, 1)) for radius in (6, 9)}
    found = {radius: diagnose(model, reference, survey, {}) for radius, survey in surveys.items()}
    assert "scale" not in [one.kind for one in found[6].movements]
    assert found[6].verdict.words == "use"
    (scale,) = [one for one in found[9].movements if one.kind == "scale"]
    assert scale.size == pytest.approx(1.5, abs=0.15)
    assert scale.text in found[9].verdict.reasons
    assert found[9].verdict.level >= 2
    assert html_page(found[9], as_data(found[9], "i2r/1", "DS", [])).count("<img") == 3
