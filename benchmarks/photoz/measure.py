"""One row of the tables, in a process of its own: see `benchmarks.apart`."""

from __future__ import annotations

import pickle
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ..memory import own_peak
from ..settings import Settings
from .answers import Fitted, Predictor, in_bins, pit_counts, scores
from .galaxies import Galaxies, noisy, parts, read
from .rail import rail_rivals
from .rivals import RIVALS
from .summary import HEADS

HIDDEN = ("", "u", "g", "r", "i", "z", "uz", "ugz")
"""Bands that are hidden, one set after the other."""
SIGNALS = (5, 10, 30)
TRAINED_AT = (3, 100)
"""Lowest and highest signal-to-noise ratio of the galaxies that are learnt from where errors matter."""
LEAST_CPU_S, QUICK_CPU_S = 1.0, 0.05
"""So long predictions are repeated to time them; in a quick run."""
BATCH, QUICK_BATCH = 20_000, 1000
"""Galaxies at a time at most where the speed is measured."""


def measure(settings: Settings, name: str, seed: int, kind: str) -> list[dict]:
    """Fit a tool, and measure it.

    Parameters
    ----------
    settings : Settings
        With the data set as ``source``.
    name : str
        Of a rival, or a head of the zoo's model.
    seed : int
    kind : str
        ``zoo`` or ``rival``; ``errors``: the zoo's model with errors as input, ``no errors``: without.
    """
    work = Path(settings.work) / f"{kind}-{name}-{seed}".replace(" ", "-").replace(",", "")
    work.mkdir()
    galaxies = read(Path(settings.source), work)
    if kind in ("errors", "no errors"):
        return [_at_signals(settings, galaxies, seed, kind, work)]
    divided = parts(galaxies)
    test = divided["test"]
    if kind == "zoo":
        from . import ours

        fitted, gaps = ours.fit(galaxies, HEADS[name] | {"seed": seed}, work, settings.quick), True
    else:
        rival = (RIVALS | rail_rivals())[name]
        fitted, gaps = fit_rival(rival.fit, divided, seed), rival.gaps
    answer = fitted.predict(test)
    row = {"kind": kind, "name": name, "seed": seed, "scores": scores(answer, test.redshift)}
    row |= {"cpu_s": fitted.cpu_s, "peak_mb": fitted.peak_mb, "size_mb": fitted.size / 1e6}
    row |= {"per_cpu_s": _rate(fitted.predict, test, settings), "pit": pit_counts(answer, test.redshift)}
    row["bins"] = in_bins(answer, test)
    if gaps:
        row["hidden"] = {bands: _scores_without(fitted.predict, test, bands) for bands in HIDDEN}
    return [row]


def fit_rival(fit, divided: Mapping[str, Galaxies], seed: int) -> Fitted:
    """Fit a rival to the training galaxies; its size is that of its pickle."""
    began = time.process_time()
    predict = fit(divided["train"], divided["validation"], seed)
    cpu, peak = time.process_time() - began, own_peak()
    return Fitted(predict, cpu, peak, len(pickle.dumps(predict)))


def _scores_without(predict: Predictor, test: Galaxies, bands: str) -> dict[str, float]:
    return scores(predict(test.without(bands)), test.redshift)


def _rate(predict: Predictor, galaxies: Galaxies, settings: Settings) -> float:
    """Return how many galaxies are predicted in a second of processor time, with what a user gets of each."""
    least, batch = settings.pick(LEAST_CPU_S, QUICK_CPU_S), settings.pick(BATCH, QUICK_BATCH)
    if len(galaxies) < batch:
        began = time.process_time()
        predict(galaxies)
        spent = time.process_time() - began
        if spent > least:
            return len(galaxies) / spent
        galaxies = galaxies.chosen(np.resize(np.arange(len(galaxies)), batch))
    rates, spent = [], 0.0
    while spent < least:
        began = time.process_time()
        predict(galaxies)
        once = time.process_time() - began
        rates.append(len(galaxies) / once)
        spent += once
    return float(np.median(rates))


def _at_signals(settings: Settings, galaxies: Galaxies, seed: int, kind: str, work: Path) -> dict:
    """Train on galaxies with noise and their errors; measure those of the test part at each of `SIGNALS`."""
    from . import ours

    options = {"errors": "auto" if kind == "errors" else "no", "seed": seed}
    fitted = ours.fit(noisy(galaxies, TRAINED_AT, seed), options, work, settings.quick)
    test, found = parts(galaxies)["test"], {}
    for signal in SIGNALS:
        seen = noisy(test, (signal, signal), seed + 1)
        found[str(signal)] = scores(fitted.predict(seen), test.redshift)
    return {"kind": kind, "name": "binned", "seed": seed, "signals": found}
