"""Whom to name when the zoo or its data are used, in the words each of them asks for."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from pathlib import Path

from sdss_gs import __version__

TITLE, AUTHOR, YEAR = "SDSS zoo: models that characterise galaxies", "The SDSS zoo maintainers", 2026
BIBLIOGRAPHY = Path(__file__).with_name("citations.bib")


@dataclass(frozen=True)
class Source:
    """One origin of data, and how it wants to be named.

    Parameters
    ----------
    name, used_for : str
    keys : tuple of str
        Entries of ``citations.bib``.
    page : str
        Official page on citing it; empty where there is none.
    text : str
        Acknowledgement word for word, … where it goes on; empty where the page has to be read.
    note : str
        What the page adds.
    """

    name: str
    used_for: str
    keys: tuple[str, ...]
    page: str
    text: str = ""
    note: str = ""


SOURCES = (
    Source("The zoo", "models and software", ("sdss_zoo",), ""),
    Source(
        "SDSS Galaxy Subset (SDSS-GS)", "the data set as a whole", ("sdss_gs",),
        "https://doi.org/10.5281/zenodo.6393487",
        note="The page of the version you used gives that version's DOI, authors and date.",
    ),
    Source(
        "SDSS, data releases 16 and 17 (SDSS-IV)", "img, fits, spectra, ssel, bands; redshift, subclass, class3",
        ("sdss_dr17", "sdss_dr16", "sdss_iv"), "https://www.sdss4.org/collaboration/citing-sdss/",
        text="Funding for the Sloan Digital Sky Survey IV has been provided by the Alfred P. Sloan Foundation, the "
        "U.S. Department of Energy Office of Science, and the Participating Institutions. SDSS-IV acknowledges support "
        "and resources from the Center for High-Performance Computing at the University of Utah. …",
        note="Only the beginning: the list of institutions that follows is on the page. Name the paper of the release "
        "you used; cut-outs are of DR17.",
    ),
    Source(
        "SDSS, data release 18 (SDSS-V)", "galaxies that you fetch from DR18 yourself", ("sdss_dr18",),
        "https://www.sdss.org/collaboration/citing-sdss/",
        text="Funding for the Sloan Digital Sky Survey V has been provided by the Alfred P. Sloan Foundation, the "
        "Heising-Simons Foundation, the National Science Foundation, and the Participating Institutions. SDSS "
        "acknowledges support and resources from the Center for High-Performance Computing at the University of Utah. "
        "SDSS telescopes are located at Apache Point Observatory, funded by the Astrophysical Research Consortium and "
        "operated by New Mexico State University, and at Las Campanas Observatory, operated by the Carnegie "
        "Institution for Science. …",
        note="Only the beginning: the list of institutions that follows is on the page.",
    ),
    Source(
        "WISE, all-sky release", "wise", ("wise",), "https://wise2.ipac.caltech.edu/docs/release/allsky/",
        text="This publication makes use of data products from the Wide-field Infrared Survey Explorer, which is a "
        "joint project of the University of California, Los Angeles, and the Jet Propulsion Laboratory/California "
        "Institute of Technology, funded by the National Aeronautics and Space Administration.",
        note="Of magnitudes that you fetch from IRSA yourself, https://irsa.ipac.caltech.edu/ack.html says more.",
    ),
    Source(
        "eBOSS Firefly value-added catalogue", "smass", ("firefly_catalogue", "firefly"),
        "https://www.sdss.org/dr16/spectro/eboss-firefly-value-added-catalog",
    ),
    Source(
        "Galaxy Zoo 2", "gz2c, votes", ("galaxy_zoo_2",), "https://data.galaxyzoo.org",
        note="The page has the words of thanks to the volunteers that the project asks for.",
    ),
    Source(
        "Galaxy Zoo 1", "sets of yours with Galaxy Zoo 1 labels", ("galaxy_zoo", "galaxy_zoo_1"),
        "https://data.galaxyzoo.org",
    ),
    Source(
        "Galaxy10 DECaLS", "morph10", ("galaxy_zoo_decals",), "https://astronn.readthedocs.io/en/latest/galaxy10.html",
        note="Labels of Galaxy Zoo, images of the DESI Legacy Imaging Surveys: the page says how to name all of them.",
    ),
    Source(
        "Windows of the selected spectrum", "ssel", ("ssel_windows",), "https://arxiv.org/abs/1003.3186",
    ),
)  # fmt: skip


def bibtex() -> str:
    """Return all entries as BibTeX, the zoo's own first."""
    own = (
        f"@software{{sdss_zoo,\n  title = {{{{{TITLE}}}}},\n  author = {{{{{AUTHOR}}}}},\n"
        f"  year = {{{YEAR}}},\n  version = {{{__version__}}}\n}}\n"
    )
    return f"{own}\n{BIBLIOGRAPHY.read_text(encoding='utf-8')}"


def as_text(width: int = 100) -> str:
    """Say for each source what it is used for, how to acknowledge it and which entries to cite."""
    blocks = []
    for source in SOURCES:
        lines = [source.name, f"  used for: {source.used_for}", f"  cite: {', '.join(source.keys)}"]
        lines += [f"  page: {source.page}"] if source.page else []
        for words in filter(None, (f"“{source.text}”" if source.text else "", source.note)):
            lines.append(textwrap.fill(words, width, initial_indent="  ", subsequent_indent="  "))
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


def as_markdown() -> str:
    """Write the same as sections of a document."""
    blocks = []
    for source in SOURCES:
        cited = ", ".join(f"`{key}`" for key in source.keys)
        page = f" Official page: <{source.page}>." if source.page else ""
        blocks.append(f"**{source.name}**: {source.used_for}. BibTeX: {cited}.{page} {source.note}".strip())
        if source.text:
            blocks.append(f"> {source.text}")
    return "\n\n".join(blocks)
