"""Training from packed arrays beside the same training from memory: galaxies per second, side by side in one run.

``python benchmarks/training.py`` measures b2r (20,000 galaxies, batch 32) and i2r (the generated sample). Each round
runs one epoch of either kind in turn; ratios are taken round by round, because a shared machine drifts.
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from common import gpu
from common.backend import keras
from common.data import TrainingData
from common.feed import EpochOrder, steps_per_execution
from common.fit import adapt_normalisation, build, compile_model
from common.outputs import encode
from common.project import read_project
from sdss_gs.schema import BANDS

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default="b2r,i2r", help="comma-separated (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=10, help="epochs of each kind (default: %(default)s)")
    parser.add_argument("--ds", default="", help="data set for the image model (default: the generated sample)")
    options = parser.parse_args()
    print(f"{'model':<8}{'from packed arrays':>20}{'from memory':>16}{'time packed/memory':>24}")
    with tempfile.TemporaryDirectory() as folder:
        for name in options.models.split(","):
            ds = str(write_magnitudes(Path(folder))) if name.startswith("b") else options.ds
            packed, memory = measure(name, ds, options.rounds)
            ratio = statistics.median(p / m for p, m in zip(packed[1], memory[1], strict=True))
            print(f"{name:<8}{packed[0]:>16,.0f} /s{memory[0]:>13,.0f} /s{ratio:>24.3f}")


def write_magnitudes(folder: Path, count: int = 20_000) -> Path:
    """Write a catalogue of random magnitudes: throughput does not ask what they mean."""
    values = np.random.default_rng(0).normal(17, 1, (count, 5))
    lines = ["objid,redshift," + ",".join(f"modelMag_{band}" for band in BANDS)]
    lines += [f"{number},0.1," + ",".join(f"{value:.4f}" for value in row) for number, row in enumerate(values, 1)]
    (folder / "data.csv").write_text("\n".join(lines))
    return folder


def measure(name: str, ds: str, rounds: int) -> tuple[tuple[float, list[float]], tuple[float, list[float]]]:
    """Time epochs of one model; return median galaxies/s and seconds of each epoch, packed and memory."""
    project = read_project(ROOT / name)
    specification = importlib.util.spec_from_file_location(name, ROOT / name / "train.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    settings = project.defaults | {"ds": ds}
    data = TrainingData(project, settings)
    device = gpu.prepare(heavy=not project.input.columns)
    inputs, target = data.inputs("train"), encode(project.output, data.truth("train"))
    batch, count = settings["batch_size"], len(inputs)
    order = EpochOrder(0, count)
    batches = data.batches("train", batch, order=order)
    steps = int(batches.cardinality())

    def prepared() -> keras.Model:
        model = build(project.input, project.output, data.shape(), module.features, name)
        adapt_normalisation(model, data.batches("train", 2048, with_target=False).map(lambda x: x[project.input.name]))
        executed = steps_per_execution(inputs[:1].nbytes * batch, steps)
        compile_model(model, project.output, settings, steps, executed)
        return model

    fits = {
        "packed": (prepared(), lambda model: model.fit(batches, shuffle=False, verbose=0, callbacks=[order])),
        "memory": (
            prepared(),
            lambda model: model.fit({project.input.name: inputs}, target, batch_size=batch, verbose=0),
        ),
    }
    seconds: dict[str, list[float]] = {kind: [] for kind in fits}
    for number in range(rounds + 1):
        for kind, (model, epoch) in fits.items():
            began = time.perf_counter()
            epoch(model)
            if number:
                seconds[kind].append(time.perf_counter() - began)
    keras.config.set_dtype_policy("float32")
    print(f"# {name}: {count:,} galaxies, batch {batch}, {device.line()}")
    return tuple((count / statistics.median(seconds[kind]), seconds[kind]) for kind in ("packed", "memory"))


if __name__ == "__main__":
    main()
