"""The Galaxy Zoo 2 class of a galaxy, from the debiased shares of votes in SkyServer's ``zoo2MainSpecz``."""

from __future__ import annotations

from collections.abc import Mapping

from ..sample.labels import simplify

ANSWERS = {
    "t01_smooth_or_features": {"a01_smooth": "E", "a02_features_or_disk": "S", "a03_star_or_artifact": "A"},
    "t02_edgeon": {"a04_yes": "e", "a05_no": ""},
    "t03_bar": {"a06_bar": "B", "a07_no_bar": ""},
    "t04_spiral": {"a08_spiral": "arms", "a09_no_spiral": ""},
    "t05_bulge_prominence": {"a10_no_bulge": "d", "a11_just_noticeable": "c", "a12_obvious": "b", "a13_dominant": "a"},
    "t06_odd": {"a14_yes": "odd", "a15_no": ""},
    "t07_rounded": {"a16_completely_round": "r", "a17_in_between": "i", "a18_cigar_shaped": "c"},
    "t08_odd_feature": {
        "a19_ring": "r", "a20_lens_or_arc": "l", "a21_disturbed": "d", "a22_irregular": "i", "a23_other": "o",
        "a24_merger": "m", "a38_dust_lane": "u",
    },
    "t09_bulge_shape": {"a25_rounded": "r", "a26_boxy": "b", "a27_no_bulge": "n"},
    "t10_arms_winding": {"a28_tight": "t", "a29_medium": "m", "a30_loose": "l"},
    "t11_arms_number": {
        "a31_1": "1", "a32_2": "2", "a33_3": "3", "a34_4": "4", "a36_more_than_4": "+", "a37_cant_tell": "?",
    },
}  # fmt: skip
"""The questions, with what each answer adds to the class."""
COLUMNS = tuple(f"{task}_{answer}_debiased" for task, answers in ANSWERS.items() for answer in answers)
"""The 37 columns of ``zoo2MainSpecz`` that `classify` needs."""


def classify(shares: Mapping[str, float]) -> tuple[str, str]:
    """Follow the answers that most volunteers gave (Willett et al. 2013, MNRAS 435, 2835, section 4 and appendix A).

    A bar or a spiral needs more votes than their absence; edge-on and odd need as many.

    Parameters
    ----------
    shares : mapping of str to float
        Debiased share by column of `COLUMNS`.

    Returns
    -------
    tuple of str
        Full class, such as ``"SBc2m(r)"``, and the simplified one, ``"SBcR"``.
    """

    def most(task: str) -> str:
        # Of equals max() takes the first, which is "yes" where a question has that.
        answer = max(ANSWERS[task], key=lambda answer: shares[f"{task}_{answer}_debiased"])
        return ANSWERS[task][answer]

    def mostly(task: str, yes: str, no: str) -> bool:
        return shares[f"{task}_{yes}_debiased"] > shares[f"{task}_{no}_debiased"]

    kind = most("t01_smooth_or_features")
    if kind == "A":
        return "A", "A"
    if kind == "E":
        full = "E" + most("t07_rounded")
    elif most("t02_edgeon"):
        full = "Se" + most("t09_bulge_shape")
    else:
        bar = "B" if mostly("t03_bar", "a06_bar", "a07_no_bar") else ""
        full = "S" + bar + most("t05_bulge_prominence")
        if mostly("t04_spiral", "a08_spiral", "a09_no_spiral"):
            full += most("t11_arms_number") + most("t10_arms_winding")
    if most("t06_odd"):
        full += f"({most('t08_odd_feature')})"
    return full, simplify(full)
