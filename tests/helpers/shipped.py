"""Models in a folder of shipped models."""

from pathlib import Path

from common.models.described import read_description
from common.models.packed import pack
from common.models.shipped import ship
from helpers.exported import exported_folder

ABOUT = {"score": "nmad 0.0150", "learnt_from": "96,000 real galaxies", "licence": "CC0"}
NETWORKS = (".keras", ".onnx")


def ship_by_hand(folder, model, scratch):
    """Ship a model by hand with a card."""
    ship_files(folder, Path(exported_folder(scratch / f"exported-{model.name}", model)))


def ship_files(folder, exported):
    """Ship the Keras file and the light form of an exported model."""
    about = read_description(exported)
    files = {file: (exported / file).read_bytes() for file in about["files"] if file.endswith(NETWORKS)}
    content = pack(about["name"], "", about["sha256"], about["facts"], files)
    cards = {"card.md": f"# The shipped {about['name']}\n", "card.json": (exported / "card.json").read_text()}
    ship(folder, about["name"], content, cards, **ABOUT)
