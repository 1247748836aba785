"""Draw maps of a data set as a stored model sees it: ``mlflow run <image model> -e embed``."""

from __future__ import annotations

import numpy as np

from common.data.sources import Loaded
from common.data.task import Task
from common.data.training_data import TrainingData
from common.judge.maps.draw import Mapped, figures, html_page, write_projector
from common.judge.maps.reduce import available, reduce
from common.models.model import Model
from common.models.opening import load
from common.models.running import KERAS
from common.networks.inputs import PRESENT
from common.options import EmbedOptions, TrainingOptions, typed
from common.outputs.flags import Flag
from common.predict.embed import features_of
from common.project import ModelFolder
from common.runs.record import PLOTS, Run
from common.runs.store_location import CHAMPION

PARTS = ("train", "validation")
MOST = {"train": 3000, "validation": 1000}
"""Objects of each part that a map shows: more are only ink."""
PAGE, PIECE = "map.html", 512


def draw_maps(project: ModelFolder, record: Run, options: EmbedOptions) -> str:
    """Compute features of training and validation objects, place them on planes, draw and record them.

    Parameters
    ----------
    project : ModelFolder
    record : Run
    options : EmbedOptions

    Returns
    -------
    str
        What to tell the user.
    """
    address = options.model or f"models:/{project.name}@{CHAMPION}"
    model = load(address, KERAS)
    task = Task(project.folder, model.inputs, model.outputs, model.flat)
    data = TrainingData(task, typed(TrainingOptions, vars(options) | model.reading))
    print(data.description(), flush=True)
    # A point has one colour: the truth of the first output.
    output, chosen, features = data.outputs[0], {}, []
    for part in PARTS:
        chosen[part] = np.flatnonzero(data.known(part, output.name))[: MOST[part]]
        features.append(_features(model, data, part, chosen[part]))
    together = np.concatenate(features)
    methods, note = available(options.maps.split(","))
    places = {}
    for method in methods:
        print(f"{method} of {len(together):,} objects", flush=True)
        places[method] = reduce(together, method, options.seed)
    mapped = Mapped(
        name=project.name,
        output=output,
        objid=np.concatenate([data.objid(part)[chosen[part]] for part in PARTS]),
        part=np.repeat(PARTS, [len(chosen[part]) for part in PARTS]),
        truth=np.concatenate([data.truth(part, output.name)[: MOST[part]] for part in PARTS]),
        places=places,
        pictures=[picture for part in PARTS for picture in data.pictures(part, chosen[part])],
    )
    record.pictures(figures(mapped))
    record.text(html_page(mapped), PAGE)
    write_projector(record.logs / "map", together, mapped)
    notes = f"\n{note}" if note else ""
    return (
        f"\n{address}: {len(together):,} objects of {data.folder}{notes}\n"
        f"page    {record.artifacts()}/{PAGE}\nplots   {record.artifacts()}/{PLOTS}\n"
        f"look    tensorboard --logdir {project.name}/logs/  (tab PROJECTOR)"
    )


def _features(model: Model, data: TrainingData, part: str, positions: np.ndarray) -> np.ndarray:
    """Compute the features of some objects of a part, float32 ``(n, width)``."""
    found = []
    for start in range(0, len(positions), PIECE):
        piece = data.gather(data.parts[part][positions[start : start + PIECE]])
        present = piece.pop(PRESENT) > 0
        missing = np.where(present, 0, int(Flag.MISSING)).astype(np.int32)
        loaded = {name: Loaded(values, missing[:, column]) for column, (name, values) in enumerate(piece.items())}
        found.append(features_of(model, loaded)[0])
    return np.concatenate(found)
