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
    epoch, history : int, list of dict of str to float
        Number of finished epochs, and the metrics of each.
    best_epoch, best_loss : int, float
        Epoch, from 1, with the lowest validation loss; 0 before the first.
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
    path, progress : Path, Progress
    model : keras.Model
        What is trained, with its optimizer.
    best : list of ndarray
        Weights of the best epoch.
    """
    kinds = {"model": model.variables, "optimizer": model.optimizer.variables, "best": best}
    arrays = {f"{kind}_{number}": np.asarray(one) for kind, ones in kinds.items() for number, one in enumerate(ones)}
    with replacing(path) as temporary, open(temporary, "wb") as file:
        np.savez(file, progress=np.array(json.dumps(asdict(progress))), **arrays)


def load_state(path: Path) -> tuple[Progress, dict[str, np.ndarray]]:
    """Read a state: progress and arrays.

    Raises
    ------
    OptionError
        If there is no readable state.
    """
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        return Progress(**json.loads(str(arrays.pop("progress")))), arrays
    except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        none = isinstance(error, FileNotFoundError)
        reason = "none: it ended before its first epoch did" if none else error
        raise OptionError(f"resume: expected the state of a run in {path}, found {reason}") from None


def restore(model: keras.Model, arrays: dict[str, np.ndarray], with_optimizer: bool = True) -> list[np.ndarray]:
    """Put a state's arrays into a compiled model; return the best weights.

    Parameters
    ----------
    model, arrays : keras.Model, dict of str to ndarray
    with_optimizer : bool
        Whether its optimizer goes on too, or begins anew, as in another phase of fine-tuning.

    Raises
    ------
    OptionError
        If the arrays are of another architecture or optimizer.
    """
    if with_optimizer:
        model.optimizer.build(model.trainable_variables)
        _assign(model.optimizer.variables, _numbered(arrays, "optimizer"))
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
    _assign(model.variables, arrays)
    for layer in normalisations(model):
        # The layer computes with constants that it derives from its variables.
        layer.finalize_state()


def _numbered(arrays: dict[str, np.ndarray], kind: str) -> list[np.ndarray]:
    return [array for name, array in arrays.items() if name.startswith(f"{kind}_")]


def _assign(variables: list[keras.Variable], arrays: list[np.ndarray]) -> None:
    if [tuple(variable.shape) for variable in variables] != [array.shape for array in arrays]:
        counts = len(variables), len(arrays)
        raise OptionError("resume: expected the arrays of this network ({}), found others ({})".format(*counts))
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)
