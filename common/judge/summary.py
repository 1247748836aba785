"""Everything a run has to say about itself, gathered once for its report, its card and its record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sdss_gs.schema import Input, Output

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Summary:
    """The outcome of one training run or evaluation.

    Parameters
    ----------
    model : str
        Name of the model, for example ``i2r``.
    inputs, outputs : tuple of Input, of Output
    run_id, created : str
        MLflow run and date (ISO 8601, UTC).
    shapes : dict of str to tuple of int
        Shape of one object, by input.
    architecture : list of str
        One line per layer: name, type, output shape, parameters.
    parameters : int
        Weights, the statistics of `Normalization` included.
    options : dict of str to object
        Options the run really had.
    data : dict of str to object
        ``name``, ``synthetic`` (whether it was generated), ``made`` (how, see `sdss_gs.locate.how_made`), ``unlearnt``
        (by output, classes without a training object), ``photometry`` (kind of the magnitudes, by input),
        ``fingerprint``, ``description`` (text, lines), ``objects`` (part to number).
    scores : dict of str to dict of str to dict of str to float
        By output, metrics by row: the model first (where inputs may be missing, what it was shown), then the baselines.
    intervals : dict of str to dict of str to dict of str to tuple of float
        95 % bootstrap interval (low, high) of each metric, by output and row.
    bins, published : dict of str to dict of str to list of dict
        By output and quantity, scores in bins of the model beside boosting, and beside what others published; see
        `judge.bins.in_bins`.
    selection : dict of str to dict of str to dict
        By quantity and part, what the training and the test objects are like; see `judge.selection.described`.
    coverage : dict of str to dict of str to list of dict of str to float
        By output and row, for each level, how often intervals or class sets held the truth, and how large they are; see
        `calibration.coverage`.
    coverage_bins : dict of str to dict of str to list of dict
        By number and quantity, how often intervals held the truth in bins; see `reliability.coverage_in_bins`.
    flags : dict of str to dict
        By output, how well flags find wrong predictions; see `judge.reliability.reliability`.
    novelty : dict of str to dict of str to float
        By input, see `judge.reliability.novelty_summary`.
    warnings : list of str
        For example a collapse to one value.
    figures : dict of str to Figure
        Pictures by name.
    versions : dict of str to str
        Software, by package.
    light : str
        How far the network's light form is from Keras, or why there is none; empty where none was asked for.
    adapted : dict
        See `Model.adapted`.
    """

    model: str
    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]
    run_id: str
    created: str
    shapes: dict[str, tuple[int, ...]]
    architecture: list[str]
    parameters: int
    options: dict[str, object]
    data: dict[str, object]
    scores: dict[str, dict[str, dict[str, float]]]
    intervals: dict[str, dict[str, dict[str, tuple[float, float]]]]
    bins: dict[str, dict[str, list[dict]]] = field(default_factory=dict)
    published: dict[str, dict[str, list[dict]]] = field(default_factory=dict)
    selection: dict[str, dict[str, dict]] = field(default_factory=dict)
    coverage: dict[str, dict[str, list[dict[str, float]]]] = field(default_factory=dict)
    coverage_bins: dict[str, dict[str, list[dict]]] = field(default_factory=dict)
    flags: dict[str, dict] = field(default_factory=dict)
    novelty: dict[str, dict[str, float]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    figures: dict[str, Figure] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    light: str = ""
    adapted: Mapping[str, object] = field(default_factory=dict)
