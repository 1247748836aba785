"""What the zoo promises of its speed, beside what was measured."""

from __future__ import annotations

from .tasks import ENGINES

EPOCH = {"bands": 200, "wise": 200, "ssel": 40, "fits": 3.5, "spectra": 4, "img": 3}
PROGRAM = {"bands": (8, 700), "wise": (8, 700), "ssel": (2.5, 40)}
"""Epochs as programs: how many times Keras' own loop, and the naive one."""
PROGRAM_FAST = 3
"""Times Keras' own loop, b2r's fast network."""
PACKING = {"spectra": 4, "img": 1.9, "fits": 1.5}
PACKING_SAVED = {"img": 1.9}
"""Times a naive loop that saves what it reads."""
FEEDING_COST = 1.03
FLAT = 1.25
"""How much may change from the smallest to the largest size in what is called flat: noise, and a fixed start."""
MEMORY_GROWTH, SAME_RATE = 1.3, 1.1
MEMORY_MB = 2000
GROWTH = (
    ("tables", "step_us", "time per step, b2r"),
    ("images", "step_us", "time per step, i2r"),
    ("images", "feed_us_per_batch", "time to feed a batch of images"),
    ("packing", "pack_us_per_file", "time to pack an image"),
    ("packing", "peak_anonymous_mb", "peak memory of packing images"),
    ("images", "peak_anonymous_mb", "peak memory of training i2r"),
)

ONE_GALAXY = 3.5
LARGE_BATCH = {"ss2r": 15, "b2r": 3, "f2r": 2.5, "s2r": 1.6, "i2r": 1.4}
LARGEST_DIFFERENCE = 2e-5
COMMANDS = (
    ("zoo list", "wall", 30),
    ("zoo info b2r", "wall", 30),
    ("zoo predict b2r, 20,000 rows, CSV", "wall", 10),
    ("zoo predict b2r, 20,000 rows, CSV", "peak", 4),
    ("zoo predict b2r, 1 row, CSV", "wall", 15),
    ("zoo predict b2r, 1,000,000 rows, CSV", "wall", 3),
    ("zoo predict b2r, 1,000,000 rows, Parquet", "wall", 3),
    ("zoo predict s2r, 2,000 objects", "wall", 6),
    ("zoo predict ss2r, 2,000 objects", "wall", 9),
    ("zoo predict i2r, 2,000 objects", "wall", 5),
    ("zoo predict f2r, 2,000 objects", "wall", 5),
    ("zoo serve", "answer p50", 30),
    ("zoo serve", "cpu per answer", 2.5),
    ("mlflow run b2r -P epochs=1", "cpu", round(1 / 0.6, 2)),
)
"""How many times less of what a command takes than before."""
FIRST_ANSWER_S = 1.5
FIRST_EPOCH_S = 6
RUNS = {"mlflow run b2r -P epochs=20": 0.6, "mlflow run b2r -e sweep, 8 trials": 0.35}
"""Share of the processor's time before."""


def judge(rows: list[dict]) -> list[dict]:
    """Compare rows with the targets.

    Returns
    -------
    list of dict
        ``name``, ``sign`` (≥ or ≤), ``target``, ``measured`` (None where it was not), ``unit`` and ``met``.
    """
    return [*_ratios(rows), *_programs(rows), *_limits(rows), *_growth(rows), *_prediction(rows), *_runs(rows)]


def target(name: str, sign: str, bound: float, measured: float | None, unit: str = "×") -> dict:
    """Compare what was measured, None if it was not, with a bound: ``≥`` or ``≤``; see `judge`."""
    met = None if measured is None else measured >= bound if sign == "≥" else measured <= bound
    return {"name": name, "sign": sign, "target": bound, "measured": measured, "unit": unit, "met": met}


def _value(rows: list[dict], column: str, **wanted: object) -> float | None:
    """Return a column of the row with the wanted values; None if there is none."""
    chosen = [row[column] for row in rows if column in row and wanted.items() <= row.items()]
    return chosen[0] if chosen else None


def _ratios(rows: list[dict]) -> list[dict]:
    epoch = [
        target(
            f"epoch, {name}: packed to naive",
            "≥",
            bound,
            _value(rows, "ratio", part="training", input=name, way="packed"),
        )
        for name, bound in EPOCH.items()
    ]
    feeding = [
        target(
            f"epoch, {name}: time packed to memory",
            "≤",
            FEEDING_COST,
            _value(rows, "time_to_memory", part="training", input=name, way="packed"),
        )
        for name in EPOCH
    ]
    packing = [
        target(f"packing, {name}: to naive", "≥", bound, _value(rows, "ratio", part="packing", input=name))
        for name, bound in PACKING.items()
    ]
    packing += [
        target(
            f"packing, {name}: to naive that saves",
            "≥",
            bound,
            _value(rows, "ratio_to_naive_that_saves", part="packing", input=name),
        )
        for name, bound in PACKING_SAVED.items()
    ]
    return epoch + feeding + packing


def _programs(rows: list[dict]) -> list[dict]:
    found = []
    for name, (loop, naive) in PROGRAM.items():
        for column, bound in (("to_packed", loop), ("ratio", naive)):
            rival = "Keras' loop" if column == "to_packed" else "naive"
            value = _value(rows, column, part="training", input=name, way="program")
            found.append(target(f"epoch, {name}: program to {rival}", "≥", bound, value))
    value = _value(rows, "to_packed", part="training", input="bands", way="program fast")
    return [*found, target("epoch, bands, fast network: program to Keras' loop", "≥", PROGRAM_FAST, value)]


def _runs(rows: list[dict]) -> list[dict]:
    gains = {what: _value(rows, "gain", part="runs", what=what, cost="cpu") for what in RUNS}
    return [target(f"{what}: cpu to before", "≤", RUNS[what], gain and 1 / gain) for what, gain in gains.items()]


def _limits(rows: list[dict]) -> list[dict]:
    training = [
        row for row in rows if row["part"] in ("training", "prediction") or row.get("kind") in ("tables", "images")
    ]
    peaks = [row["peak_anonymous_mb"] for row in training if "peak_anonymous_mb" in row]
    first = _value(rows, "seconds", part="startup", what="mlflow run b2r to the end of the first epoch")
    return [
        target(
            "training and prediction, largest peak of anonymous memory", "≤", MEMORY_MB, max(peaks, default=None), "MB"
        ),
        *(
            target(
                f"warm open of 100,000 {name}", "≤", 0.3, _value(rows, "open_warm_s", kind=kind, objects=100_000), "s"
            )
            for kind, name in (("packing", "images"), ("tables", "table rows"))
        ),
        target("mlflow run b2r to the first epoch", "≤", FIRST_EPOCH_S, first, "s"),
        target("python -m sdss_gs info", "≤", 1, _value(rows, "seconds", what="python -m sdss_gs info"), "s"),
    ]


def _growth(rows: list[dict]) -> list[dict]:
    found = []
    for kind, column, name in GROWTH:
        sizes = {row["objects"]: row[column] for row in rows if row.get("kind") == kind and column in row}
        low, high = min(sizes, default=0), max(sizes, default=0)
        measured = sizes[high] / sizes[low] if len(sizes) > 1 else None
        found.append(target(f"{name}: {high:,} to {low:,} objects" if sizes else name, "≤", FLAT, measured))
    tables = {row["objects"]: row for row in rows if row.get("kind") == "tables"}
    for column, low, bound, name in (
        ("peak_anonymous_mb", 1000, MEMORY_GROWTH, "peak memory of training b2r: 1,000,000 to 1,000 objects"),
        ("step_us", 100_000, SAME_RATE, "time per step, b2r: 1,000,000 to 100,000 objects"),
    ):
        measured = tables[10**6][column] / tables[low][column] if {10**6, low} <= tables.keys() else None
        found.append(target(name, "≤", bound, measured))
    return found


def _prediction(rows: list[dict]) -> list[dict]:
    speed = [row for row in rows if row["part"] == "engines" and row["kind"] == "speed"]
    found = [
        target(
            f"network on one galaxy, {name}: the slower gain of its networks",
            "≥",
            ONE_GALAXY,
            min((row["gain"] for row in speed if row["model"] == name and row["batch"] == 1), default=None),
        )
        for name in ENGINES
    ]
    found += [
        target(
            f"network in batches of 512, {name}: the slower gain of its networks",
            "≥",
            bound,
            min((row["gain"] for row in speed if row["model"] == name and row["batch"] == 512), default=None),
        )
        for name, bound in LARGE_BATCH.items()
    ]
    differences = [row["largest_difference"] for row in rows if row.get("way") == "onnxruntime"]
    found.append(
        target("b2r, largest difference to Keras", "≤", LARGEST_DIFFERENCE, max(differences, default=None), "")
    )
    found += [
        target(f"{what}: {cost}", "≥", bound, _value(rows, "gain", part="commands", what=what, cost=cost))
        for what, cost, bound in COMMANDS
    ]
    first = _value(rows, "after", part="commands", what="zoo serve", cost="start to first answer")
    return [*found, target("zoo serve to its first answer", "≤", FIRST_ANSWER_S, first, "s")]
