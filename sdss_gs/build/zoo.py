"""The Galaxy Zoo 2 class of a galaxy, from the debiased shares of votes in SkyServer's ``zoo2MainSpecz``."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from sdss_gs.decision_tree import KAGGLE, TREES
from sdss_gs.gz2_class import gz2_classes, simplify

_ANSWERS = {
    "t01_smooth_or_features": ("a01_smooth", "a02_features_or_disk", "a03_star_or_artifact"),
    "t02_edgeon": ("a04_yes", "a05_no"),
    "t03_bar": ("a06_bar", "a07_no_bar"),
    "t04_spiral": ("a08_spiral", "a09_no_spiral"),
    "t05_bulge_prominence": ("a10_no_bulge", "a11_just_noticeable", "a12_obvious", "a13_dominant"),
    "t06_odd": ("a14_yes", "a15_no"),
    "t07_rounded": ("a16_completely_round", "a17_in_between", "a18_cigar_shaped"),
    "t08_odd_feature": (
        "a19_ring", "a20_lens_or_arc", "a21_disturbed", "a22_irregular", "a23_other", "a24_merger", "a38_dust_lane",
    ),
    "t09_bulge_shape": ("a25_rounded", "a26_boxy", "a27_no_bulge"),
    "t10_arms_winding": ("a28_tight", "a29_medium", "a30_loose"),
    "t11_arms_number": ("a31_1", "a32_2", "a33_3", "a34_4", "a36_more_than_4", "a37_cant_tell"),
}  # fmt: skip
"""SkyServer's names of the questions and answers, in the order of the decision tree."""
COLUMNS = tuple(f"{task}_{answer}_debiased" for task, answers in _ANSWERS.items() for answer in answers)
"""The 37 columns of ``zoo2MainSpecz`` that `classify` needs."""


def classify(shares: Mapping[str, float]) -> tuple[str, str]:
    """Sum the answers up, see `decision_tree.gz2_classes`.

    Parameters
    ----------
    shares : mapping of str to float
        Debiased share, among those who were asked, by column of `COLUMNS`.

    Returns
    -------
    tuple of str
        Full class, such as ``"SBc2m(r)"``, and the simplified one, ``"SBcR"``.
    """
    weighted = TREES[KAGGLE].weighted(np.array([[shares[column] for column in COLUMNS]]))
    (full,) = gz2_classes(weighted)
    return full, simplify(full)
