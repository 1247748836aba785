"""Take a trained model to another survey: ``mlflow run <model> -e adapt -P start=b2r/3 -P ds=<folder>``."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from common.data.fit_novelty import OBJECTS, fit_novelty
from common.data.novelty import Novelty
from common.judge.views import fit_calibrations, predict_part
from common.models.adapted import Adapted, Tried, origin_line
from common.models.described import ADAPTED_TAG
from common.models.model import ANY, Model
from common.models.opening import load
from common.models.running import KERAS
from common.networks.colour_terms import ColourTerms
from common.options import AdaptOptions
from common.outputs.kinds import kind_of
from common.project import ModelFolder
from common.runs.record import Run
from common.shift.importance import Importance
from common.training.adaptation.choice import choose, table
from common.training.adaptation.surveys import Surveys, learnt_from, open_surveys, trained_with
from common.training.adaptation.ways import (
    AS_IT_IS,
    TERMS,
    TERMS_TUNED,
    TERMS_WEIGHED,
    WEIGHED,
    Trial,
    Ways,
    finish_training,
)  # fmt: skip
from common.training.keeping import finish, model_of_best
from common.training.session import Session
from common.training.start import address_of, label
from common.training.sweep.study import silenced
from sdss_gs.errors import OptionError
from sdss_gs.schema import OWN_LABEL

CHANCE = 3.0
"""Standard errors of the area under the curve by which surveys differ for sure."""
COVERED = 0.9
"""Share of the new survey that must lie where the old one has objects, if there are no labels."""


def adapt(
    project: ModelFolder, main: ModelFolder, record: Run, options: AdaptOptions, functions: dict[str, Callable]
) -> None:
    """Adapt a model: try what can be done with what is known of the new survey, keep the best, judge and store it.

    Parameters
    ----------
    project, main : ModelFolder
        With the defaults of this entry point, and of training.
    record : Run
    options : AdaptOptions
    functions : dict of str to callable
        The model folder's architectures.

    Raises
    ------
    ZooError
        If the model, a data set or an option cannot be used.
    """
    address = address_of(project, options.start) if options.start else project.name
    start = _opened(project, address)
    record.parameters({"start": label(start), "labels": options.labels, "replay": options.replay})
    surveys = open_surveys(project, options, start)
    found = surveys.alike() if len(surveys.replayed) else None
    print(_said(surveys, found), flush=True)
    with TemporaryDirectory(prefix="zoo-adapt-") as scratch:
        ways = Ways(main, functions, surveys, options, trained_with(address), Path(scratch))
        _adapt(ways, address, record, found)


def _adapt(ways: Ways, address: str, record: Run, found: Importance | None) -> None:
    surveys, start = ways.surveys, ways.start
    if len(surveys.labelled):
        session, terms, trial, tried = _with_labels(ways, record)
        calibration = kind_of(trial.output).fit_calibration(ways.truth(ways.judged), trial.predicted)
        calibrations = {ANY: {trial.output.name: calibration}}
        validation = {trial.output.name: trial.predicted}
        model = model_of_best(session)
    else:
        session, terms, trial, tried = _without_labels(ways, record)
        model = model_of_best(session)
        predictions = predict_part(model, session.data, "validation")
        calibrations, validation = fit_calibrations(model, session.data, predictions), predictions[ANY]
    adapted = _adapted(ways, address, session, trial, tried, terms, found)
    model = replace(
        model, calibrations=calibrations, training_ranges={_name(start): _novelty(surveys, terms)}, adapted=adapted
    )
    for one in terms:
        print("colour terms (added to the new survey's magnitudes)\n  " + "\n  ".join(one.lines()), flush=True)
    _record(record, model, tried)
    finish(session, found=(model, validation))


def _opened(project: ModelFolder, address: str) -> Model:
    """Open the model that is adapted, which may have learnt a label of the user's own."""
    start = load(address, KERAS)
    if start.name.partition(OWN_LABEL)[0] != project.folder.name:
        raise OptionError(f"start: expected a model of {project.folder.name}, found {label(start)}")
    return start


def _name(start: Model) -> str:
    return start.inputs[0].name


def _said(surveys: Surveys, found: Importance | None) -> str:
    new, output = surveys.seen, surveys.output.name
    lines = [
        f"{new.folder}: {sum(new.sizes().values()):,} objects, {len(surveys.labelled):,} labels of {output} used, "
        f"{len(surveys.tested):,} objects with one test"
    ]
    if found:
        lines.append(
            f"{surveys.old.folder}: {len(surveys.replayed):,} objects to train on again; the surveys are told apart "
            f"with AUC {found.auc:.2f}, {100 * found.covered:.0f} % of the new one lies where the old one has objects, "
            f"{100 * found.effective:.0f} % of the old objects count in effect"
        )
        if found.auc - 0.5 <= CHANCE * found.auc_error:
            lines.append("no shift of the inputs: nothing tells the two surveys' objects apart")
        if found.covered < COVERED and not len(surveys.labelled):
            lines.append("warning: without labels nothing is learnt of objects that the old survey lacks")
    return "\n".join(lines)


def _with_labels(ways: Ways, record: Run) -> tuple[Session, tuple[ColourTerms, ...], Trial, list[Tried]]:
    """Try all ways on labels held back, and do with all of them what is kept."""
    trials: dict[str, Trial] = {}
    for way in ways.ways():
        if way is TERMS_TUNED and not _helps(trials):
            continue
        trials[way.name] = ways.out_of_fold(way)
        print(f"tried: {way.name}, cost {trials[way.name].costs.mean():.4g}", flush=True)
    kept, tried = choose({name: trial.costs for name, trial in trials.items()}, ways.balance)
    count = len(ways.judged)
    print(f"\nways, judged on {count:,} labels that their networks did not learn from\n{table(tried, kept)}\n")
    return *ways.keep(trials[kept], record), trials[kept], tried


def _helps(trials: dict[str, Trial]) -> bool:
    """Tell whether colour terms alone are better than the model as it is, by more than a standard error."""
    return choose({way.name: trials[way.name].costs for way in (AS_IT_IS, TERMS)})[0] == TERMS.name


def _without_labels(ways: Ways, record: Run) -> tuple[Session, tuple[ColourTerms, ...], Trial, list[Tried]]:
    """Train on the old survey's objects, weighed to look like the new one, and keep that if it is better."""
    surveys = ways.surveys
    terms = (surveys.common,) if surveys.common else ()
    data = surveys.weighed(surveys.alike(terms), terms)
    weights, output = data.likeness("validation"), surveys.output
    truth, sessions, trials = data.truth("validation", output.name), {}, {}
    for way in (TERMS, TERMS_WEIGHED) if terms else (AS_IT_IS, WEIGHED):
        session = ways.session(way, data, terms, record if way.trained else ways.silent())
        if way.trained:
            with silenced():
                session.train()
        else:
            finish_training(session, Trial(way, output, truth, truth), ways.start)
        predicted = predict_part(model_of_best(session), data, "validation")[ANY][output.name]
        costs = kind_of(output).costs(truth, predicted[data.known("validation", output.name)])
        sessions[way.name], trials[way.name] = session, Trial(way, output, predicted, costs, session.progress.epoch)
    kept, tried = choose({name: trial.costs for name, trial in trials.items()}, weights)
    print(f"\nways, judged on {len(truth):,} old objects that are weighed like the new ones\n{table(tried, kept)}\n")
    sessions[kept].record = record
    return sessions[kept], terms, trials[kept], tried


def _novelty(surveys: Surveys, terms: tuple[ColourTerms, ...]) -> Novelty:
    """Fit what tells objects unlike those of the new survey; without labels, unlike those that the old one had too."""
    (item,) = surveys.start.inputs
    learnt = surveys.start.training_ranges[item.name]

    def pieces(part: str) -> Iterable[np.ndarray]:
        for values in surveys.seen.chunks(part, item.name, most=OBJECTS):
            if not len(surveys.labelled):
                shown = values
                for one in terms:
                    shown = one.apply(shown)
                values = values[~learnt.outside(item, shown)]
            if len(values):
                yield values

    return fit_novelty(item, pieces, surveys.seen.photometry(item.name))


def _adapted(
    ways: Ways,
    address: str,
    session: Session,
    trial: Trial,
    tried: list[Tried],
    terms: tuple[ColourTerms, ...],
    found: Importance | None,
) -> dict[str, object]:
    """Gather where the model comes from."""
    surveys, start = ways.surveys, ways.start
    replayed = len(session.data.parts["train"]) - len(surveys.labelled) if trial.way.trained else 0
    name, fingerprint = learnt_from(address)
    return Adapted(
        start=label(start),
        sha256=start.sha256,
        learnt_from=name or (surveys.old.folder.name if surveys.old else ""),
        fingerprint=fingerprint or (surveys.old.fingerprint if surveys.old else ""),
        survey=surveys.seen.folder.name,
        way=trial.way.name,
        labels=len(surveys.labelled),
        replayed=replayed,
        replay=surveys.old.folder.name if replayed else "",
        colour_terms=(*terms, *start.terms) if trial.way.terms else start.terms,
        tried=tried,
        apart=found.auc if found else np.nan,
        covered=found.covered if found else np.nan,
        effective=found.effective if found else np.nan,
    ).facts()


def _record(record: Run, model: Model, tried: list[Tried]) -> None:
    """Note in the run where the model comes from and what was tried."""
    facts = model.adapted
    shown = ("start", "sha256", "learnt_from", "fingerprint", "survey", "way", "labels", "replayed", "replay")
    record.tags({f"{ADAPTED_TAG}.{name}": facts[name] for name in shown} | {ADAPTED_TAG: origin_line(facts)})
    record.metrics({f"adapt_cost_{_plain(one.way)}": one.cost for one in tried}, 0, part="test")
    record.text("\n".join([origin_line(facts), "", table(tried, facts["way"])]), "adapted.txt")


def _plain(way: str) -> str:
    return way.replace(",", "").replace(" ", "_")
