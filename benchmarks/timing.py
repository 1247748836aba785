"""Competing ways measured in turn: a shared machine drifts, so only what ran side by side is compared."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

Rates = dict[str, list[float]]


def in_turn(
    ways: dict[str, Callable[[], int]],
    rounds: int,
    warm_up: bool = True,
    before: Callable[[str], None] | None = None,
) -> Rates:
    """Run every way once per round and note its rate.

    Parameters
    ----------
    ways : dict of str to callable
        Each does its work and returns how many objects it worked on.
    rounds : int
    warm_up : bool
        Add a round at the beginning that does not count: it compiles, and fills the page cache for all ways alike.
    before : callable, optional
        Called before each way with its name, untimed.

    Returns
    -------
    dict of str to list of float
        Objects per second, by way and round.
    """
    rates: Rates = {way: [] for way in ways}
    for number in range(-warm_up, rounds):
        for way, work in ways.items():
            if before is not None:
                before(way)
            began = time.perf_counter()
            count = work()
            if number >= 0:
                rates[way].append(count / (time.perf_counter() - began))
    return rates


def rate(rates: Rates, way: str) -> float:
    """Return the median rate of a way, objects/s."""
    return statistics.median(rates[way])


def ratio(rates: Rates, way: str, other: str) -> float:
    """Return how much faster a way is than another: the median of the ratios of each round."""
    return statistics.median(one / two for one, two in zip(rates[way], rates[other], strict=True))


def seconds(work: Callable[[], object], repeats: int = 1) -> float:
    """Return the median time of some calls, s."""
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return statistics.median(times)
