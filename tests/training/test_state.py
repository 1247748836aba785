import numpy as np
import pytest

from common.backend import keras
from common.training.state import Progress, assign, load_state, restore, save_state
from sdss_gs.errors import OptionError


def network(width=3):
    inputs = keras.Input((2,))
    x = keras.layers.Normalization()(inputs)
    x = keras.layers.Dropout(0.5)(keras.layers.Dense(width)(x))
    model = keras.Model(inputs, keras.layers.Dense(1)(x))
    model.compile("adam", "mse")
    return model


@pytest.fixture
def trained(tmp_path):
    """Train a network a little and save its state."""
    model = network()
    x = np.random.default_rng(0).normal(3, 2, (64, 2)).astype(np.float32)
    model.layers[1].adapt(x)
    model.fit(x, x[:, :1], epochs=2, verbose=0)
    best = [np.asarray(variable) for variable in model.variables]
    progress = Progress({"epochs": 4}, "abc", 2, [{"loss": 1.0}], 2, 0.5)
    save_state(tmp_path / "state.npz", progress, model, best)
    return model, progress, tmp_path / "state.npz", x


def test_saved_state_comes_back_whole(trained):
    model, progress, path, x = trained
    again = network()
    found, arrays = load_state(path)
    best = restore(again, arrays)
    assert found == progress
    for one, two in zip(model.optimizer.variables, again.optimizer.variables, strict=True):
        np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(model.predict(x, verbose=0), again.predict(x, verbose=0))
    assign(again, best)
    np.testing.assert_array_equal(model.predict(x, verbose=0), again.predict(x, verbose=0))


def test_continued_fit_equals_the_uninterrupted_one_with_dropout(trained):
    model, _, path, x = trained
    again = network()
    restore(again, load_state(path)[1])
    for one in (model, again):
        one.fit(x, x[:, :1], epochs=2, verbose=0, shuffle=False)
    for one, two in zip(model.variables, again.variables, strict=True):
        np.testing.assert_array_equal(one, two)


def test_state_of_another_network_is_refused(trained):
    with pytest.raises(OptionError, match="resume: expected the arrays of this network"):
        restore(network(width=4), load_state(trained[2])[1])


@pytest.mark.parametrize("content", [None, b"", b"junk", b"PK\x03\x04"])
def test_damaged_state_is_one_clear_error(tmp_path, content):
    if content is not None:
        (tmp_path / "state.npz").write_bytes(content)
    with pytest.raises(OptionError, match=r"resume: expected the state of a run in .*state\.npz"):
        load_state(tmp_path / "state.npz")


def test_failed_save_leaves_the_old_state(trained, monkeypatch):
    model, progress, path, _ = trained
    before = path.read_bytes()
    monkeypatch.setattr(np, "savez", lambda file, **_: (file.write(b"half"), 1 / 0))
    with pytest.raises(ZeroDivisionError):
        save_state(path, progress, model, [])
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == ["state.npz"]


def test_run_without_a_first_epoch_has_nothing_to_go_on_from(tmp_path):
    with pytest.raises(OptionError, match="found none: it ended before its first epoch did"):
        load_state(tmp_path / "state.npz")
