"""Models that come with the zoo: files in the package, used where the store has no champion from real galaxies."""

from __future__ import annotations

import json
import lzma
import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

from common.models.described import LIGHT_ENDING, MODEL_FILE, read_description
from common.models.packed import pack
from common.models.repeatable import keras_file
from common.runs.registry import registry
from common.runs.store_location import ORIGIN_TAG, PICTURE
from common.runs.stored import StoredModel, UnknownModelError
from sdss_gs.errors import ZooError, did_you_mean, first_line
from sdss_gs.files import replacing
from sdss_gs.origin import SAMPLE

FOLDER = Path(__file__).resolve().parents[1] / "shipped"
VARIABLE = "ZOO_SHIPPED"
"""Environment variable that names another folder of shipped models."""
INDEX, ENDING, CARDS = "index.json", ".zoo", ("card.md", "card.json", PICTURE)
VERSION = "shipped"
MARK = f"@{VERSION}"
"""What always names a shipped model, whatever the store has: ``b2r@shipped``."""
REINSTALL = "install the zoo again"
NOT_SHIPPED = {
    "i2": "there are too few real images to learn from",
    "f2": "there are too few real cut-outs to learn from",
    "w2": "there are too few real WISE magnitudes to learn from",
    "x2": "there are too few real objects of which several inputs are known",
    "b2g": "magnitudes say nothing of a shape",
    "s2g": "a spectrum says nothing of a shape",
    "ss2g": "a spectrum says nothing of a shape",
    "s2sm": "generated spectra have no stellar mass",
    "ss2sm": "generated spectra have no stellar mass",
}
"""Why the data cannot carry a model, by its name or by how that begins."""


@dataclass(frozen=True)
class Shipped:
    """A shipped model, as the index has it.

    Parameters
    ----------
    sha256 : str
        Of its file.
    score : str
        Headline metrics on test objects, as ``zoo list`` shows them.
    learnt_from, licence : str
        A line each.
    """

    sha256: str
    score: str
    learnt_from: str
    licence: str


def shipped_folder() -> Path:
    """Return the folder of the shipped models: that of the package, or what `VARIABLE` names."""
    return Path(os.environ.get(VARIABLE) or FOLDER)


def shipped_models() -> dict[str, Shipped]:
    """List the shipped models by name; none where the folder has no index.

    Raises
    ------
    ZooError
        If the index cannot be read.
    """
    path = shipped_folder() / INDEX
    try:
        return {name: Shipped(**about) for name, about in sorted(json.loads(path.read_text()).items())}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        found = first_line(error)
        raise ZooError(f"{path}: expected the list of shipped models, found {found}; {REINSTALL}") from None


def meant_shipped(name: str) -> str:
    """Return which shipped model a name means: ``b2r@shipped`` always, ``b2r`` where the store has no better one.

    A better one is a champion that learnt from real objects, or of which nobody noted from what: see `stands_back`.

    Returns
    -------
    str
        For example ``b2r``; empty where the name means anything else.

    Raises
    ------
    ZooError
        If no model of that name ships.
    """
    plain, models = name.removesuffix(MARK), shipped_models()
    if plain not in models:
        if plain == name:
            return ""
        there, meant = ", ".join(models) or "none ships", did_you_mean(plain, models)
        raise ZooError(f"{name}: expected a shipped model ({there}), found no {plain}{meant}")
    if plain != name:
        return plain
    try:
        return plain if stands_back(registry().model(name)) else ""
    except UnknownModelError:
        return plain


def stands_back(champion: StoredModel) -> bool:
    """Tell whether a champion learnt from generated galaxies, while a model that did not ships under its name.

    It is a trial, and would answer for real galaxies with confidence: ``b2r`` is the shipped model, ``b2r/1`` this one.
    """
    return champion.tags.get(ORIGIN_TAG) == SAMPLE and champion.name in shipped_models()


def without_model(names: Iterable[str]) -> list[tuple[str, str]]:
    """Say of each of some names why there is no shipped model of it, or how to train one."""
    found = []
    for name in names:
        reasons = [reason for beginning, reason in NOT_SHIPPED.items() if name.startswith(beginning)]
        found.append((name, reasons[-1] if reasons else f"mlflow run {name} --no-conda trains one"))
    return found


def shipped_bytes(name: str) -> bytes:
    """Read a shipped model as `packed.unpacked` takes it, after comparing its file with the index.

    Raises
    ------
    ZooError
        If the file is gone or is another one.
    """
    path, expected = shipped_file(name, ENDING), shipped_models()[name].sha256
    content = path.read_bytes()
    if (found := sha256(content).hexdigest()) != expected:
        raise ZooError(f"{path}: expected sha256 {expected}, found {found}; {REINSTALL}")
    return lzma.decompress(content)


def shipped_file(name: str, ending: str) -> Path:
    """Return a file of a shipped model: the model (``.zoo``), or what belongs to it (``.card.md``).

    Raises
    ------
    ZooError
        If it is not there.
    """
    path = shipped_folder() / f"{name}{ending}"
    if not path.is_file():
        raise ZooError(f"{name}{MARK}: expected {path}, found no such file; {REINSTALL}")
    return path


def ship(folder: Path, exported: Path, **about: str) -> None:
    """Put an exported model into a folder of shipped models: its light form, its Keras file and its card.

    The Keras file is for fine-tuning. The same network is the same bytes, whenever it was saved.

    Parameters
    ----------
    folder : Path
        Is made if it is not there.
    exported : Path
        What ``zoo export`` wrote.
    **about : str
        `Shipped.score`, ``learnt_from`` and ``licence``.

    Raises
    ------
    ZooError
        If `exported` is no such folder.
    """
    description = read_description(exported)
    folder.mkdir(parents=True, exist_ok=True)
    ship_card(folder, exported, description["name"])
    ship_network(folder, exported, description["facts"], **about)


def ship_network(folder: Path, exported: Path, facts: Mapping[str, object], **about: str) -> None:
    """Put the files of a network and what is known of it into a folder of shipped models, and into its index.

    Parameters
    ----------
    folder, exported, **about
        As for `ship`; `exported` may be what `packed.unpacked` yields.
    facts : mapping
        See `Model.facts`.
    """
    description = read_description(exported)
    name, networks = description["name"], (MODEL_FILE, LIGHT_ENDING)
    files = {file: (exported / file).read_bytes() for file in description["files"] if file.endswith(networks)}
    files[MODEL_FILE] = keras_file(files[MODEL_FILE])
    # Compressed as a whole: both forms hold the same weights.
    content = lzma.compress(pack(name, VERSION, "", facts, files), preset=9)
    (folder / f"{name}{ENDING}").write_bytes(content)
    index = folder / INDEX
    listed = json.loads(index.read_text()) if index.is_file() else {}
    listed[name] = asdict(Shipped(sha256=sha256(content).hexdigest(), **about))
    with replacing(index) as temporary:
        temporary.write_text(json.dumps(dict(sorted(listed.items())), indent=1) + "\n")


def ship_card(folder: Path, exported: Path, name: str) -> None:
    """Put the card of a model into a folder of shipped models.

    Parameters
    ----------
    folder : Path
    exported : Path
        Folder with the files of `CARDS`.
    name : str
        Of the model.
    """
    for file in CARDS:
        shutil.copyfile(exported / file, folder / f"{name}.{file}")
    card = folder / f"{name}.{CARDS[0]}"
    card.write_text(card.read_text(encoding="utf-8").replace(f"]({PICTURE})", f"]({name}.{PICTURE})"), encoding="utf-8")
