"""Judge a model that ships anew, without training it: its card, and the sample of objects that `zoo shift` looks at."""

from __future__ import annotations

import json
import os
from pathlib import Path
from tempfile import TemporaryDirectory

from common.data.photometry import option_of
from common.data.task import Task
from common.data.training_data import TrainingData
from common.judge.card import card_data
from common.judge.judge import judge, predict_baselines
from common.judge.views import alone, predict_part
from common.models.described import read_description
from common.models.model import ANY
from common.models.opening import load
from common.models.packed import unpacked
from common.models.reference import packed_sample
from common.models.running import KERAS
from common.models.shipped import (
    CARDS,
    MARK,
    VARIABLE,
    ship_card,
    ship_network,
    shipped_bytes,
    shipped_file,
    shipped_models,
)
from common.options import TrainingOptions, typed
from common.runs.record import DOTS_PER_INCH
from common.runs.store_location import REPOSITORY
from common.shift.sample import reference_sample
from sdss_gs.errors import DataError
from sdss_gs.tables.columns import DUSTY
from weights.cards import complete
from weights.recipe import LICENCE, Recipe

KEPT = ("run_id", "created", "network", "options", "warnings", "versions")
"""What a card says of the training."""


def judge_again(name: str, recipe: Recipe, data: Path, output: Path) -> None:
    """Write the card of a shipped model anew, and the sample of validation objects that is stored with it.

    Parameters
    ----------
    name : str
    recipe : Recipe
    data : Path
        The data set that it learnt from.
    output : Path
        Folder of shipped models.

    Raises
    ------
    ZooError
        If the model is not there, or the data set is another one.
    """
    os.environ[VARIABLE] = str(output)
    before = json.loads(shipped_file(name, f".{CARDS[1]}").read_text(encoding="utf-8"))
    model = load(f"{name}{MARK}", KERAS)
    options = {"ds": str(data), "photometry": option_of(model.photometry().get(DUSTY, ""))} | model.reading
    found = TrainingData(
        Task(REPOSITORY / name, model.inputs, model.outputs, model.flat), typed(TrainingOptions, options)
    )
    if found.fingerprint != before["data"]["fingerprint"]:
        expected = before["data"]["fingerprint"]
        raise DataError(f"{name}: expected the data that it learnt from ({expected}), found {found.fingerprint}")
    predictions = predict_part(model, found, "test", alone(model))
    rivals = predict_baselines(found, int(before["options"]["seed"]))
    summary = judge(model, found, predictions, rivals, before["run_id"], before["options"])
    card = card_data(summary) | {key: before[key] for key in KEPT}
    with TemporaryDirectory(prefix="zoo-card-") as temporary:
        folder = Path(temporary)
        summary.figures["selection"].savefig(folder / CARDS[2], dpi=DOTS_PER_INCH)
        (folder / CARDS[1]).write_text(json.dumps(card, allow_nan=False), encoding="utf-8")
        complete(folder, recipe, data, data.parent)
        ship_card(output, folder, name)
    sample = reference_sample(model, found, predict_part(model, found, "validation")[ANY])
    stored = {"reference": packed_sample(sample, model.inputs, model.outputs)}
    score = shipped_models()[name].score
    with unpacked(shipped_bytes(name)) as network:
        facts = read_description(network)["facts"] | stored
        ship_network(output, network, facts, score=score, learnt_from=recipe.learnt_from, licence=LICENCE)
    print(f"{name}: judged anew, its card is in {output}", flush=True)
