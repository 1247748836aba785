"""``zoo data explore``: look at a data set before anything is trained on it, on one HTML page."""

from __future__ import annotations

from pathlib import Path

from sdss_gs.dataset import open_dataset
from sdss_gs.errors import DataError
from sdss_gs.explore.page import html_page
from sdss_gs.explore.tables import table_sections
from sdss_gs.explore.votes import vote_sections
from sdss_gs.files import replacing
from sdss_gs.formats.raw import list_paths
from sdss_gs.inputs import refuse_inputs
from sdss_gs.tables.votes import find_votes, read_votes

MOST_IMAGES = 20_000
"""Images that are looked at; of a larger set, those with the smallest ids."""


def explore(folder: str | Path, output: str | Path, floor: int = 10) -> Path:
    """Draw what a data set holds: counts, distributions, votes, typical and odd images.

    Parameters
    ----------
    folder : path-like
        SDSS-GS folder.
    output : path-like
        HTML file to write: one file that loads nothing.
    floor : int
        Votes that a question needs before a galaxy is shown as an example of its answers.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    DataError
        If there is no usable data set.
    OptionError
        If the output is a part of it.
    """
    folder, output = Path(folder), Path(output)
    if not output.resolve().parent.is_dir():
        raise DataError(f"{output}: expected a file in an existing folder")
    refuse_inputs(output, [folder])
    images = bool(list_paths(folder, "img")) if (folder / "img").is_dir() else False
    data = open_dataset(folder, ["img"] if images else [])
    votes = read_votes(folder, data.catalogue.objid) if find_votes(folder) else None
    sections = table_sections(data)
    if votes is not None:
        sections += vote_sections(data, votes, floor)
    if images:
        # SciPy's and scikit-learn's part is not needed for a table.
        from sdss_gs.explore.images import image_sections

        sections += image_sections(data, MOST_IMAGES)
    with replacing(output) as temporary:
        temporary.write_text(html_page(folder.resolve().name, len(data), sections), encoding="utf-8")
    return output
