"""The ways to adapt a model, each judged on labels that its network did not learn from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import count
from pathlib import Path

import numpy as np

from common.backend import keras
from common.data.target import distributed
from common.data.two_surveys import TwoSurveys
from common.judge.views import predict_part
from common.models.model import ANY, Model
from common.models.serving import bare_network
from common.networks.colour_terms import ColourTerms
from common.networks.parts import member_outputs
from common.options import AdaptOptions, TrainingOptions, typed
from common.outputs.kinds import kind_of
from common.outputs.kinds.classes import class_weights
from common.project import ModelFolder
from common.runs.record import Run
from common.training.adaptation.surveys import Surveys
from common.training.adaptation.terms import encoded, fit_through, predict_values, typical_colours
from common.training.keeping import model_of_best
from common.training.processes import Silent
from common.training.session import Given, Session
from common.training.start import MOST_OUTSIDE, follow
from common.training.sweep.study import silenced
from common.training.together import train_together
from sdss_gs.schema import Output
from sdss_gs.split import folds

FOLDS, FOLDS_OF_OTHERS = 5, 3
"""Parts into which the labels are divided, each predicted by networks that learnt from the others: of a table's rows;
of images, cut-outs and spectra, whose networks take long to train."""
MANY = 2500
"""Labels of which one of the parts is enough."""
RATE = 0.5
"""Of fine-tuning, as a share of the model's learning rate."""
LARGEST = 2**26
"""Numbers that are kept of a network's weights after each epoch, in all epochs together."""


@dataclass(frozen=True)
class Way:
    """A way to adapt.

    Parameters
    ----------
    name : str
    terms : bool
        Whether colour terms stand at the input.
    trained, fresh : bool
        Whether the network is trained, and whether from nothing.
    replay : bool
        Whether old objects are trained on again.
    """

    name: str
    terms: bool = False
    trained: bool = False
    fresh: bool = False
    replay: bool = True


AS_IT_IS = Way("as it is, calibrated anew")
TERMS = Way("colour terms", terms=True)
TUNED = Way("fine-tuned with replay", trained=True)
TUNED_ALONE = Way("fine-tuned on the labels alone", trained=True, replay=False)
TERMS_TUNED = Way("colour terms, fine-tuned with replay", terms=True, trained=True)
FRESH = Way("trained from nothing with replay", trained=True, fresh=True)
WEIGHED = Way("fine-tuned on weighted old objects", trained=True)
TERMS_WEIGHED = Way("colour terms, weighted old objects", terms=True, trained=True)


@dataclass(frozen=True)
class Trial:
    """What came of a way.

    Parameters
    ----------
    way : Way
    output : Output
        As its network has it.
    predicted : ndarray, shape (n, ...)
        Of the labels that were held back, see `Ways.judged`.
    costs : ndarray of float64, shape (n,)
    epochs : int
        After which its networks were best; 0 for what is not trained.
    """

    way: Way
    output: Output
    predicted: np.ndarray
    costs: np.ndarray
    epochs: int = 0


class Ways:
    """Tries ways to adapt a model with labels of the new survey.

    Parameters
    ----------
    main : ModelFolder
        With the options of its training.
    functions : dict of str to callable
    surveys : Surveys
    options : AdaptOptions
    learnt : mapping of str to object
        Options that the model was trained with, see `surveys.trained_with`.
    scratch : Path
        Folder for the states of trainings that are not kept.
    """

    def __init__(
        self, main: ModelFolder, functions: dict[str, Callable], surveys: Surveys, options: AdaptOptions,
        learnt: Mapping[str, object], scratch: Path,
    ):  # fmt: skip
        self.scratch, self._begun = scratch, count()
        self.main, self.functions, self.surveys, self.start = main, functions, surveys, surveys.start
        members = len(member_outputs(bare_network(self.start.network), surveys.output))
        given = {
            "ds": str(surveys.new.folder), "seed": options.seed, "image_scale": options.image_scale,
            "ensemble": members, **{key: value for key, value in self.start.reading.items() if key != "split"},
        }  # fmt: skip
        usual = typed(TrainingOptions, main.defaults | dict(learnt) | given)
        self.fresh = follow(usual, self.start, functions, main.defaults)
        self.tuning = replace(
            self.fresh,
            epochs=options.epochs or max(1, self.fresh.epochs // 2),
            learning_rate=RATE * self.fresh.learning_rate,
        )

    # === Which labels are held back ===

    @cached_property
    def held(self) -> list[np.ndarray]:
        """Positions among the labels that are held back together, int64; each label at most once."""
        item, labelled = self.start.inputs[0], self.surveys.labelled
        numbers = folds(self.surveys.new.ids_of(labelled), FOLDS if item.columns else FOLDS_OF_OTHERS)
        parts = [np.flatnonzero(numbers == number) for number in np.unique(numbers)]
        return parts[:1] if len(labelled) > MANY else parts

    @cached_property
    def judged(self) -> np.ndarray:
        """Positions among the labels of all that are held back, in the order of predictions."""
        return np.concatenate(self.held)

    @cached_property
    def balance(self) -> np.ndarray | None:
        """How much each label that is held back counts, by its class as in the model's training; None: all alike."""
        if not self.surveys.output.classes or self.tuning.class_weights == "none":
            return None
        truth = self.truth(self.judged)
        return class_weights(self.tuning.class_weights, truth, truth)

    def truth(self, positions: np.ndarray) -> np.ndarray:
        """Return the truth of some labels."""
        return self.surveys.new.truth_of(self.surveys.output.name, self.surveys.labelled[positions])

    def values(self, positions: np.ndarray) -> np.ndarray:
        """Return the inputs of some labels."""
        return self.surveys.new.input_of(self.start.inputs[0].name, self.surveys.labelled[positions])

    def others(self, held: np.ndarray) -> np.ndarray:
        """Return the positions of the labels that are not held back."""
        return np.setdiff1d(np.arange(len(self.surveys.labelled)), held)

    # === What a way needs ===

    def ways(self) -> list[Way]:
        """List the ways that are tried, the simplest first."""
        item, found = self.start.inputs[0], [AS_IT_IS]
        bands = len(item.magnitudes)
        found += [TERMS] if bands > 1 else []
        if not self.outside:
            found += [TUNED] if self.surveys.old else []
            found += [TUNED_ALONE]
            found += [TERMS_TUNED] if bands > 1 and self.surveys.old else []
        # From nothing is affordable where a network sees rows, and all that is left where the truths are elsewhere.
        return [*found, FRESH] if bands or self.outside else found

    @cached_property
    def outside(self) -> bool:
        """Whether too many truths lie where the model has no bins."""
        output, everybody = self.surveys.output, np.arange(len(self.surveys.labelled))
        if not output.grid:
            return False
        values = kind_of(output).to_scale(self.truth(everybody))
        return float(np.mean((values < output.grid[0]) | (values > output.grid[-1]))) > MOST_OUTSIDE

    @cached_property
    def outputs_anew(self) -> tuple[Output, ...]:
        """What a network learns that is trained from nothing: in bins where the truths of both surveys are."""
        if not self.outside:
            return self.start.outputs
        output, everybody = self.surveys.output, np.arange(len(self.surveys.labelled))
        truths = [self.truth(everybody)]
        if len(self.surveys.replayed):
            truths.append(self.surveys.old.truth_of(output.name, self.surveys.replayed))
        bare = replace(output, grid=(), components=0, centre=0.0, spread=1.0)
        return (distributed(bare, np.concatenate(truths), self.start.inputs, self.fresh),)

    def terms(self, positions: np.ndarray) -> ColourTerms:
        """Fit colour terms to some labels."""
        values, truth = self.values(positions), self.truth(positions)
        typical = typical_colours(self.start.inputs[0], values)
        return fit_through(self.start, self.tuning, values, encoded(self.start, truth), typical)

    def data(self, way: Way, train: np.ndarray, validation: np.ndarray, terms: Sequence[ColourTerms]) -> TwoSurveys:
        """Choose and weigh the objects of a way's training: neither survey drowns the other.

        The old objects weigh together as much as the new ones at most, and less where fewer of them, in effect, look
        like the new survey.

        Parameters
        ----------
        way : Way
        train, validation : ndarray of int64
            Positions among the labels.
        terms : sequence of ColourTerms
        """
        weights, labelled = np.empty(0), self.surveys.labelled
        if way.replay and len(self.surveys.replayed):
            found = self.surveys.alike(terms)
            total = min(len(train), found.effective * len(found.weights))
            weights = found.weights * total / len(found.weights)
        outputs = self.outputs_anew if way.fresh else self.start.outputs
        return self.surveys.divided(labelled[train], labelled[validation], weights, outputs, terms)

    def session(self, way: Way, data: TwoSurveys, terms: Sequence[ColourTerms], record: Run | Silent) -> Session:
        """Begin a training.

        Parameters
        ----------
        way : Way
        data : TwoSurveys
        terms : sequence of ColourTerms
            In front of those that the model has.
        record : Run or Silent
        """
        given = Given(data, self.start, None if way.fresh else self.start, (*terms, *self.start.terms))
        options = self.fresh if way.fresh else self.tuning
        return Session(self.main, record, options, self.functions, given=given)

    def silent(self) -> Silent:
        """Return what stands for the record of a training that is tried."""
        return Silent(self.scratch / str(next(self._begun)))

    # === Trying and keeping ===

    def out_of_fold(self, way: Way) -> Trial:
        """Predict the labels that are held back, each part by what the others taught."""
        if not way.trained:
            predicted = [self._untrained(way, held) for held in self.held]
            return self._trial(way, self.surveys.output, predicted)
        sessions, kept = [], []
        with silenced():
            for held in self.held:
                train = self.others(held)
                terms = (self.terms(train),) if way.terms else ()
                session = self.session(way, self.data(way, train, held, terms), terms, self.silent())
                kept.append(EveryEpoch(session))
                session.callbacks.append(kept[-1])
                sessions.append(session)
            train_all(sessions)
        epoch = best_epoch(sessions, self.held, kept)
        predicted = []
        for session, every in zip(sessions, kept, strict=True):
            session.best[:] = every.weights[epoch]
            answers = predict_part(model_of_best(session), session.data, "validation")[ANY]
            predicted.append(answers[self.surveys.output.name])
        return self._trial(way, sessions[0].data.outputs[0], predicted, epoch + 1)

    def _untrained(self, way: Way, held: np.ndarray) -> np.ndarray:
        values = self.values(held)
        if way.terms:
            values = self.terms(self.others(held)).apply(values)
        return predict_values(self.start, values)

    def _trial(self, way: Way, output: Output, predicted: list[np.ndarray], epochs: int = 0) -> Trial:
        together = np.concatenate(predicted)
        return Trial(way, output, together, kind_of(output).costs(self.truth(self.judged), together), epochs)

    def keep(self, trial: Trial, record: Run) -> tuple[Session, tuple[ColourTerms, ...]]:
        """Do with all labels what was tried; return the session, which has its best weights, and its colour terms.

        Parameters
        ----------
        trial : Trial
        record : Run
            Of the run.
        """
        everybody, way = np.arange(len(self.surveys.labelled)), trial.way
        terms = (self.terms(everybody),) if way.terms else ()
        session = self.session(way, self.data(way, everybody, everybody[self.judged], terms), terms, record)
        finish_training(session, trial, self.start)
        return session, terms


class EveryEpoch(keras.callbacks.Callback):
    """Keeps the weights after each epoch, or of a large network those after the last one.

    Parameters
    ----------
    session : Session
    """

    def __init__(self, session: Session):
        super().__init__()
        self.session, self.weights = session, []

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Keep the weights."""
        variables = self.session.network.variables
        if sum(int(np.prod(one.shape)) for one in variables) * self.session.options.epochs > LARGEST:
            self.weights = [None] * len(self.weights)
        self.weights.append([np.asarray(one) for one in variables])


class StopAfter(keras.callbacks.Callback):
    """Ends a training after so many epochs, of those by which its learning rate goes."""

    def __init__(self, epochs: int):
        super().__init__()
        self.epochs = epochs

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Count."""
        self.model.stop_training = epoch + 1 >= self.epochs


def train_all(sessions: list[Session]) -> None:
    """Train sessions that differ in their data, as one program where that is faster."""
    if len(sessions) > 1:
        train_together(sessions)
    for session in sessions:
        if not session.progress.epoch:
            session.train()


def best_epoch(sessions: list[Session], held: list[np.ndarray], kept: list[EveryEpoch]) -> int:
    """Return after which epoch, from 0, the labels held back are predicted best by all networks together.

    One number that all labels choose: each network's own best epoch would have seen the labels that it is judged on.

    Parameters
    ----------
    sessions : list of Session
    held : list of ndarray of int64
        The labels that each did not learn from.
    kept : list of EveryEpoch
        Of each.
    """
    losses = [[one["val_loss"] for one in session.progress.history] for session in sessions]
    length = min(map(len, losses))
    together = np.average([one[:length] for one in losses], axis=0, weights=[len(part) for part in held])
    there = [all(every.weights[epoch] is not None for every in kept) for epoch in range(length)]
    return int(np.argmin(np.where(there & np.isfinite(together), together, np.inf)))


def finish_training(session: Session, trial: Trial, start: Model) -> None:
    """Train a session as far as was best, or give it the weights that the model has.

    Parameters
    ----------
    session : Session
    trial : Trial
    start : Model
    """
    if not trial.way.trained:
        session.best[:] = [np.asarray(variable) for variable in bare_network(start.network).variables]
        return
    every = EveryEpoch(session)
    session.callbacks += [every, StopAfter(trial.epochs)]
    session.train()
    session.best[:] = every.weights[-1]
    session.progress.best_epoch = session.progress.epoch
