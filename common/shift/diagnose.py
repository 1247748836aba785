"""How far a model can be trusted on another survey: everything that is found, gathered once for page and JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from common.models.model import Model
from common.models.reference import Sample, unpacked_sample
from common.shift.compare import (
    Difference,
    EmbeddingDistance,
    as_matrix,
    class_shares,
    differences,
    embedding_distance,
)  # fmt: skip
from common.shift.importance import Importance, importance
from common.shift.movement import Movement, movements
from common.shift.performance import LEAST_COVERED, Performance, performance
from common.shift.survey import Survey
from common.shift.verdict import FEWEST, Verdict, decide
from sdss_gs.errors import OptionError
from sdss_gs.locate import as_typed
from sdss_gs.schema import CATALOGUE_FILE


@dataclass(frozen=True)
class Diagnosis:
    """What was found of a model on another survey.

    Parameters
    ----------
    model : Model
    reference : Sample
    survey : Survey
    differences : list of Difference
    shares : dict
        See `compare.class_shares`.
    embedding : EmbeddingDistance or None
    importance : Importance
    movements : list of Movement
    performances : list of Performance
    verdict : Verdict
    """

    model: Model
    reference: Sample
    survey: Survey
    differences: list[Difference]
    shares: dict[str, dict[str, tuple[float, float]]]
    embedding: EmbeddingDistance | None
    importance: Importance
    movements: list[Movement]
    performances: list[Performance]
    verdict: Verdict


def stored_reference(model: Model) -> Sample:
    """Return the reference sample that is stored with a model.

    Raises
    ------
    OptionError
        If there is none.
    """
    if not model.reference:
        expected = f"{model.name}: expected a model stored with a reference sample, found an older one"
        raise OptionError(f"{expected}; name its data set, --reference FOLDER, or train it again")
    return unpacked_sample(model.name, model.reference, model.inputs, model.outputs)


def diagnose(
    model: Model, reference: Sample, survey: Survey, truths: Mapping[str, np.ndarray], seed: int = 0
) -> Diagnosis:
    """Compare a model's reference sample with another survey.

    Parameters
    ----------
    model : Model
    reference : Sample
    survey : Survey
    truths : mapping of str to ndarray
        Of all objects of the survey, by output, as `labels.read_truths` returns them.
    seed : int
        Of folds and resamples.
    """
    sample = replace(survey.sample, truth={name: values[survey.rows] for name, values in truths.items()})
    survey = replace(survey, sample=sample)
    names = [item.name for item in model.inputs]
    ours, theirs = (as_matrix(one, names) for one in (reference, sample))
    weighed = importance(ours, theirs, seed)
    found = differences(model, reference, sample)
    overlap = weighed.covered >= LEAST_COVERED and len(sample) >= FEWEST
    judged = [performance(output, reference, weighed, sample, overlap) for output in model.outputs]
    judged = [one for one in judged if one is not None]
    moved = movements(model, reference, survey, found, judged) if len(sample) >= FEWEST else []
    return Diagnosis(
        model, reference, survey, found, class_shares(model, reference, sample),
        embedding_distance(*(evenly_of(one.embedding) for one in (reference, sample)), seed), weighed, moved, judged,
        decide(len(sample), survey.outside, weighed, found, moved, judged),
    )  # fmt: skip


def evenly_of(values: np.ndarray, most: int = 2_000) -> np.ndarray:
    """Choose at most so many rows, evenly."""
    return values[np.linspace(0, len(values) - 1, min(len(values), most)).astype(int)] if len(values) else values


def next_steps(found: Diagnosis, start: str, folder: str) -> list[str]:
    """Say what to do next, sentences that may end with a command.

    Parameters
    ----------
    found : Diagnosis
    start : str
        The model as ``adapt`` takes it, such as ``b2r/3``.
    folder : str
        The other survey, as the user named it.
    """
    kinds: Sequence[str] = [one.kind for one in found.movements]
    name = found.model.name.partition("-")[0]
    # A catalogue is no data set that can be trained on.
    data = folder if (as_typed(folder) / CATALOGUE_FILE).is_file() else "FOLDER (a data set, docs/reference/data.md)"
    command = f"mlflow run {name} -e adapt -P start={start} --no-conda -P ds={data}"
    labelled = any(one.measured for one in found.performances)
    steps = []
    if "extinction" in kinds:
        steps.append(
            "Say which magnitudes these are (--photometry raw or dereddened) and give E(B-V) in a column ebv: what the "
            "model learnt from is then made of them exactly"
        )
    if "scale" in kinds:
        steps.append("Say the images' scale, if it is known: --image-scale ARCSEC (arcsec per pixel)")
    if found.verdict.level >= 2:
        whole = f"Adapt it, with the old data beside the new where they are at hand (-P replay=OLD): {command}"
        steps.append(
            whole if found.model.flat else "Adapt the models of one input that it begins with, and train it again"
        )
    if found.verdict.level >= 1 and not labelled:
        steps.append("Measure: the true values of 100 of these objects say more than all that is here (--truth COLUMN)")
    if found.verdict.level == 3:
        steps.append("Judge the adapted model on labelled objects that it did not learn from before using it")
    if not steps and found.verdict.level:
        steps.append(
            "Use it, look at the flags (OUTSIDE_TRAINING), and judge it on labels of the objects it is used for"
        )
    return steps or ["Nothing: go on as on the survey it learnt from"]
