"""What surveys and their tools call the magnitudes that a model looks at, and which columns of a table are taken."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sdss_gs.schema import BANDS, DEREDDENED, ERRORS, INPUTS

MODEL, PROFILE, UNSTATED = "model", "profile-fit", ""
RAW = "raw"
STATEMENTS = {RAW: UNSTATED, DEREDDENED: DEREDDENED}
"""What a user says of magnitudes, and of which kind they are then."""
AUTO, BOTH_KINDS = "auto", "both"
"""What a training run may look at besides."""
PHOTOMETRY_COLUMN = "photometry"
"""Column whose cells are `STATEMENTS`, of a table that has both."""
EBV_NAMES = ("ebv", "e(b-v)", "e_bv", "ebv_sfd", "sfd_ebv")
"""What the reddening by the Galaxy's dust is called, in lower case, the likeliest first."""
PHOTOMETRY = {"bands": MODEL, "wise": "aperture"}
"""Of the zoo's own columns (`schema.INPUTS`)."""
ID_COLUMNS = (
    "objid", "id", "object_id", "objectid", "obj_id", "source_id", "sourceid", "photoobjid", "bestobjid", "specobjid",
    "specobj_id", "spec_obj_id", "dr8objid", "coadd_object_id", "galaxyid", "targetid", "nsaid", "mangaid",
    "designation", "iauname", "name",
)  # fmt: skip
"""Names of ids, in lower case, the likeliest first."""


@dataclass(frozen=True)
class Meaning:
    """What a column's name says it is.

    Parameters
    ----------
    column : str
        The zoo's name, ``modelMag_u``.
    family : str
        What the names of the other bands look like: ``mag_*_lsst``.
    photometry : str
        ``model``, ``psf``, ``dereddened``, …; empty where the name does not say.
    flux : bool
    sdss : bool
        Whether it is one of SDSS's own names, whose fluxes are nanomaggies and whose magnitudes are asinh magnitudes.
    """

    column: str
    family: str
    photometry: str
    flux: bool = False
    sdss: bool = False


_SDSS_KINDS = {
    "model": MODEL, "psf": "psf", "cmodel": "cmodel", "petro": "petrosian", "fiber": "fiber", "fiber2": "fiber",
    "exp": "exponential", "dev": "de Vaucouleurs",
}  # fmt: skip
_OTHER_KINDS = {
    "cmodel": "cmodel", "psf": "psf", "kron": "kron", "petro": "petrosian", "auto": "auto", "aper": "aperture",
    "iso": "isophotal", "model": MODEL, "sersic": "sersic", "free": "free", "gaap1p0": "gaap", "gaap": "gaap",
    "ap": "aperture", "dered": DEREDDENED,
}  # fmt: skip
_BAND = f"(?P<band>[{''.join(BANDS)}])"
_SDSS = re.compile(rf"(?P<kind>{'|'.join(_SDSS_KINDS)})_?(?P<what>mag|flux)(_{_BAND}|\[(?P<element>[0-4])\])")
_NAMED = tuple(
    re.compile(pattern)
    for pattern in (
        rf"(?P<kind>dered)_?{_BAND}",
        rf"{_BAND}_?(?P<kind>dered)",
        rf"{_BAND}_?(?P<kind>{'|'.join(_OTHER_KINDS)})_?(?P<what>mag|flux)",
        rf"(?P<what>mag|flux)_(?P<kind>{'|'.join(_OTHER_KINDS)})_{_BAND}",
        rf"(?P<kind>{'|'.join(_OTHER_KINDS)})_(?P<what>mag|flux)_{_BAND}",
        rf"{_BAND}_(?P<what>mag|flux)_(?P<kind>{'|'.join(_OTHER_KINDS)})",
        rf"{_BAND}_(?P<kind>psf|petro)",
    )
)
_SURVEYS = (
    "sdss", "lsst", "des", "decals", "legacy", "decam", "hsc", "subaru", "kids", "vst", "cfht", "cfhtls", "megacam",
    "skymapper", "panstarrs", "ps1", "euclid", "roman",
)  # fmt: skip
_SURVEY = re.compile(rf"(?P<what>mag|flux)_{_BAND}_(?P<survey>{'|'.join((*_SURVEYS, *_OTHER_KINDS))})")
_PLAIN = tuple(
    re.compile(pattern) for pattern in (rf"{_BAND}_?(?P<what>mag|flux)", rf"(?P<what>mag|flux)_?{_BAND}", rf"{_BAND}")
)
_WISE = re.compile(r"w(?P<number>[1-4])(?P<what>_?mag|mpro|_?mag_aper|)|mag_w(?P<number2>[1-4])")


def meaning_of(name: str) -> Meaning | None:
    """Tell which band a column is, and of which photometry; None where its name is none of the known ones.

    Parameters
    ----------
    name : str
        Of a column.

    Examples
    --------
    >>> meaning_of("dered_r").photometry, meaning_of("MODELMAG[2]").column, meaning_of("W1MAG").column
    ('dereddened', 'modelMag_r', 'w1mag')
    >>> meaning_of("r_cModelFlux").flux, meaning_of("modelMagErr_r")
    (True, None)
    """
    lower = name.strip().lower()
    if match := _SDSS.fullmatch(lower):
        band = match["band"] or BANDS[int(match["element"])]
        flux = match["what"] == "flux"
        family = f"{match['kind']}{match['what']}" + ("[*]" if match["element"] else "_*")
        return Meaning(f"modelMag_{band}", family, _SDSS_KINDS[match["kind"]], flux, True)
    for pattern in _NAMED:
        if match := pattern.fullmatch(lower):
            return _of_match(lower, match, _OTHER_KINDS[match["kind"]])
    if match := _SURVEY.fullmatch(lower):
        survey = match["survey"]
        return _of_match(lower, match, UNSTATED if survey == "sdss" else _OTHER_KINDS.get(survey, survey))
    for pattern in _PLAIN:
        if match := pattern.fullmatch(lower):
            # One letter may be anything (Z is a redshift as well): all five must be written alike.
            case = "upper " if len(lower) == 1 and name.isupper() else ""
            meaning = _of_match(lower, match, UNSTATED)
            return Meaning(meaning.column, case + meaning.family, UNSTATED, meaning.flux)
    if match := _WISE.fullmatch(lower):
        number = "number" if match["number"] else "number2"
        photometry = {"mpro": PROFILE, "": UNSTATED, None: UNSTATED}.get(match["what"], PHOTOMETRY["wise"])
        return Meaning(f"w{match[number]}mag", _family(lower, match, number), photometry)
    return None


def _of_match(lower: str, match: re.Match, photometry: str) -> Meaning:
    flux = match.groupdict().get("what") == "flux"
    return Meaning(f"modelMag_{match['band']}", _family(lower, match, "band"), photometry, flux)


def _family(lower: str, match: re.Match, group: str) -> str:
    start, end = match.span(group)
    return f"{lower[:start]}*{lower[end:]}"


def families(names: Sequence[str], own: str, gaps: bool = False) -> dict[str, dict[str, list[str]]]:
    """Gather the columns of an input by family, those families only that have every band.

    Parameters
    ----------
    names : sequence of str
        Of a table's columns.
    own : str
        Name of the input, ``bands`` or ``wise``.
    gaps : bool
        Take those that have some of the bands: two, or three where a name is nothing but the band's.

    Returns
    -------
    dict of str to dict of str to list of str
        By family and the zoo's column, the names that there are: several where they differ by case only.
    """
    wanted, gathered = INPUTS[own].columns, {}
    for name in names:
        meaning = meaning_of(name)
        if meaning is not None and meaning.column in wanted and not _is_of_more(name, names):
            gathered.setdefault(meaning.family, {}).setdefault(meaning.column, []).append(name)
    whole = {family: columns for family, columns in gathered.items() if len(columns) == len(wanted)}
    if not whole:
        # The zoo's own names and their short forms may be mixed.
        own_names = {column: [name for name in (column, short_name(column)) if name in names] for column in wanted}
        if all(own_names.values()):
            return {"": own_names}
    if gaps and not whole:
        return {family: columns for family, columns in gathered.items() if len(columns) >= _fewest(family)}
    return whole


def _fewest(family: str) -> int:
    """Return how many bands a family has at least: u and z alone may be a velocity and a place, w1 and w2 weights."""
    return 3 if family.removeprefix("upper ") in ("*", "w*") else 2


def _is_of_more(name: str, names: Sequence[str]) -> bool:
    """Tell whether a column is an element of an array of more than five: the NSA's bands are F N u g r i z."""
    return name.endswith("]") and f"{name.rpartition('[')[0]}[{len(BANDS)}]" in names


def same_name(names: Sequence[str], wanted: str) -> list[str]:
    """Find a column by name: as it is written, else whatever differs by case or by blanks around it only.

    Parameters
    ----------
    names : sequence of str
    wanted : str
    """
    exact = [name for name in names if name == wanted]
    return exact or [name for name in names if name.strip().lower() == wanted.lower()]


def short_name(column: str) -> str:
    """Return the short name that does for a column on the command line.

    Examples
    --------
    >>> short_name("modelMag_u"), short_name("w1mag")
    ('u', 'w1')
    """
    return column.removeprefix("modelMag_").removesuffix("mag")


def full_names(errors: bool = False) -> Mapping[str, str]:
    """Map what a user may call the zoo's columns, in lower case, to their names; `errors` too, also as ``err_r``."""
    columns = [column for item in INPUTS.values() for column in item.columns]
    names = {key.lower(): error for column, error in ERRORS.items() for key in (error, f"err_{short_name(column)}")}
    return (names if errors else {}) | {
        key.lower(): column for column in columns for key in (column, short_name(column))
    }
