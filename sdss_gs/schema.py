"""What the zoo's inputs and outputs are: the only home of shapes, units, class lists, windows and valid ranges.

A model is named by what goes in and what comes out: ``i2r`` is image (code ``i``) to redshift (code ``r``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sdss_gs.decision_tree import KAGGLE, TREES
from sdss_gs.errors import OptionError

VERSION = 1
"""Version of the packed layout; a set packed under another version is packed again."""

CATALOGUE_FILE, VOTES_FILE = "data.csv", "votes.csv"
SAMPLE_FILE = "sample.json"
"""Says of a generated data set how it was made."""

# === Spectral grid ===

GRID_STEP = 1e-4
"""Of the log10 of SDSS's wavelengths in angstrom."""
GRID_FIRST, GRID_LAST = 36021, 39542
WAVELENGTH = 10.0 ** (np.arange(GRID_FIRST, GRID_LAST + 1) * GRID_STEP)
"""Vacuum wavelengths of ``spectra``, angstrom, float64 ``(3522,)``: SDSS's log10 grid between 4000 and 9000 Å."""

WAVELENGTH_RANGE = (4000.0, 9000.0)

SSEL_WINDOWS = (
    (4000, 4200), (4452, 4474), (4514, 4559), (4634, 4720), (4800, 5134), (5154, 5196), (5245, 5285), (5312, 5352),
    (5387, 5415), (5696, 5720), (5776, 5796), (5876, 5909), (5936, 5994), (6189, 6272), (6500, 6800), (7000, 7300),
    (7500, 7700),
)  # fmt: skip
"""Closed intervals in observed-frame angstrom, after Sánchez Almeida et al. 2010 (arXiv:1003.3186)."""


def in_windows(wavelength: np.ndarray) -> np.ndarray:
    """Tell which wavelengths lie in one of the 17 windows of ``ssel``.

    Parameters
    ----------
    wavelength : ndarray of float64, shape (n,)
        Angstrom. Two decimals suffice; with one, the grid point 5415.02 Å would slip in.

    Returns
    -------
    ndarray of bool, shape (n,)

    Examples
    --------
    >>> in_windows(np.array([3999.0, 4000.0, 4201.0])).tolist()
    [False, True, False]
    """
    low, high = np.array(SSEL_WINDOWS, float).T
    return ((wavelength[:, None] >= low) & (wavelength[:, None] <= high)).any(axis=1)


SSEL_INDEX = np.flatnonzero(in_windows(WAVELENGTH))
"""Positions of the 1423 ``ssel`` points on the 3522-point grid, int64."""

SPECTRUM_COLUMNS = ("BestFit", "Flux")
"""Columns of a spectrum table that are packed, in this order; 1e-17 erg/s/cm²/Å."""

# === Images ===

PIXEL_SCALE = 0.2
"""Scale of ``img``, arcsec per pixel."""
CUTOUT_SCALE = 0.396
"""Scale of ``fits``, arcsec per pixel."""
BANDS = ("u", "g", "r", "i", "z")

# === Classes ===

SUBCLASSES = ("AGN", "BROADLINE", "STARBURST", "STARFORMING")
GZ2_CLASSES = (
    "A", "Ec", "Ei", "Er", "SBa", "SBaR", "SBb", "SBbR", "SBc", "SBcR", "SBd", "SBdR",
    "Sa", "SaR", "Sb", "SbR", "Sc", "ScR", "Sd", "SdR", "Seb", "Sen", "Ser",
)  # fmt: skip
SPECTRAL_CLASSES = ("STAR", "GALAXY", "QSO")
MORPHOLOGIES = (
    "Disturbed", "Merging", "Round_Smooth", "In-between_Round_Smooth", "Cigar_Shaped_Smooth", "Barred_Spiral",
    "Unbarred_Tight_Spiral", "Unbarred_Loose_Spiral", "Edge-on_without_Bulge", "Edge-on_with_Bulge",
)  # fmt: skip
"""The classes of Galaxy10 DECaLS in the order of its label numbers."""

# === Catalogue values ===


@dataclass(frozen=True)
class Quantity:
    """A number in ``data.csv``: what counts as missing and what as impossible.

    Parameters
    ----------
    column : str
    low, high : float
        A finite value outside the open interval (low, high) is *impossible*: treated as missing and reported as wrong.
    sentinels : tuple of float
        Values by which surveys write "not measured": treated as missing, counted, not wrong.
    unit : str
    """

    column: str
    low: float
    high: float
    sentinels: tuple[float, ...]
    unit: str


ERRORS = {f"modelMag_{band}": f"modelMagErr_{band}" for band in BANDS} | {f"w{n}mag": f"w{n}sigm" for n in (1, 2, 3, 4)}
"""Columns of the errors (one standard deviation) of magnitudes, by the column of these."""
PER_EBV = dict(zip(BANDS, (4.239, 3.303, 2.285, 1.698, 1.263), strict=True))
"""Extinction by the Galaxy's dust in each band, magnitudes per magnitude of E(B-V) in the map of Schlegel, Finkbeiner &
Davis 1998 (ApJ 500, 525): Schlafly & Finkbeiner 2011 (ApJ 737, 103), Table 6, R_V = 3.1."""
EXTINCTION = {f"modelMag_{band}": f"extinction_{band}" for band in BANDS}
"""Columns of that extinction in magnitudes, by the column of these."""
DEREDDENED = "dereddened"
"""Column that says of magnitudes whether they are corrected for it, 1 or 0; and the kind of those that are."""
_SENTINELS = (-9999.0, -999.0, -99.99, -99.9, -99.0, 99.0, 99.9, 99.99, 999.0, 9999.0)
# 0 is no sentinel of its own where it lies outside (low, high): it must be listed to count as missing, not as wrong.
QUANTITIES = {
    quantity.column: quantity
    for quantity in (
        *(Quantity(f"modelMag_{band}", 5.0, 30.0, (*_SENTINELS, 0.0), "mag") for band in BANDS),
        *(Quantity(f"w{n}mag", -5.0, 25.0, (*_SENTINELS, 0.0), "mag (Vega)") for n in (1, 2, 3, 4)),
        *(Quantity(name, 1e-6, 50.0, (*_SENTINELS, 0.0), "mag") for name in ERRORS.values()),
        *(Quantity(name, -0.05, 90.0, _SENTINELS, "mag") for name in EXTINCTION.values()),
        Quantity(DEREDDENED, -0.5, 1.5, (), ""),
        Quantity("redshift", -0.01, 8.0, (*_SENTINELS, 0.0), ""),
        Quantity("stellarmass", 1e4, 1e14, (*_SENTINELS, 0.0, -1.0), "Msun"),
    )
}
"""Numbers by column. A redshift of exactly 0 is a failed fit; a mass below 1e4 Msun is log10 written as linear."""
OPTIONAL = (*ERRORS.values(), *EXTINCTION.values(), DEREDDENED)
"""Columns that say more of magnitudes, where a table has them."""

# === Inputs and outputs ===


@dataclass(frozen=True)
class Input:
    """One of the things a model can look at.

    Parameters
    ----------
    name, code : str
        ``img`` and ``i``: the code begins a model's name.
    shape : tuple of int
        Standard shape of one object; axes are named in `description`.
    dtype : str
        Dtype in the packed array.
    unit, description, source : str
    columns : tuple of str
        Columns of ``data.csv`` for a table input; empty for an input with one file per object.
    suffix : str
        File-name ending of a file input; the folder has the input's name.
    errors : int
        How many of the columns, those behind the magnitudes, are the errors of these; each may be missing.
    gaps : bool
        Whether single magnitudes may be missing: NaN in an array.
    told_apart : bool
        Whether a last column, `DEREDDENED`, says of which kind the magnitudes are; NaN says what 0 does.
    """

    name: str
    code: str
    shape: tuple[int, ...]
    dtype: str
    unit: str
    description: str
    source: str
    columns: tuple[str, ...] = ()
    suffix: str = ""
    errors: int = 0
    gaps: bool = False
    told_apart: bool = False

    @property
    def magnitudes(self) -> tuple[str, ...]:
        """Columns that are no errors of others, and say nothing of them."""
        return self.columns[: len(self.columns) - self.errors - self.told_apart]


KINDS = ("classes", "redshift", "mass", "number", "votes")
"""Class probabilities; a redshift, which errs as 1 + z; a mass, which errs in dex; any other number; votes."""


@dataclass(frozen=True)
class Output:
    """One of the things a model can predict.

    Parameters
    ----------
    name, code : str
        ``redshift`` and ``r``: the code ends a model's name.
    column : str
        Column of ``data.csv`` that holds the truth.
    unit, description, source : str
    classes : tuple of str
        Labels in one-hot order; empty for a number.
    kind : str
        How truths and predictions are coded, scored and drawn: one of `KINDS`.
    centre, spread : float
        For a user's own number, its mean and standard deviation over the training objects: the network works in
        standard units, its head undoes that.
    tree : str
        For votes, whose questions are answered: a name in `decision_tree.TREES`.
    grid : tuple of float
        For a number that is predicted as a distribution, the borders of its bins, ascending, in the scale in which the
        network learns it: z, log10 of the mass in Msun, or the number's own unit; empty where one value is predicted.
    components : int
        Of a distribution that the network gives as a mixture of so many normal distributions; 0: a share per bin.
    """

    name: str
    code: str
    column: str
    unit: str
    description: str
    source: str
    classes: tuple[str, ...] = ()
    kind: str = "classes"
    centre: float = 0.0
    spread: float = 1.0
    tree: str = ""
    grid: tuple[float, ...] = ()
    components: int = 0

    @property
    def size(self) -> int:
        """Number of values that a network gives for one object."""
        if self.components:
            return 3 * self.components
        return max(1, len(self.classes), len(self.answers), len(self.grid) - 1)

    @property
    def answers(self) -> tuple[str, ...]:
        """Columns of the votes that a network gives, in order; empty for other kinds."""
        return TREES[self.tree].columns if self.tree else ()


INPUTS = {
    item.name: item
    for item in (
        Input(
            "img", "i", (150, 150, 3), "uint8", "",
            "colour JPEG, 30\" field at 0.2\"/pixel; axes y, x, RGB (made from i, r, g)",
            "SkyServer getjpeg", suffix=".jpg",
        ),
        Input(
            "fits", "f", (61, 61, 5), "float32", "nanomaggy",
            "cut-out of the calibrated, sky-subtracted frames, 24\" at 0.396\"/pixel; axes y, x, band (u g r i z)",
            "SDSS DR17 imaging frames", suffix=".npy",
        ),
        Input(
            "spectra", "s", (3522,), "float32", "1e-17 erg/s/cm²/Å",
            "best-fit model spectrum of the pipeline on the 1e-4 dex vacuum grid, 4000–9000 Å, observed frame",
            "SDSS/BOSS spectroscopic pipeline", suffix=".csv",
        ),
        Input(
            "ssel", "ss", (1423,), "float32", "1e-17 erg/s/cm²/Å",
            "the points of `spectra` inside 17 windows (arXiv:1003.3186)",
            "SDSS/BOSS spectroscopic pipeline", suffix=".csv",
        ),
        Input(
            "bands", "b", (5,), "float32", "mag",
            "asinh model magnitudes u g r i z, not corrected for extinction",
            "SDSS SpecPhoto", columns=tuple(f"modelMag_{band}" for band in BANDS),
        ),
        Input(
            "wise", "w", (4,), "float32", "mag (Vega)",
            "aperture magnitudes W1–W4 (3.4, 4.6, 12, 22 µm); a non-detection is a 95 % upper limit",
            "WISE all-sky catalogue", columns=("w1mag", "w2mag", "w3mag", "w4mag"),
        ),
    )
}  # fmt: skip

OUTPUTS = {
    item.name: item
    for item in (
        Output("redshift", "r", "redshift", "", "spectroscopic redshift z", "SDSS SpecPhoto", kind="redshift"),
        Output(
            "smass", "sm", "stellarmass", "Msun", "stellar mass, linear in the catalogue", "eBOSS Firefly", kind="mass"
        ),
        Output("subclass", "s", "subclass", "", "spectroscopic sub-class", "SDSS spectroscopic pipeline", SUBCLASSES),
        Output(
            "gz2c", "g", "gz2c_s", "", "simplified Galaxy Zoo 2 class", "Willett et al. 2013 (MNRAS 435, 2835)",
            GZ2_CLASSES,
        ),
        Output(
            "class3", "c", "class", "", "star, galaxy or quasar", "SDSS spectroscopic pipeline", SPECTRAL_CLASSES
        ),
        Output(
            "morph10", "m", "morph10", "", "ten morphologies of Galaxy10 DECaLS",
            "Walmsley et al. 2022 (MNRAS 509, 3966); Leung & Bovy 2019 (MNRAS 483, 3255)", MORPHOLOGIES,
        ),
        Output(
            "votes", "v", TREES[KAGGLE].columns[0], "", "shares of the volunteers' 37 answers in Galaxy Zoo 2",
            "Willett et al. 2013 (MNRAS 435, 2835)", kind="votes", tree=KAGGLE,
        ),
    )
}  # fmt: skip


OWN_LABEL = "-"
"""Stands in a model's name between the folder that trained it and the user's own label that it predicts."""


def parse_model_name(name: str) -> tuple[Input, Output]:
    """Split a model's name into its input and output.

    Parameters
    ----------
    name : str
        For example ``"ss2sm"``; what follows a hyphen (``"i2c-shape"``) is the user's own label.

    Raises
    ------
    OptionError
        If the name is not ``<input code>2<output code>``.

    Examples
    --------
    >>> [item.name for item in parse_model_name("ss2sm")]
    ['ssel', 'smass']
    """
    inputs = {item.code: item for item in INPUTS.values()}
    outputs = {item.code: item for item in OUTPUTS.values()}
    left, _, right = name.partition(OWN_LABEL)[0].partition("2")
    if left not in inputs or right not in outputs:
        raise OptionError(
            f"model {name!r}: expected <input>2<output> with input one of {', '.join(inputs)} "
            f"and output one of {', '.join(outputs)}"
        )
    return inputs[left], outputs[right]
