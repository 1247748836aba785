"""What a model must beat: predictions that need no network, made for the same test objects."""

from __future__ import annotations

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from sdss_gs.schema import Input, Output

from .outputs import decode, encode

_REDUCTIONS = {"mean": np.mean, "median": np.median}


def baselines(
    item: Input,
    output: Output,
    train_inputs: np.ndarray | None,
    train_truth: np.ndarray,
    test_inputs: np.ndarray | None,
    test_count: int,
    seed: int,
) -> dict[str, np.ndarray]:
    """Predict the test objects without a network.

    Parameters
    ----------
    item, output : Input, Output
    train_inputs, test_inputs : ndarray of float32, shape (n, features), or None
        Values of a table input; None for an image or a spectrum.
    train_truth : ndarray, shape (n,)
        Catalogue unit or class numbers.
    test_count : int
        Number of test objects.
    seed : int

    Returns
    -------
    dict of str to ndarray, shape (test_count,) or (test_count, classes)
        Predictions like `outputs.decode` gives them, by baseline: ``mean`` and ``median``, or ``majority`` (the class
        shares of the training objects), and ``gradient boosting`` on magnitudes and
        colours for a table input.
    """
    found = {
        name: np.broadcast_to(value, (test_count, *value.shape))
        for name, value in _constants(output, train_truth).items()
    }
    if item.columns:
        found["gradient boosting"] = _boosting(output, train_inputs, train_truth, test_inputs, seed)
    return found


def _constants(output: Output, truth: np.ndarray) -> dict[str, np.ndarray]:
    if output.classes:
        return {"majority": np.bincount(truth, minlength=len(output.classes)) / len(truth)}
    target = encode(output, truth)
    return {name: decode(output, reduce(target, axis=0)[None])[0] for name, reduce in _REDUCTIONS.items()}


def _with_colours(magnitudes: np.ndarray) -> np.ndarray:
    """Add the differences of neighbouring magnitudes: a tree cannot form them, and they carry the redshift."""
    return np.concatenate([magnitudes, np.diff(magnitudes, axis=1)], axis=1)


def _boosting(output, train_inputs, train_truth, test_inputs, seed) -> np.ndarray:
    train_inputs, test_inputs = _with_colours(train_inputs), _with_colours(test_inputs)
    target = encode(output, train_truth)[:, 0]
    if not output.classes:
        model = HistGradientBoostingRegressor(random_state=seed).fit(train_inputs, target)
        return decode(output, model.predict(test_inputs)[:, None])
    if len(np.unique(target)) == 1:
        return np.eye(len(output.classes))[np.full(len(test_inputs), target[0])]
    model = HistGradientBoostingClassifier(random_state=seed).fit(train_inputs, target)
    probabilities = np.zeros((len(test_inputs), len(output.classes)))
    probabilities[:, model.classes_] = model.predict_proba(test_inputs)
    return probabilities
