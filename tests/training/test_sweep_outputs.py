"""Sweeps of outputs that only the data tell: votes of any survey, and a user's own classes or numbers."""

import mlflow
import pytest
from conftest import ROOT, survey_rows, write_survey
from helpers.ballots import ballots, write_votes
from helpers.folders import architectures_of
from helpers.stores import new_store

from common import train
from common.backend import keras
from common.networks.layers import dense_stack, standardise
from common.project import read_project
from common.training.sweep.space import parse_space
from common.training.sweep.study import pruned_by
from sdss_gs.errors import OptionError


@pytest.fixture
def sweep(repository, tmp_path, monkeypatch, capsys, without_light_form):
    """Run the entry point of a model folder with a store of its own; return the exit code and what was printed."""
    store = new_store(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    mlflow.set_tracking_uri(store)

    def sweep(model, ds, architectures, **options):
        chosen = {"ds": ds, "epochs": 1, "refit_epochs": 1} | options
        arguments = [text for key, value in chosen.items() for text in (f"--{key}", str(value))]
        code = train._run(repository / model, architectures, ["sweep", *arguments])
        said = capsys.readouterr()
        return code, said.out + said.err

    yield sweep
    keras.config.set_dtype_policy("float32")


def mean_pixel(img):
    """Turn the image's mean pixel into features: enough here, and quick."""
    return dense_stack(standardise(keras.layers.GlobalAveragePooling2D()(img)), (16,))


def test_votes_are_ranked_by_the_error_of_the_answers_in_the_table(sweep, tmp_path):
    rows = survey_rows(60)
    folder = write_survey(tmp_path / "data", rows, ["img"])
    write_votes(folder, [row["objid"] for row in rows], ballots(60, tree="gz2"), "gz2")
    code, said = sweep("i2v", folder, {"fast": mean_pixel}, space="loss=rmse|dirichlet")
    assert code == 0, said
    assert "| trial | loss | validation rmse" in said
    assert "rmse37" not in said, "a table of another survey has another number of answers"


def test_own_number_is_explored_and_ranked_by_its_error_though_the_folder_has_classes(sweep, tmp_path):
    folder = write_survey(tmp_path / "data", survey_rows(200))
    space = "target=modelMag_r,learning_rate=1e-3|1e-2,architecture=reference"
    code, said = sweep("b2s", folder, architectures_of("b2s"), space=space)
    assert code == 0, said
    assert "| trial | learning_rate | validation rmse |" in said


def test_loss_of_votes_is_one_of_the_votes():
    with pytest.raises(OptionError, match=r"space: loss: expected one of rmse, .*, found 'huber'"):
        parse_space("loss=rmse|huber", read_project(ROOT / "i2v"))


def test_two_own_labels_are_not_compared():
    with pytest.raises(OptionError, match="space: target: expected one value, found several"):
        parse_space("target=one|two", read_project(ROOT / "b2s"))


def test_vote_losses_have_no_common_number_of_an_epoch():
    with pytest.raises(OptionError, match="prune: expected none where loss is explored"):
        pruned_by(read_project(ROOT / "i2v"), "median", ["loss"])
