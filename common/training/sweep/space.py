"""Which training options a sweep explores: the text that a user types, as Optuna's distributions."""

from __future__ import annotations

import itertools
import re

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from common.options import OPTIONS, convert
from common.project import ModelFolder, Project
from sdss_gs.errors import OptionError, did_you_mean

NEVER = ("ds", "limit", "resume", "folds")
"""Options that the sweep sets itself."""
ONLY_FIXED = ("inputs", "outputs", "image_scale", "memory_limit", "split", "start")
"""Options that may be given one value: with another the trials would be judged on other objects, or not start."""
STARTUP = 10
"""Trials taken by chance before TPE has learnt enough to lead (Optuna's own default)."""

Space = dict[str, BaseDistribution]


def parse_space(text: str, project: ModelFolder) -> Space:
    """Read a space such as ``learning_rate=1e-4..1e-2:log,batch_size=32|64|128,architecture=reference``.

    Parameters
    ----------
    text : str
    project : ModelFolder
        With the defaults of the entry point ``main``: what a trial may be told.

    Raises
    ------
    OptionError
        Names the option, what was expected and what was found.
    """
    space: Space = {}
    output = project.output if isinstance(project, Project) else None
    # A value may hold commas (inputs=img,bands): only one that a new name follows parts two options.
    for part in re.split(r",(?=\s*\w+\s*=)", text.strip()):
        name, sign, values = (piece.strip() for piece in part.partition("="))
        if not (name and sign and values):
            raise OptionError(f"space: expected option=a|b|c or option=low..high, found {part!r}")
        allowed = [option for option in project.defaults if option not in NEVER]
        if name not in allowed:
            meant = did_you_mean(name, allowed)
            raise OptionError(f"space: {name}: {meant.strip('; ') or 'expected one of ' + ', '.join(allowed)}")
        if name in space:
            raise OptionError(f"space: {name}: expected once, found twice")
        space[name] = _distribution(name, values, output.name if output else "")
    # For classes, `target` is another column.
    only_fixed = (*ONLY_FIXED, "target") if output and output.classes else ONLY_FIXED
    several = [name for name in only_fixed if name in space and not space[name].single()]
    if several:
        raise OptionError(f"space: {several[0]}: expected one value, found several")
    return space


def _distribution(name: str, text: str, output: str) -> BaseDistribution:
    try:
        if ".." not in text or OPTIONS[name].kind is str:
            values = [convert(name, value, output) for value in text.split("|")]
            # A user may repeat a value, Optuna may not.
            return CategoricalDistribution(tuple(dict.fromkeys(values)))
        bounds, _, scale = text.partition(":")
        low, high = (convert(name, value, output) for value in bounds.split("..", 1))
    except OptionError as error:
        raise OptionError(f"space: {error}") from None
    if scale not in ("", "log"):
        raise OptionError(f"space: {name}: expected low..high or low..high:log, found {text!r}")
    if low >= high or (scale and low <= 0):
        raise OptionError(f"space: {name}: expected 0 < low < high for log, else low < high, found {text!r}")
    kind = IntDistribution if OPTIONS[name].kind is int else FloatDistribution
    return kind(low, high, log=bool(scale))


def swept(space: Space) -> list[str]:
    """List the options that have more than one value."""
    return [name for name, distribution in space.items() if not distribution.single()]


def cells_of(space: Space, search: str, trials: int, seed: int) -> list[dict[str, object]]:
    """Plan the trials: the options of each that are known before any has run.

    Every process that takes part in a sweep comes to the same plan.

    Parameters
    ----------
    space : Space
    search : str
        One of `options.SEARCHES`.
    trials, seed : int
        Options of the sweep.

    Returns
    -------
    list of dict
        Of a grid all combinations; of a random search as many as asked for; of a TPE search the first ten, then empty
        ones, which Optuna fills when their turn comes.

    Raises
    ------
    OptionError
        If the number of trials is missing, or given for a grid.
    """
    if search == "grid":
        ranges = [name for name, distribution in space.items() if not isinstance(distribution, CategoricalDistribution)]
        if ranges:
            raise OptionError(f"space: {ranges[0]}: expected a list a|b|c with search=grid, found a range")
        choices = [distribution.choices for distribution in space.values()]
        cells = [dict(zip(space, row, strict=True)) for row in itertools.product(*choices)]
        if trials:
            raise OptionError(f"trials: expected 0 with search=grid (the grid has {len(cells)} cells), found {trials}")
        return cells
    if not trials:
        raise OptionError(f"trials: expected at least 1 with search={search}, found 0")
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed))
    known = trials if search == "random" else min(trials, STARTUP)
    return [study.ask(space).params for _ in range(known)] + [{} for _ in range(trials - known)]
