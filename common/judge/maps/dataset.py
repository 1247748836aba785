"""Draw maps of a data set as a stored model sees it: ``mlflow run <image model> -e embed``."""

from __future__ import annotations

import numpy as np

from common.data.sources import Loaded
from common.data.training_data import TrainingData
from common.judge.maps.draw import Mapped, figures, html_page, write_projector
from common.judge.maps.reduce import available, reduce
from common.models.opening import load
from common.predict.embed import embedder
from common.project import Project
from common.runs.record import PLOTS, Run
from common.runs.store_location import CHAMPION

PARTS = ("train", "validation")
MOST = {"train": 3000, "validation": 1000}
"""Objects of each part that a map shows: more are only ink."""
PAGE = "map.html"


def draw_maps(project: Project, record: Run, options: dict) -> str:
    """Compute features of training and validation objects, place them on planes, draw and record them.

    Parameters
    ----------
    project : Project
    record : Run
    options : dict
        ``model`` (empty: the champion), ``maps``, ``ds``, ``limit``, ``seed`` and ``image_scale``.

    Returns
    -------
    str
        What to tell the user.
    """
    address = str(options["model"]) or f"models:/{project.name}@{CHAMPION}"
    model = load(address)
    data = TrainingData(project, options | model.reading)
    print(data.description(), flush=True)
    headless, features, sizes = embedder(model), [], {}
    for part in PARTS:
        found = []
        for chunk in data.chunks(part):
            flags = np.zeros(len(chunk), np.int32)
            found.append(headless.features({model.item.name: Loaded(chunk, flags)})[0])
            if sum(map(len, found)) >= MOST[part]:
                break
        features.append(np.concatenate(found)[: MOST[part]])
        sizes[part] = len(features[-1])
    together = np.concatenate(features)
    methods, note = available(str(options["maps"]).split(","))
    places = {}
    for method in methods:
        print(f"{method} of {len(together):,} objects", flush=True)
        places[method] = reduce(together, method, int(options["seed"]))
    mapped = Mapped(
        name=project.name,
        output=model.output,
        objid=np.concatenate([data.objid(part)[: sizes[part]] for part in PARTS]),
        part=np.repeat(PARTS, list(sizes.values())),
        truth=np.concatenate([data.truth(part)[: sizes[part]] for part in PARTS]),
        places=places,
        pictures=[picture for part in PARTS for picture in data.pictures(part, np.arange(sizes[part]))],
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
