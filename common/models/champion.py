"""The champion of a model: the version that is used where none is named. None is replaced without a word.

A new version takes its place where there is none; or where it is better on the same validation objects, after training
on the same objects read in the same way. All else is for the user to decide: ``zoo promote b2r/4``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion

from common.models.described import stored_model
from common.runs.store_location import CHAMPION, use_store
from sdss_gs.errors import OptionError, first_line
from sdss_gs.split import HASH

FINGERPRINT_TAG, SCORE_TAG, OBJECTS_TAG, DATA_TAG = "zoo.fingerprint", "zoo.validation_cost", "zoo.objects", "zoo.data"
LIMIT_TAG, READING_TAG, METRIC_TAG = "zoo.limit", "zoo.reading", "zoo.metric"


@dataclass(frozen=True)
class Training:
    """What a version was trained on, and what it reached.

    Parameters
    ----------
    fingerprint : str
        Hash of what the model sees, and so of the split as well.
    objects, data : int, str
        Number in all parts, 0 where an older zoo did not say; name of the data set.
    limit : int
        The option of that name.
    reading : dict
        Options without which inputs or values cannot be understood, or parts differ: ``target``, ``column``, ``split``,
        and with several inputs and outputs these.
    metric, cost : str, float
        Validation score, as `Metric.cost` turns it: less is better.
    """

    fingerprint: str
    objects: int
    data: str
    limit: int
    reading: Mapping[str, object]
    metric: str
    cost: float

    def tags(self) -> dict[str, str]:
        """Return the tags of a version that say this."""
        return {
            FINGERPRINT_TAG: self.fingerprint,
            SCORE_TAG: repr(self.cost),
            OBJECTS_TAG: str(self.objects),
            DATA_TAG: self.data,
            LIMIT_TAG: str(self.limit),
            READING_TAG: json.dumps(dict(self.reading)),
            METRIC_TAG: self.metric,
        }


def promote_champion(address: str, training: Training, cost_of: Callable[[str], float]) -> str:
    """Note what a new version was trained on, and make it the champion if there is none or it is the better one.

    Parameters
    ----------
    address, training : str, Training
        ``models:/<name>/<version>``, and what is known of it.
    cost_of : callable
        Judges the stored model at an address on the validation objects of this version's run; less is better. It is
        asked about the champion, and only if neither version has been fitted to these objects.

    Returns
    -------
    str
        What to tell the user.
    """
    new = address.removeprefix("models:/")
    _note(new, training)
    champion = _champion_of(new)
    if champion is None:
        return _first(new)
    try:
        reason = _difference(_training_of(champion), training)
        if not reason:
            costs = cost_of(f"models:/{_name(champion)}"), training.cost
            # Of a score of which more is better, the cost is the negative; no score by which models are compared is.
            scores = "{} on the same validation objects, this one {}".format(*(f"{abs(cost):.4f}" for cost in costs))
            reason = f"{training.objects:,} galaxies, {training.metric} {scores}"
            if costs[1] < costs[0]:
                return _replace(champion, new, reason)
    except Exception as error:
        # Whatever is wrong with an old model, the run that has just ended does not fail for it.
        reason = f"it cannot be judged: {first_line(error)}"
    return _stays(champion, new, reason)


def leave_champion(address: str, training: Training, reason: str) -> str:
    """Note what a new version was trained on, and leave the champion as it is, even if there is none.

    Parameters
    ----------
    address, training
        As for `promote_champion`.
    reason : str
        Why the version must not take its place by itself.

    Returns
    -------
    str
        What to tell the user.
    """
    new = address.removeprefix("models:/")
    _note(new, training)
    champion = _champion_of(new)
    if champion:
        return _stays(champion, new, f"{new} is {reason}")
    return f"champion: none ({new} is {reason}, and is used by that name); zoo promote {new} makes it the champion"


def promote_first(address: str) -> str:
    """Make a version the champion if there is none; return what to tell the user."""
    new = address.removeprefix("models:/")
    champion = _champion_of(new)
    return _stays(champion, new, "an imported model replaces none") if champion else _first(new)


def promote(name: str) -> str:
    """Make ``<name>/<version>`` the champion, whatever it was trained on; return what it replaces and how to go back.

    Raises
    ------
    ZooError
        If there is no such version, or it cannot be opened.
    """
    new = name.removeprefix("models:/")
    if not re.fullmatch(r"[^/@]+/[1-9][0-9]*", new):
        raise OptionError(f"promote: expected NAME/VERSION such as b2r/4, found {name!r}")
    use_store()
    # Not with the others: only this needs the network, and TensorFlow with it.
    from common.models.opening import load
    from common.models.running import KERAS

    load(new, KERAS)
    champion = _champion_of(new)
    if champion is None:
        return _first(new)
    if _name(champion) == new:
        return f"champion: {new} (it is already)"
    tags = champion.tags
    if OBJECTS_TAG in tags:
        score = f"{tags[METRIC_TAG]} {abs(float(tags[SCORE_TAG])):.4f}"
        return _replace(champion, new, f"{int(tags[OBJECTS_TAG]):,} galaxies of {tags[DATA_TAG]}, {score}")
    return _replace(champion, new, "imported, or trained by an older zoo")


def _champion_of(name: str) -> ModelVersion | None:
    """Return the champion of the model to which a version, ``<name>/<version>``, belongs."""
    client, registered = MlflowClient(), name.split("/")[0]
    version = client.get_registered_model(registered).aliases.get(CHAMPION)
    return None if version is None else client.get_model_version(registered, version)


def _note(new: str, training: Training) -> None:
    client = MlflowClient()
    for key, value in training.tags().items():
        client.set_model_version_tag(*new.split("/"), key, value)


def _name(version: ModelVersion) -> str:
    return f"{version.name}/{version.version}"


def _training_of(version: ModelVersion) -> Training | None:
    """Return what a version was trained on; None if nobody knows, as of an imported one."""
    tags = version.tags
    if FINGERPRINT_TAG not in tags:
        return None
    if READING_TAG in tags:
        reading = json.loads(tags[READING_TAG])
    else:
        # An older zoo noted it with the model only.
        _, _, facts = stored_model(_name(version))
        reading = {key: ",".join(facts[key]) for key in ("inputs", "outputs") if key in facts} | facts["reading"]
    objects, limit = (int(tags.get(tag, 0)) for tag in (OBJECTS_TAG, LIMIT_TAG))
    data, metric = (tags.get(tag, "") for tag in (DATA_TAG, METRIC_TAG))
    return Training(tags[FINGERPRINT_TAG], objects, data, limit, reading, metric, float(tags[SCORE_TAG]))


def _difference(before: Training | None, now: Training) -> str:
    """Say why two versions cannot be compared; empty if they can."""
    if before is None:
        return "not known what it was trained on"
    # An older zoo had one way to split.
    readings = [{"split": HASH} | dict(one.reading) for one in (before, now)]
    keys = [key for key in readings[0] | readings[1] if readings[0].get(key) != readings[1].get(key)]
    if keys:
        old, new = (", ".join(f"{key}={reading.get(key, '')}" for key in keys) for reading in readings)
        return f"trained with {old}; this run {new}"
    if before.fingerprint == now.fingerprint:
        return ""
    old = f"{before.objects:,} galaxies of {before.data}" if before.objects else "those of an older zoo"
    new = f"{now.objects:,}" if before.data == now.data else f"{now.objects:,} of {now.data}"
    if now.limit != before.limit:
        new += f", limit {now.limit:,}" if now.limit else ", no limit"
    elif (now.data, now.objects) == (before.data, before.objects):
        new += " of other content"
    return f"trained on other data: {old}; this run {new}"


def _first(new: str) -> str:
    return _becomes_champion(new, "(the first of this name)")


def _replace(champion: ModelVersion, new: str, about: str) -> str:
    return _becomes_champion(new, f"replaces {_name(champion)} ({about}); zoo promote {_name(champion)} goes back")


def _becomes_champion(new: str, how: str) -> str:
    name, version = new.split("/")
    MlflowClient().set_registered_model_alias(name, CHAMPION, version)
    return f"champion: {new} {how}"


def _stays(champion: ModelVersion, new: str, reason: str) -> str:
    return f"champion: {_name(champion)} stays ({reason}); zoo promote {new} makes this one the champion"
