"""Which measurements a part consists of; each runs in a process of its own, so that a peak of memory is its own."""

from __future__ import annotations

from .settings import ARCHITECTURES, Settings

PACKED = ("img", "fits", "spectra")
"""``ssel`` is cut out of ``spectra``; tables are not packed."""
TABLES, IMAGES = (1000, 10_000, 100_000, 1_000_000), (1000, 10_000, 100_000)
QUICK_TABLES, QUICK_IMAGES = (1000, 10_000), (300, 1200)

ENGINES = ("b2r", "ss2r", "s2r", "f2r", "i2r", "i2v")
PREDICTING = ("b2r", "s2r", "ss2r", "i2r", "f2r")
ROWS = {"1 row, CSV": 1, "20,000 rows, CSV": 20_000, "1,000,000 rows, CSV": 10**6, "1,000,000 rows, Parquet": 10**6}
OBJECTS = 2000
SERVE, TRAIN = "zoo serve", "mlflow run b2r -P epochs=1"
WHATS = (
    "zoo list",
    "zoo info b2r",
    *(f"zoo predict b2r, {rows}" for rows in ROWS),
    *(f"zoo predict {name}, {OBJECTS:,} objects" for name in PREDICTING if name != "b2r"),
    SERVE,
    TRAIN,
)
"""Commands of two builds, see `commands`."""
RUNS = {
    "mlflow run b2r -P epochs=20": ("-P", "epochs=20"),
    "mlflow run b2r -P epochs=20 -P ensemble=5": ("-P", "epochs=20", "-P", "ensemble=5"),
    "mlflow run b2r -e sweep, 8 trials": (
        "-e", "sweep", "-P", "space=batch_size=32|64,learning_rate=5e-4|1e-3|2e-3|4e-3",
    ),
}  # fmt: skip
"""Trainings of two builds, see `runs`, by what they are called."""
RUN_ROWS = 20_000


def tasks_of(part: str, settings: Settings) -> list[dict]:
    """List the arguments of a part's `measure`, one dict per process."""
    if part == "startup":
        return [{}]
    if part == "commands":
        return [{"what": what} for what in WHATS]
    if part == "runs":
        return [{"what": what} for what in RUNS]
    if part == "engines":
        return _engines(settings)
    if part == "growth":
        return _growth(settings)
    names = settings.inputs
    if part == "packing":
        wanted = {"spectra" if name == "ssel" else name for name in names}
        names = tuple(name for name in PACKED if name in wanted)
    if part == "reading":
        # Both kinds of magnitudes come from the same table.
        names = tuple(dict.fromkeys("bands" if name == "wise" else name for name in names))
    return [{"name": name} for name in names]


def _engines(settings: Settings) -> list[dict]:
    names = settings.pick(ENGINES, ENGINES[:1])
    return [{"model": ENGINES[0]}, *({"model": name, "architecture": one} for name in names for one in ARCHITECTURES)]


def _growth(settings: Settings) -> list[dict]:
    chosen = []
    if "bands" in settings.inputs:
        chosen += [{"kind": "tables", "count": count} for count in settings.pick(TABLES, QUICK_TABLES)]
    if "img" in settings.inputs:
        for count in settings.pick(IMAGES, QUICK_IMAGES):
            # Images are trained on right after they are packed, and removed.
            chosen += [{"kind": "packing", "count": count}, {"kind": "images", "count": count}]
    return chosen
