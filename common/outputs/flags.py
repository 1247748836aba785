"""What is to be known about a prediction before it is used."""

import enum


class Flag(enum.IntFlag):
    """The bits of the column ``flag``; 0 is a prediction without reservation."""

    MISSING = 1
    BAD_INPUT = 2
    RESAMPLED = 4
    OUTSIDE_TRAINING = 8
    UNSURE = 16
    DISAGREEMENT = 32
    CROPPED = 64
    OTHER_MAGNITUDE = 128
    IMPOSSIBLE = 256
    MISSING_BAND = 512


NO_PREDICTION = Flag.MISSING | Flag.BAD_INPUT
MEANING = {
    Flag.MISSING: "the input is missing (no file, or a magnitude that was not measured): no prediction",
    Flag.BAD_INPUT: "the input is unreadable or impossible (damaged file, NaN pixels, magnitude of 70): no prediction",
    Flag.RESAMPLED: "the image had another scale, which was stated, and was resampled",
    Flag.OUTSIDE_TRAINING: "more unlike the training objects than 99 % of the validation objects are: it extrapolates",
    Flag.UNSURE: "the interval is over twice as wide, or the best class less than half as probable, as is usual",
    Flag.DISAGREEMENT: "a model that disagreed with the others by over four of its standard errors was left out",
    Flag.CROPPED: "the image showed more than the field and was cut, or less and its edge was repeated",
    Flag.OTHER_MAGNITUDE: "the magnitudes are of another kind (dereddened, PSF) than those that the model learnt from",
    Flag.IMPOSSIBLE: "the prediction is outside what the quantity can be (a redshift of -0.1): it is no answer",
    Flag.MISSING_BAND: "a magnitude is missing or impossible: the answer is from the others",
}


def words(flag: int) -> list[str]:
    """Say what a flag means, a line per bit.

    Examples
    --------
    >>> [meaning.split(" (")[0] for meaning in words(Flag.MISSING | Flag.RESAMPLED)]
    ['the input is missing', 'the image had another scale, which was stated, and was resampled']
    """
    return [meaning for bit, meaning in MEANING.items() if flag & bit]
