"""Models as folders for other programs: ``zoo export --format onnx|saved_model|page``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from common.elsewhere.exported import address_of_now, card_of, opened
from sdss_gs.errors import OptionError
from sdss_gs.files import new_folder

ONNX, SAVED_MODEL, PAGE = "onnx", "saved_model", "page"
FORMATS = (ONNX, SAVED_MODEL, PAGE)
CARD = "card.json"


def export_elsewhere(names: Sequence[str], folder: Path, form: str, runtime: Path | None = None) -> Path:
    """Write models as a new folder.

    Parameters
    ----------
    names : sequence of str
        One model; of a page one or several.
    folder : Path
    form : str
        One of `FORMATS`.
    runtime : Path, optional
        npm's package of onnxruntime-web, for a page; by default it is fetched.

    Raises
    ------
    ZooError
        If a model is not there or has no such form, or the folder exists.
    """
    if form != PAGE and len(names) > 1:
        raise OptionError(f"export: expected one model for --format {form}, found {', '.join(names)}")
    if form != PAGE and runtime is not None:
        raise OptionError(f"--onnxruntime-web: expected --format {PAGE} with it, found {form}")
    with new_folder(folder) as temporary:
        if form == PAGE:
            _page(names, temporary, runtime)
        elif form == ONNX:
            exported = opened(names[0])
            exported.write_onnx(temporary)
            (temporary / CARD).write_text(json.dumps(exported.card, indent=1))
        else:
            _saved_model(names[0], temporary)
    return folder


def _page(names: Sequence[str], folder: Path, runtime: Path | None) -> None:
    from common.elsewhere.page import check, write_page
    from common.elsewhere.web_runtime import package

    models = [opened(name) for name in names]
    # Before a download of minutes.
    check(models)
    write_page(models, folder, package(runtime))


def _saved_model(name: str, folder: Path) -> None:
    # Not with the others: only this needs TensorFlow.
    from common.elsewhere.saved_model import write_saved_model
    from common.models.opening import load
    from common.models.running import KERAS

    address = address_of_now(name)
    card = card_of(address)
    write_saved_model(load(address, KERAS), str(card.get("licence", "")), folder)
    (folder / CARD).write_text(json.dumps(card, indent=1))
