"""Which models a command means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from common.models.library import champions
from common.models.model import Model
from common.models.multi_model import MultiModel
from common.models.opening import load
from common.networks.augment import TURNED
from common.predict.combine import WAYS
from sdss_gs.errors import OptionError, ZooError


def choose_models(names: Sequence[str]) -> tuple[list[Model | MultiModel], str]:
    """Open the models that were named, or all champions for ``one2one`` and ``best``, the better ones first.

    Returns
    -------
    models : list of Model or MultiModel
    together : str
        ``one2one``, ``best``, or empty where each model speaks for itself.

    Raises
    ------
    ZooError
        If there is no such model, or a name is given twice.
    """
    ways = [name for name in names if name in WAYS]
    if ways and len(names) > 1:
        raise OptionError(f"model: expected {ways[0]} alone, or names of models, found {' '.join(names)}")
    if ways:
        entries = sorted((entry for entry in champions() if entry.single), key=lambda entry: entry.cost)
        if not entries:
            raise ZooError(f"{ways[0]}: expected trained models in this store, found none; train some first")
        return [load(entry.name) for entry in entries], ways[0]
    models = [load(name) for name in names]
    seen = [model.name for model in models]
    if len(set(seen)) < len(seen):
        raise OptionError(f"model: expected each model once, found {' '.join(seen)}")
    return models, ""


def averaging(models: Sequence[Model | MultiModel]) -> list[Model | MultiModel]:
    """Let the models of images average over the eight forms of each.

    Raises
    ------
    OptionError
        If there is none.
    """
    turned = [isinstance(model, Model) and model.item.name in TURNED for model in models]
    if not any(turned):
        raise OptionError(f"tta: expected a model of images, found {', '.join(model.name for model in models)}")
    return [replace(model, tta=True) if turns else model for model, turns in zip(models, turned, strict=True)]
