"""Models by hand in a folder of shipped models."""

from pathlib import Path

from common.models.described import read_description
from common.models.packed import pack
from common.models.shipped import ship
from helpers.exported import exported_folder

ABOUT = {"score": "nmad 0.0150", "learnt_from": "96,000 real galaxies", "licence": "CC0"}


def ship_by_hand(folder, model, scratch, keras=True):
    """Ship a model by hand with a card, and with its Keras file or its light form alone; return its bytes."""
    exported = Path(exported_folder(scratch / f"exported-{model.name}", model))
    about = read_description(exported)
    files = {file: (exported / file).read_bytes() for file in about["files"] if keras or not file.endswith(".keras")}
    content = pack(model.name, "", about["sha256"], about["facts"], files)
    cards = {"card.md": f"# The shipped {model.name}\n", "card.json": (exported / "card.json").read_text()}
    ship(folder, model.name, content, cards, **ABOUT)
    return content
