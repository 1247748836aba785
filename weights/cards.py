"""What only the card of a shipped model says: whence its data are, where it fails, whom to cite."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from common.judge.card import GALAXY_SUBSET, card_markdown
from common.models.shipped import CARDS
from weights.recipe import LICENCE, Recipe
from weights.tables import SOURCES_OF, by_source

CITED = (
    "SDSS DR17: Abdurro'uf et al. 2022, ApJS 259, 35, https://doi.org/10.3847/1538-4365/ac4414",
    "the sources in weights/recipe.md; zoo data cite has the words in which SDSS asks to be acknowledged",
)


def complete(folder: Path, recipe: Recipe, data: Path, work: Path) -> None:
    """Add to the card in an exported folder what the recipe and the data set say.

    Parameters
    ----------
    folder : Path
    recipe : Recipe
    data : Path
        The data set that the model learnt from.
    work : Path
        Folder that is left out of every path in the card: where a model was made is nobody's matter.
    """
    markdown, facts = (folder / name for name in CARDS[:2])
    card = json.loads(facts.read_text(encoding="utf-8").replace(f"{work}/", ""))
    software, *others = (line for line in card["citation"] if line != GALAXY_SUBSET)
    card["citation"] = [software, *CITED, *others]
    card["limits"] = [*recipe.limits, *card["limits"]]
    card["shipped"] = {"learnt_from": recipe.learnt_from, "licence": LICENCE, "sources": sources_of(data)}
    for output in card["outputs"] if recipe.published else ():
        output["published_by"] = recipe.published
    facts.write_text(json.dumps(card, indent=1, allow_nan=False), encoding="utf-8")
    markdown.write_text(card_markdown(card), encoding="utf-8")


def sources_of(data: Path) -> list[dict]:
    """Say what of a data set is from where, see `tables.by_source`; nothing of one that was generated."""
    table = pd.read_csv(data / "data.csv")
    return by_source(table) if "source" in table and set(table["source"]) <= set(SOURCES_OF) else []
