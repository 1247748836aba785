"""A trained model on its way to other programs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from common.elsewhere.description import describe
from common.elsewhere.onnx_file import write_with_description
from common.models.described import DESCRIPTION
from common.models.library import artifact
from common.models.light import ENCODER, FUSION, WHOLE
from common.models.model import Model
from common.models.names import find_model
from common.models.opening import load
from common.models.running import LIGHT
from common.models.shipped import MARK, meant_shipped
from sdss_gs.errors import ZooError, first_line


@dataclass(frozen=True)
class Exported:
    """A model in its light form, with its card.

    Parameters
    ----------
    model : Model
    card : dict
        As it was stored.
    """

    model: Model
    card: Mapping

    def parts(self) -> dict[str, bytes]:
        """Return the ONNX files: ``network``; or of a fused model each input's encoder by its name, and ``fusion``."""
        contents = self.model.runtime.contents
        if self.model.flat:
            return {"network": contents[WHOLE]}
        return {item.name: contents[ENCODER.format(item.name)] for item in self.model.inputs} | {
            "fusion": contents[FUSION]
        }

    def write_onnx(self, folder: Path) -> dict:
        """Write the ONNX files (``b2r.onnx``; ``x2y_img.onnx``, …), each with the description; return that."""
        name, parts = self.model.name, self.parts()
        files = {part: f"{name}.onnx" if part == "network" else f"{name}_{part}.onnx" for part in parts}
        description = describe(self.model, files, str(self.card.get("licence", "")))
        for part, content in parts.items():
            write_with_description(content, folder / files[part], description | {"part": part})
        return description


def opened(name: str) -> Exported:
    """Open a model by name, version or exported folder, as `load` does.

    Raises
    ------
    ZooError
        If there is no such model, or it has no light form.
    """
    address = address_of_now(name)
    return Exported(load(address, LIGHT), card_of(address))


def address_of_now(name: str) -> str:
    """Return an address that goes on to be the same model when another one becomes the champion."""
    if (Path(name) / DESCRIPTION).is_file():
        return name
    shipped = meant_shipped(name)
    return f"{shipped}{MARK}" if shipped else find_model(name)[0].address


def card_of(name: str) -> dict:
    """Read a model's card.

    Raises
    ------
    ZooError
        If it has none.
    """
    path = artifact(name, "card.json")
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise ZooError(f"{path}: expected the card of a model, found {first_line(error)}") from None
