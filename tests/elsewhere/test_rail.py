"""The stages of RAIL, in RAIL's own pipeline."""

import os
import pickle
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT
from helpers import needed
from helpers.bare import bare
from helpers.trained import by_hand

from common.models.opening import load
from common.outputs.flags import Flag
from sdss_gs.errors import OptionError

needed.package("rail.estimation")
pytestmark = [
    # RAIL's, and of qp on reading distributions of galaxies that have none.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:There are non-finite values in the pdfs:RuntimeWarning"),
]

BANDS = [f"mag_{band}_lsst" for band in "ugriz"]
ERRORS = [f"mag_err_{band}_lsst" for band in "ugriz"]
TRAINING, COUNT, CHUNK = 600, 250, 100
FILES = {"input_train": "train.hdf5", "input_test": "test.hdf5"}


def galaxies(count, seed):
    """Photometry that tells the redshift."""
    rng = np.random.default_rng(seed)
    redshift = rng.uniform(0.02, 0.3, count)
    columns = {"object_id": 10**12 + np.arange(count), "redshift": redshift}
    for offset, band, error in zip([2.5, 1.2, 0, -0.4, -0.7], BANDS, ERRORS, strict=True):
        columns[band] = 16.5 + offset * (1 + redshift) + rng.normal(0, 0.02, count)
        columns[error] = np.full(count, 0.02)
    return columns


@pytest.fixture(scope="module")
def catalogue():
    """Galaxies to predict: the first was not observed in u, the second not seen, the others were in no band."""
    columns = galaxies(COUNT, 2)
    columns[BANDS[0]][:2] = -99.0, 99.0
    for band in BANDS:
        columns[band][2:4] = -99.0, np.nan
    return columns


@pytest.fixture(scope="module")
def done(tmp_path_factory, catalogue):
    """What RAIL's pipeline has written, each of its stages a process of its own."""
    import ceci
    import tables_io

    folder = tmp_path_factory.mktemp("rail")
    train = galaxies(TRAINING, 1)
    # Seen in training too, as RAIL's own simulations have it.
    train[BANDS[0]][:60] = 99.0
    for name, columns in (("train", train), ("test", catalogue)):
        tables_io.write({"photometry": columns}, str(folder / name), fmt="hdf5")
    environment = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name, value in environment.items():
            patch.setenv(name, value)
        pipeline().save("pipeline.yml")
        code = ceci.Pipeline.read("pipeline.yml").run()
    logs = "".join(path.read_text() for path in folder.glob("log/*"))
    assert code == 0, logs[-4000:]
    return folder


def pipeline():
    """A pipeline of the zoo's stages and one of RAIL's, in this folder."""
    from rail.core.stage import RailPipeline
    from rail.evaluation.single_evaluator import SingleEvaluator

    from common.elsewhere.rail import ZooEstimator, ZooInformer

    class Redshifts(RailPipeline):
        default_input_dict = FILES

        def __init__(self):
            super().__init__()
            learnt = {"epochs": 20, "learning_rate": 0.01}
            self.inform = ZooInformer.build(aliases={"input": "input_train"}, zoo_options=learnt)
            self.estimate = ZooEstimator.build(
                aliases={"input": "input_test"}, connections={"model": self.inform.io.model}, chunk_size=CHUNK,
                calc_summary_stats=True,
            )  # fmt: skip
            self.evaluate = SingleEvaluator.build(
                aliases={"truth": "input_test"},
                connections={"input": self.estimate.io.output},
                metrics=["cdeloss"],
                hdf5_groupname="photometry",
            )

    here, made = Path.cwd(), Redshifts()
    places = {"output_dir": str(here), "log_dir": str(here / "log"), "resume": False}
    made.initialize({name: str(here / file) for name, file in FILES.items()}, places, None)
    return made


@pytest.fixture(scope="module")
def ensemble(done):
    import qp

    return qp.read(str(done / "output_estimate.hdf5"))


def seen_by_zoo(catalogue, *, limits):
    frame = pd.DataFrame(catalogue)
    if limits:
        # The zoo reads a limit from the column of the error; RAIL has one for each band.
        frame.loc[1, ERRORS[0]] = 27.79
    return frame


def test_pipeline_trains_predicts_in_chunks_and_judges(done, ensemble, catalogue):
    content = pickle.loads((done / "model_inform.pkl").read_bytes())
    model = load(content)
    assert (model.name, model.reading["split"], model.runtime.name) == ("b2r", "all", "onnxruntime")
    assert model.inputs[0].errors == 5
    expected = model.predict(seen_by_zoo(catalogue, limits=True), limits=True)
    ancil = ensemble.ancil
    assert ensemble.npdf == len(ancil["flag"]) == COUNT
    np.testing.assert_allclose(ancil["zmedian"], expected["redshift"], rtol=1e-6)
    np.testing.assert_allclose(ancil["z_high_90"], expected["redshift_high_90"], rtol=1e-6)
    np.testing.assert_array_equal(ancil["flag"], expected["flag"])
    np.testing.assert_array_equal(ancil["id"], catalogue["object_id"])
    # The true one, which RAIL puts there.
    np.testing.assert_allclose(ancil["redshift"], catalogue["redshift"])
    good = np.isfinite(ancil["zmedian"])
    error = (ancil["zmode"] - catalogue["redshift"])[good] / (1 + catalogue["redshift"][good])
    assert 1.4826 * np.median(np.abs(error)) < 0.02
    median = ensemble[np.flatnonzero(good)].median().ravel()
    np.testing.assert_allclose(median, ancil["zmedian"][good], atol=2e-3)
    assert list(done.glob("*evaluate*"))


def test_what_was_not_observed_not_seen_or_is_no_number_are_told_apart(ensemble):
    flags, median = ensemble.ancil["flag"], ensemble.ancil["zmedian"]
    assert flags[0] & Flag.MISSING_BAND
    assert not flags[1] & Flag.MISSING_BAND
    assert np.isfinite(median[:2]).all()
    assert flags[2] & Flag.MISSING
    assert flags[3] & Flag.MISSING
    assert np.isnan(median[2:4]).all()
    assert np.isnan(ensemble.pdf([0.1])[2:4]).all()
    assert np.isfinite(ensemble.pdf([0.1])[4:]).all()


@pytest.fixture
def stage(done, tmp_path, monkeypatch):
    """Make an estimator of the pipeline's model, to be run in this process."""
    from common.elsewhere.rail import ZooEstimator

    monkeypatch.chdir(tmp_path)

    def stage(name, **options):
        return ZooEstimator.make_stage(name=name, model=str(done / "model_inform.pkl"), output_mode="return", **options)

    return stage


def estimated(stage, catalogue):
    return stage.estimate({"photometry": catalogue}).data


def test_the_grid_may_be_that_of_rail(stage, ensemble, catalogue):
    found = estimated(stage("grid", zoo_bins="grid", zmin=0.0, zmax=0.5, nzbins=101), catalogue)
    np.testing.assert_allclose(found.metadata["bins"].ravel(), np.linspace(0, 0.5, 101))
    good = np.isfinite(found.ancil["zmedian"])
    np.testing.assert_allclose(found.ancil["zmedian"][good], ensemble.ancil["zmedian"][good])
    np.testing.assert_allclose(found[np.flatnonzero(good)].cdf([0.5]), 1, atol=1e-5)
    np.testing.assert_allclose(found[np.flatnonzero(good)].median().ravel(), found.ancil["zmedian"][good], atol=6e-3)


def test_columns_and_values_are_those_of_the_configuration(stage, ensemble, catalogue):
    renamed = {name.replace("_lsst", ""): values.copy() for name, values in catalogue.items()}
    renamed["mag_u"][0], renamed["mag_u"][1] = -1.0, np.nan
    bands, errors = ([name.replace("_lsst", "") for name in names] for names in (BANDS, ERRORS))
    options = {"bands": bands, "err_bands": errors, "nondetect_val": np.nan, "nonobserved_val": -1.0}
    found = estimated(stage("other", mag_limits={"mag_u": 27.79}, **options), renamed)
    np.testing.assert_array_equal(found.ancil["zmedian"][:2], ensemble.ancil["zmedian"][:2])
    # Without a limit a galaxy that was not seen is one that was not observed.
    without = estimated(stage("without", mag_limits={}, **options), renamed)
    assert without.ancil["flag"][1] & Flag.MISSING_BAND
    # A band, and all errors, may not be there at all.
    for band in (BANDS[0], *ERRORS):
        del renamed[band.replace("_lsst", "")]
    fewer = estimated(stage("fewer", bands=["", *bands[1:]], err_bands=[]), renamed)
    assert (fewer.ancil["flag"][4:] & Flag.MISSING_BAND > 0).all()
    assert np.isfinite(fewer.ancil["zmedian"][4:]).all()


def test_mistakes_are_named(stage, catalogue, done):
    from common.elsewhere.rail import ZooInformer

    with pytest.raises(OptionError, match=r"bands: expected 5 columns, for modelMag_u, .*, found 6"):
        estimated(stage("six", bands=[*BANDS, "mag_u_lsst"]), catalogue)
    with pytest.raises(OptionError, match="zoo_bins: expected model or grid, found 'own'"):
        estimated(stage("bins", zoo_bins="own"), catalogue)
    with pytest.raises(KeyError, match="mag_y_lsst"):
        estimated(stage("y", bands=[*BANDS[1:], "mag_y_lsst"]), catalogue)
    for name, found in (("b2sm", "b2sm"), ("i2r", "i2r")):
        informer = ZooInformer.make_stage(name=f"inform_{name}", zoo_model=name)
        with pytest.raises(
            OptionError, match=f"zoo_model: expected a model of redshifts from magnitudes, found '{found}'"
        ):
            informer.inform({"photometry": galaxies(10, 0)})
    (done / "other.pkl").write_bytes(pickle.dumps(by_hand("b2sm").to_bytes()))
    with pytest.raises(OptionError, match="expected a model that predicts distributions"):
        estimated(stage("mass").make_stage(name="mass2", model=str(done / "other.pkl")), catalogue)


def test_without_rail_one_line_says_what_brings_it():
    ran = bare("import common.elsewhere.rail")
    (line,) = [line for line in ran.stderr.splitlines() if line.startswith("ModuleNotFoundError")]
    assert "common.elsewhere.rail needs RAIL, found no qp" in line
    assert 'pip install -e ".[rail]"' in line
