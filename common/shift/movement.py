"""What moved between two surveys, in words, by rules that are statistics of traits, labels and flags."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from common.data.photometry import KINDS
from common.models.model import Model
from common.models.reference import Sample
from common.outputs.kinds import kind_of
from common.shift.compare import LARGE, SMALL, Difference
from common.shift.performance import Performance
from common.shift.photometry import SMALLEST, band_shift, leftovers, noisier_band
from common.shift.survey import Survey
from common.shift.traits import CONCENTRATION, SIZE, short_name
from sdss_gs.schema import PER_EBV, Input
from sdss_gs.tables.columns import DUSTY

BEYOND = 0.05
"""Share of objects beyond nearly all training objects, in one trait, that is named."""
CUT = 0.5
"""A sample ends sharply where its last 5 % take less than half of the room that a normal distribution's would."""
_NORMAL_TAIL = 2.0
"""That room: from the 95th to the 99.95th percentile, in distances of the median from the 95th."""
RESCALED = 0.08
"""log10 of a ratio of apparent sizes, 20 %, that is named."""
LABEL_OFFSET, CERTAIN = 0.25, 3.0
"""Shift of the errors, in their own spread, that is named; and in its standard errors."""
RELATION = 0.03
"""Magnitudes by which bands do not follow one another as they did, that are named."""
LACKING = 0.2
"""More objects than before that lack a magnitude, share."""


@dataclass(frozen=True)
class Movement:
    """Something that moved.

    Parameters
    ----------
    kind : str
        ``brightness``, ``colour``, ``beyond``, ``extinction``, ``zero_point``, ``relation``, ``noise``, ``missing``,
        ``scale``, ``spread_of_sizes``, ``concentration``, ``prediction``, ``labels``.
    what : str
        Which trait, band or output.
    size : float
        How much, in the unit that the sentence names.
    text : str
        A sentence.
    """

    kind: str
    what: str
    size: float
    text: str


def movements(
    model: Model, reference: Sample, survey: Survey, found: Sequence[Difference], judged: Sequence[Performance]
) -> list[Movement]:
    """Name what moved, the causes first.

    Parameters
    ----------
    model : Model
    reference : Sample
    survey : Survey
    found : sequence of Difference
        Of its sample and the reference.
    judged : sequence of Performance
    """
    named = []
    for item in model.inputs:
        rows = [one for one in found if one.input == item.name]
        if item.columns:
            named += _photometry(model, item, reference, survey.sample)
            named += _magnitudes(item, rows)
            named += _missing(item, reference, survey)
        elif len(item.shape) > 1:
            named += _images(rows)
        named += _beyond(item, rows)
    named += [one for own in judged for one in _labels(own)]
    return named


# === Magnitudes ===


def _photometry(model: Model, item: Input, reference: Sample, other: Sample) -> list[Movement]:
    size = len(item.magnitudes)
    ours, theirs = (_complete(one.traits[item.name][:, :size]) for one in (reference, other))
    found = leftovers(ours, theirs)
    if found is None:
        return []
    bands = [short_name(column) for column in item.magnitudes]
    candidates = {band: np.eye(size)[number] for number, band in enumerate(bands)}
    if item.name == DUSTY:
        candidates = {"extinction": np.array(list(PER_EBV.values()))} | candidates
    shift = band_shift(found, candidates)
    named = []
    if shift and shift.name == "extinction":
        towards = (
            "raw, where it learnt from dereddened ones"
            if shift.size > 0
            else "dereddened, where it learnt from raw ones"
        )
        learnt = model.photometry().get(DUSTY, "")
        said = f" (it was told that they are {learnt})" if learnt in KINDS else ""
        text = (
            f"other photometry: all bands are shifted along the Galaxy's extinction by E(B-V) = {shift.size:+.3f} ± "
            f"{shift.error:.3f}, as if magnitudes were {towards}{said}"
        )
        named.append(Movement("extinction", "E(B-V)", shift.size, text))
    elif shift:
        text = f"the zero point of {shift.name} moved by {shift.size:+.3f} ± {shift.error:.3f} mag against the others"
        named.append(Movement("zero_point", shift.name, shift.size, text))
    elif (worst := _unexplained(found)) is not None:
        size, error = float(found.typical[worst]), float(np.sqrt(found.covariance[worst, worst]))
        text = (
            f"{bands[worst]} does not follow from the other bands as it did, by {size:+.3f} ± {error:.3f} mag: other "
            "filters or apertures, or galaxies of other kinds"
        )
        named.append(Movement("relation", bands[worst], size, text))
    if noisy := noisier_band(ours, theirs, found):
        text = f"{bands[noisy[0]]} is noisier: it lies {noisy[1]:.1f} times as widely around what the other bands say"
        named.append(Movement("noise", bands[noisy[0]], noisy[1], text))
    return named


def _unexplained(found) -> int | None:
    """Return the band that follows least from the others, if any does so by enough and more than chance."""
    sigma = np.sqrt(np.diag(found.covariance))
    large = (np.abs(found.typical) >= max(RELATION, SMALLEST)) & (np.abs(found.typical) > 5 * sigma)
    return int(np.argmax(np.where(large, np.abs(found.typical) / sigma, 0))) if large.any() else None


def _complete(values: np.ndarray) -> np.ndarray:
    """Choose objects that have all bands that most objects have; no object where fewer than three are left."""
    return values[np.isfinite(values).all(axis=1)]


def _magnitudes(item: Input, rows: Sequence[Difference]) -> list[Movement]:
    size = len(item.magnitudes)
    bands, colours = rows[:size], rows[size:]
    middle = min(2, size - 1)
    shifts = np.array([one.other - one.reference for one in bands])
    named = []
    moved = [one for one in bands if one.moved and abs(one.effect) >= SMALL]
    if len(moved) == size and (np.sign(shifts) == np.sign(shifts[0])).all():
        word = "fainter" if shifts[0] > 0 else "brighter"
        text = (
            f"objects are {word}: {bands[middle].name} by {abs(shifts[middle]):.2f} mag (median), all bands by "
            f"{np.abs(shifts).min():.2f} to {np.abs(shifts).max():.2f}"
        )
        named.append(Movement("brightness", bands[middle].name, float(shifts[middle]), text))
    elif moved:
        listed = ", ".join(f"{one.name} {one.other - one.reference:+.2f}" for one in moved)
        named.append(Movement("brightness", moved[0].name, moved[0].other - moved[0].reference,
                              f"some magnitudes moved (medians, mag): {listed}"))  # fmt: skip
    redder = [one for one in colours if one.moved and abs(one.effect) >= SMALL]
    if redder:
        changes = {one: one.other - one.reference for one in redder}
        signs = {np.sign(value) for value in changes.values()}
        word = "other colours" if len(signs) > 1 else "redder" if 1 in signs else "bluer"
        listed = ", ".join(f"{one.name} {value:+.2f}" for one, value in changes.items())
        most = max(changes, key=lambda one: abs(one.effect))
        text = f"objects have {word}: {listed} mag" if len(signs) > 1 else f"objects are {word}: {listed} mag (medians)"
        named.append(Movement("colour", most.name, changes[most], text))
    return named


def _missing(item: Input, reference: Sample, survey: Survey) -> list[Movement]:
    named, size = [], len(item.magnitudes)
    before = np.isnan(reference.traits[item.name][:, :size]).mean(axis=0)
    for column, usual in zip(item.magnitudes, before, strict=True):
        share, band = survey.missing[column], short_name(column)
        if share - usual >= LACKING:
            text = f"{band} is missing for {share:.0%} of the objects, {usual:.0%} of the reference"
            named.append(Movement("missing", band, share, text))
    return named


# === Images, and all ===


def _images(rows: Sequence[Difference]) -> list[Movement]:
    named, size = [], next(one for one in rows if one.name == SIZE)
    ratio = size.other - size.reference
    if size.moved and abs(size.effect) >= SMALL and abs(ratio) >= RESCALED:
        word = "larger" if ratio > 0 else "smaller"
        text = (
            f"image scale or size: objects appear {10 ** abs(ratio):.2f} times "
            f"{'as large' if ratio > 0 else 'smaller'} in the frame (half of the light within {10**size.other:.2f} of "
            f"half the frame, {10**size.reference:.2f} in the reference): other arcsec per pixel, or {word} objects"
        )
        named.append(Movement("scale", SIZE, 10**ratio, text))
    concentrations = [one for one in rows if one.name.startswith(CONCENTRATION)]
    effects = np.array([one.effect for one in concentrations])
    if (
        all(one.moved for one in concentrations)
        and (np.abs(effects) >= LARGE).all()
        and abs(np.sign(effects).sum()) == len(effects)
    ):
        word = "more" if effects[0] > 0 else "less"
        text = f"light is {word} concentrated in the middle of the frame, in all channels"
        named.append(Movement("concentration", CONCENTRATION, float(effects.mean()), text))
    return named


def _beyond(item: Input, rows: Sequence[Difference]) -> list[Movement]:
    """Name the trait in which most objects lie beyond nearly all training objects."""
    ends = [(one.beyond_low, one, "below", one.limit_low) for one in rows]
    ends += [(one.beyond_high, one, "above", one.limit_high) for one in rows]
    share, one, side, limit = max(ends, key=lambda end: end[0])
    if share < BEYOND:
        return []
    word = side
    if item.columns and "−" not in one.name:
        word = "fainter than" if side == "above" else "brighter than"
        where = f"{share:.0%} of the objects are {word} nearly all training objects in {one.name} ({limit:.2f} mag)"
    else:
        where = f"{share:.0%} of the objects lie {word} nearly all training objects in {one.name} ({limit:.3g})"
    return [Movement("beyond", one.name, share, where)]


def _labels(judged: Performance) -> list[Movement]:
    """Say whether true values mean something else than the model learnt."""
    kind, name = kind_of(judged.output), judged.output.name
    if "measured" not in judged.offsets:
        return []
    measured = judged.offsets["measured"]
    usual = judged.offsets.get("expected", judged.offsets["reference"])
    shift, error = measured.value - usual.value, float(np.hypot(measured.error, usual.error))
    if abs(shift) < max(LABEL_OFFSET * judged.spread, CERTAIN * error):
        return []
    word = "above" if shift > 0 else "below"
    text = (
        f"labels are offset: predicted {name} lies {abs(shift):.3g}{kind.width_unit} {word} the true values (median of "
        f"{judged.labels:,}, ± {error:.2g}) beyond what these traits let expect: the relation of traits and {name} "
        "moved, or the true values are defined otherwise"
    )
    return [Movement("labels", name, shift, text)]
