"""The state of a training run on disk, from which it goes on as if nothing had happened."""

from __future__ import annotations

import json
import zipfile
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from common.backend import keras
from common.networks.layers import normalisations
from sdss_gs.errors import OptionError
from sdss_gs.files import replacing


@dataclass
class Progress:
    """What a run has reached.

    Parameters
    ----------
    options : dict
        Typed options of the run.
    fingerprint : str
        Content hash of the training data.
    epoch : int
        Finished epochs.
    history : list of dict of str to float
        Metrics of each finished epoch.
    best_epoch : int
        Epoch, from 1, with the lowest validation loss; 0 before the first.
    best_loss : float
    """

    options: dict
    fingerprint: str
    epoch: int = 0
    history: list[dict[str, float]] = field(default_factory=list)
    best_epoch: int = 0
    best_loss: float = float("inf")


def save_state(path: Path, progress: Progress, model: keras.Model, best: list[np.ndarray]) -> None:
    """Write progress, weights, optimizer and best weights; the file is the old one or the new one, never torn.

    Parameters
    ----------
    path : Path
    progress : Progress
    model : keras.Model
        What is trained, with its optimizer.
    best : list of ndarray
        Weights of the best epoch.
    """
    arrays = {f"model_{number}": np.asarray(variable) for number, variable in enumerate(model.variables)}
    arrays |= {f"optimizer_{number}": np.asarray(variable) for number, variable in enumerate(model.optimizer.variables)}
    arrays |= {f"best_{number}": array for number, array in enumerate(best)}
    with replacing(path) as temporary, open(temporary, "wb") as file:
        np.savez(file, progress=np.array(json.dumps(asdict(progress))), **arrays)


def load_state(path: Path) -> tuple[Progress, dict[str, np.ndarray]]:
    """Read a state.

    Returns
    -------
    progress : Progress
    arrays : dict of str to ndarray

    Raises
    ------
    OptionError
        If there is no readable state.
    """
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        return Progress(**json.loads(str(arrays.pop("progress")))), arrays
    except FileNotFoundError:
        raise OptionError(
            f"resume: expected the state of a run in {path}, found none: it ended before its first epoch did"
        ) from None
    except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise OptionError(f"resume: expected the state of a run in {path}, found {error}") from None


def restore(model: keras.Model, arrays: dict[str, np.ndarray], with_optimizer: bool = True) -> list[np.ndarray]:
    """Put a state's arrays into a compiled model; return the best weights.

    Parameters
    ----------
    model : keras.Model
    arrays : dict of str to ndarray
    with_optimizer : bool
        Whether its optimizer goes on too, or begins anew, as in another phase of fine-tuning.

    Raises
    ------
    OptionError
        If the arrays are of another architecture or optimizer.
    """
    if with_optimizer:
        model.optimizer.build(model.trainable_variables)
        optimizer = _numbered(arrays, "optimizer")
        _check(model.optimizer.variables, optimizer)
        for variable, array in zip(model.optimizer.variables, optimizer, strict=True):
            variable.assign(array)
    assign(model, _numbered(arrays, "model"))
    return best_of(arrays)


def best_of(arrays: dict[str, np.ndarray]) -> list[np.ndarray]:
    """Return the best weights of a state; none before the first epoch."""
    return _numbered(arrays, "best")


def assign(model: keras.Model, arrays: list[np.ndarray]) -> None:
    """Set all variables of a model.

    Raises
    ------
    OptionError
        If the arrays are of another architecture.
    """
    _check(model.variables, arrays)
    for variable, array in zip(model.variables, arrays, strict=True):
        variable.assign(array)
    for layer in normalisations(model):
        # The layer computes with constants that it derives from its variables.
        layer.finalize_state()


def _numbered(arrays: dict[str, np.ndarray], kind: str) -> list[np.ndarray]:
    return [array for name, array in arrays.items() if name.startswith(f"{kind}_")]


def _check(variables, arrays) -> None:
    expected, found = [tuple(variable.shape) for variable in variables], [array.shape for array in arrays]
    if expected != found:
        raise OptionError(f"resume: expected the arrays of this network ({len(expected)}), found others ({len(found)})")
