"""A folder of static files that predicts in the browser, without a server of the zoo's."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from common.elsewhere import web_runtime
from common.elsewhere.exported import Exported
from common.judge.card import card_of_today, own_row, score_text
from common.outputs.flags import MEANING
from common.outputs.kinds import kind_of
from sdss_gs import __version__
from sdss_gs.errors import OptionError
from sdss_gs.formats.img import LARGEST, SIDE, SMALLEST
from sdss_gs.schema import PIXEL_SCALE
from sdss_gs.tables.cells import MISSING

MODELS = "models.json"
SHARED = ("page.css", "plots.js", "icon.svg")
"""Files of the service's page."""


def write_page(models: Sequence[Exported], folder: Path, archive: Path) -> None:
    """Write the page of some models into an empty folder.

    Parameters
    ----------
    models : sequence of Exported
    folder : Path
    archive : Path
        The package of onnxruntime-web, see `web_runtime.package`.
    """
    for name in SHARED:
        shutil.copyfile(files("common.serve") / "static" / name, folder / name)
    for file in (files("common.elsewhere") / "static").iterdir():
        shutil.copyfile(file, folder / file.name)
    web_runtime.put_runtime(archive, folder)
    about = {
        "zoo_version": __version__,
        "runtime": f"{web_runtime.RUNTIME.name} {web_runtime.RUNTIME.version}",
        "flags": {bit.name: {"bit": int(bit), "meaning": meaning} for bit, meaning in MEANING.items()},
        "missing": list(MISSING),
        "image": {"side": SIDE, "smallest": SMALLEST, "largest": LARGEST, "scale": PIXEL_SCALE},
        "models": [one.write_onnx(folder) | {"card": _essence(one)} for one in models],
    }
    (folder / MODELS).write_text(json.dumps(about, indent=1))


def check(models: Sequence[Exported]) -> None:
    """Check that a page can show some models.

    Raises
    ------
    OptionError
        If nobody can type or drop what one takes, or two have one name.
    """
    names = [one.model.name for one in models]
    if len(set(names)) < len(names):
        raise OptionError(f"page: expected models of different names, found {', '.join(names)}")
    for model in (one.model for one in models):
        for item in model.inputs:
            if item.name != "img" and not item.columns:
                wanted = "expected a model of magnitudes or images for a page"
                raise OptionError(f"{model.name}: {wanted}, found one of {item.name}")


def _essence(exported: Exported) -> dict:
    """Gather what a reader of the page must know of a model: scores on the test objects, warnings, limits."""
    card, scores = card_of_today(dict(exported.card)), []
    for output, said in zip(exported.model.outputs, card["outputs"], strict=True):
        row, metric = own_row(said), kind_of(output).headline
        if metric not in said["metrics"]:
            continue
        bounds = said["intervals"].get(row, {}).get(metric)
        text, interval = score_text(said["scores"][row].get(metric), bounds)
        label = said["metrics"][metric]["label"]
        scores.append(f"{output.name}: {label} {text}" + (f" ({interval})" if interval else ""))
    return {
        "scores": scores,
        "warnings": card["warnings"],
        "limits": card["limits"],
        "data": card["data"]["name"],
        "objects": card["data"]["objects"],
    }
