"""The two surveys of an adaptation: what is known of the new one, what of the old one is there to train on again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import mlflow
import numpy as np

from common.data.measure import traits
from common.data.photometry import option_of
from common.data.task import Task
from common.data.training_data import TrainingData
from common.data.two_surveys import TwoSurveys
from common.models.described import stored_model
from common.models.library import artifact
from common.models.model import Model
from common.networks.colour_terms import ColourTerms, inverted
from common.options import AdaptOptions, TrainingOptions, typed
from common.project import ModelFolder
from common.runs.store_location import HASH_TAG
from common.shift.importance import Importance, importance
from common.training.adaptation.terms import fit_common
from sdss_gs.dataset import open_catalogue
from sdss_gs.errors import DataError, OptionError, ZooError, first_line
from sdss_gs.locate import find_dataset
from sdss_gs.schema import EXTINCTION, Output
from sdss_gs.split import limited, split
from sdss_gs.tables.columns import DUSTY

FEWEST_LABELS = 20
"""Labels of the new survey from which something is learnt of it."""
REPLAYED_ROWS, REPLAYED_OTHERS = 20_000, 2_000
"""Objects of the old survey that are trained on again at most: rows of a table; images, cut-outs and spectra."""
FEWEST_REPLAYED, PER_LABEL = 200, 2
"""Of others than rows as many at least, and otherwise so many for each label."""
PIECE = 512
OF_NETWORK = (
    "architecture", "backbone", "backbone_head", "crop", "colour", "stretch", "augment", "magnitude_dropout", "loss",
    "optimizer", "learning_rate", "schedule", "weight_decay", "epochs", "batch_size", "class_weights",
    "label_smoothing",
)  # fmt: skip
"""Options of a training that its adaptation has too."""


@dataclass(frozen=True)
class Surveys:
    """The objects of both surveys.

    Parameters
    ----------
    start : Model
    new : TrainingData
        All of its objects, without parts; those that have a truth, if any has.
    seen : TrainingData
        The same survey's objects with the model's input, whether they have a truth or not.
    old : TrainingData or None
    labelled, tested : ndarray of int64
        Positions in the catalogue of `new`: whose truth is used; who is judged.
    seed : int
    """

    start: Model
    new: TrainingData
    seen: TrainingData
    old: TrainingData | None
    labelled: np.ndarray
    tested: np.ndarray
    seed: int = 0

    @property
    def output(self) -> Output:
        """What the model predicts."""
        return self.start.outputs[0]

    @cached_property
    def replayed(self) -> np.ndarray:
        """Positions of the old survey's training objects that are trained on again: none whose label is held back."""
        if not self.old:
            return np.empty(0, np.int64)
        train = self.old.parts["train"]
        train = train[~np.isin(self.old.ids_of(train), self.new.ids_of(self.labelled))]
        most = REPLAYED_ROWS
        if not self.start.inputs[0].columns:
            # Many more old images than new ones are hours for little: together they count no more than these.
            most = max(FEWEST_REPLAYED, PER_LABEL * len(self.labelled)) if len(self.labelled) else REPLAYED_OTHERS
            most = min(most, REPLAYED_OTHERS)
        return train[limited(self.old.ids_of(train), most)]

    @cached_property
    def common(self) -> ColourTerms | None:
        """Colour terms by the objects that both surveys have; None where there are too few, or none are needed."""
        (item,) = self.start.inputs
        if not self.old or len(item.magnitudes) < 2:
            return None
        ours, theirs = (np.concatenate(list(one.parts.values())) for one in (self.seen, self.old))
        _, first, second = np.intersect1d(self.seen.ids_of(ours), self.old.ids_of(theirs), return_indices=True)
        if not len(first):
            return None
        return fit_common(
            item, self.seen.input_of(item.name, ours[first]), self.old.input_of(item.name, theirs[second])
        )

    @cached_property
    def _alike(self) -> dict[tuple[ColourTerms, ...], Importance]:
        return {}

    def alike(self, terms: Sequence[ColourTerms] = ()) -> Importance:
        """Weigh the replayed objects by how much they look like the new survey, see `importance`.

        Parameters
        ----------
        terms : sequence of ColourTerms
            With which they are brought to the new survey's magnitudes before.
        """
        key = tuple(terms)
        if key not in self._alike:
            theirs = self.traits_of_old(self.replayed, terms)
            self._alike[key] = importance(theirs, self._traits(self.seen, self.seen.parts["train"]), self.seed)
        return self._alike[key]

    def traits_of_old(self, objects: np.ndarray, terms: Sequence[ColourTerms] = ()) -> np.ndarray:
        """Measure objects of the old survey, see `measure.traits`, float64 ``(n, k)``.

        Parameters
        ----------
        objects : ndarray of int64, shape (n,)
        terms
            As for `alike`.
        """
        return self._traits(self.old, objects, terms)

    def _traits(self, data: TrainingData, objects: np.ndarray, terms: Sequence[ColourTerms] = ()) -> np.ndarray:
        (item,) = self.start.inputs
        basis, found = np.asarray(getattr(self.start.training_ranges[item.name], "basis", ())), []
        for begin in range(0, len(objects), PIECE):
            values = inverted(data.input_of(item.name, objects[begin : begin + PIECE]), terms)
            found.append(traits(item, values, basis))
        return np.concatenate(found)

    def divided(
        self,
        train: np.ndarray,
        validation: np.ndarray,
        weights: np.ndarray,
        outputs: tuple[Output, ...],
        terms: Sequence[ColourTerms] = (),
    ) -> TwoSurveys:
        """Make the data of a training on both surveys.

        Parameters
        ----------
        train, validation : ndarray of int64
            Positions of objects of the new survey.
        weights : ndarray of float64, shape (replayed,)
            How much each replayed object counts, one of the new survey being 1; empty: nothing is replayed.
        outputs : tuple of Output
        terms
            As for `TwoSurveys`.
        """
        nobody, replayed = np.empty(0, np.int64), self.replayed if len(weights) else np.empty(0, np.int64)
        chosen = {"train": (train, replayed), "validation": (validation, nobody), "test": (self.tested, nobody)}
        own = {"train": np.concatenate([np.ones(len(train)), weights])}
        return TwoSurveys(self.new, self.old, chosen, outputs, own, {}, terms)

    def weighed(self, found: Importance, terms: Sequence[ColourTerms] = ()) -> TwoSurveys:
        """Make the data of a training on the old survey's objects, weighed to look like the new survey.

        Parameters
        ----------
        found : Importance
            Of the replayed objects.
        terms
            As for `TwoSurveys`.
        """
        nobody, held = np.empty(0, np.int64), self.old.parts["validation"]
        chosen = {"train": (nobody, self.replayed), "validation": (nobody, held), "test": (self.tested, nobody)}
        weights = {"train": found.weights, "validation": found.weights_of(self.traits_of_old(held, terms))}
        likeness = {"validation": weights["validation"]}
        return TwoSurveys(self.new, self.old, chosen, self.start.outputs, weights, likeness, terms)


def open_surveys(project: ModelFolder, options: AdaptOptions, start: Model) -> Surveys:
    """Open both surveys of an adaptation.

    Parameters
    ----------
    project : ModelFolder
    options : AdaptOptions
    start : Model

    Raises
    ------
    ZooError
        If the new survey lacks the model's input, or has fewer labels than wanted; or if it has none and there are no
        old objects to weigh.
    """
    if not options.ds:
        raise OptionError("ds: expected the data set of the survey to adapt to, found none")
    task = Task(project.folder, start.inputs, start.outputs, start.flat)
    folder = find_dataset(options.ds, project.repository, print)
    asked = vars(options) | {"target": start.reading.get("target"), "column": start.reading.get("column")}
    asked = {name: value for name, value in asked.items() if value is not None}
    asked |= {"photometry": _photometry(start, folder)}
    seen = TrainingData(task, typed(TrainingOptions, asked), labels=False)
    new = _with_labels(task, typed(TrainingOptions, asked), options.labels)
    labelled, tested = np.empty(0, np.int64), np.empty(0, np.int64)
    if new:
        objects = new.parts["test"]
        objects = objects[new.known_of(start.outputs[0].name, objects)]
        parts = split(new.ids_of(objects))
        tested, labelled = objects[parts["test"]], np.delete(objects, parts["test"])
        if options.labels >= 0:
            labelled = labelled[limited(new.ids_of(labelled), options.labels)]
        _require_like(start, new)
    if options.labels and 0 < len(labelled) < FEWEST_LABELS:
        what = f"at least {FEWEST_LABELS} training objects with {start.outputs[0].name}, found {len(labelled)}"
        raise OptionError(f"labels: expected {what} in {folder}; labels=0 adapts without any")
    old = _open_old(project, options, start, task)
    if not old and not len(labelled):
        raise OptionError(
            f"replay: expected the data set that {start.name} learnt from, as {folder.name} is adapted to without "
            "labels, found none on this machine; say replay=FOLDER"
        )
    return Surveys(start, new or seen, seen, old, labelled, tested, options.seed)


def _with_labels(task: Task, options: TrainingOptions, wanted: int) -> TrainingData | None:
    """Open the objects that have a truth; None where no object has."""
    try:
        return TrainingData(task, options, whole=True)
    except DataError as error:
        if wanted > 0:
            raise
        print(f"no labels: {first_line(error)}", flush=True)
        return None


def _photometry(start: Model, folder: Path) -> str:
    """Choose which magnitudes of a data set are looked at: such as the model learnt from, where they can be made."""
    learnt = start.photometry().get(DUSTY, "")
    if DUSTY not in start.shapes or not learnt:
        return option_of("")
    catalogue = open_catalogue(folder)
    known = any(np.isfinite(catalogue.numbers[column]).any() for column in EXTINCTION.values())
    same = catalogue.photometry.get(DUSTY, learnt) == learnt
    return option_of(learnt) if same or known or start.inputs[0].told_apart else option_of("")


def _require_like(start: Model, new: TrainingData) -> None:
    for learnt, found in zip(start.outputs, new.outputs, strict=True):
        if learnt != found:
            raise DataError(f"{new.folder}: expected {learnt.name} as {start.name} has it, found {found.name}")


def _open_old(project: ModelFolder, options: AdaptOptions, start: Model, task: Task) -> TrainingData | None:
    """Open the data set that a model learnt from, if it is known and still there."""
    place = options.replay or recorded_data(start)
    if not place:
        return None
    if not options.replay and not Path(place).is_dir():
        print(f"replay: none, {place} is not on this machine any more", flush=True)
        return None
    asked = start.reading | {
        "ds": place,
        "image_scale": options.image_scale,
        "photometry": option_of(start.photometry().get(DUSTY, "")),
    }
    old = TrainingData(task, typed(TrainingOptions, asked))
    _require_like(start, old)
    return old


def recorded_data(start: Model) -> str:
    """Return the folder of the data set that the run of a stored model recorded; empty if none is known."""
    try:
        stored, _, _ = stored_model(f"{start.name}/{start.version}")
        if stored.tags.get(HASH_TAG) != start.sha256:
            # A folder from another store, which has another model of this version.
            return ""
        inputs = mlflow.get_run(stored.run_id).inputs.dataset_inputs
        return str(json.loads(inputs[0].dataset.source)["uri"]).removeprefix("file://")
    except (ZooError, mlflow.MlflowException, IndexError, KeyError, ValueError, AttributeError):
        return ""


def trained_with(name: str) -> dict[str, object]:
    """Return the options that a model was trained with, those that decide what its network is and how it learns.

    By its card; none if it has no card.

    Parameters
    ----------
    name : str
        As for `opening.load`.
    """
    try:
        options = json.loads(artifact(name, "card.json").read_text())["options"]
        return {key: options[key] for key in OF_NETWORK if key in options}
    except (ZooError, OSError, ValueError, KeyError, TypeError):
        return {}


def learnt_from(name: str) -> tuple[str, str]:
    """Return name and fingerprint of the data set that a model learnt from, by its card; empty if it has none.

    Parameters
    ----------
    name : str
        As for `opening.load`.
    """
    try:
        data = json.loads(artifact(name, "card.json").read_text())["data"]
        return str(data["name"]), str(data["fingerprint"])
    except (ZooError, OSError, ValueError, KeyError):
        return "", ""
