"""Parameters and cost of a training step of every backbone: ``python -m benchmarks.backbones``.

Processor time is that of all cores together, so that other work on the machine changes it little.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from common.backend import forget_networks
from common.networks.backbones import BACKBONES, image_features
from common.networks.build import build_flat
from common.options import TrainingOptions, typed
from common.project import read_project
from common.training import device as gpu
from common.training.compile import compile_model
from sdss_gs.schema import INPUTS, OUTPUTS

from .settings import ROOT

MODEL = "i2m"


def main() -> int:
    """Measure the backbones one after the other; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.backbones", description=__doc__)
    chosen = [name for name in BACKBONES if name != "none"]
    parser.add_argument("--backbones", default=",".join(chosen), help="comma-separated (default: %(default)s)")
    parser.add_argument("--batch", type=int, default=16, help="images per step (default: %(default)s)")
    parser.add_argument("--steps", type=int, default=2, help="steps that are timed (default: %(default)s)")
    parser.add_argument("--precision", default="auto", help="as for training (default: %(default)s)")
    options = parser.parse_args()
    print(gpu.select_device(options.precision).line())
    print("| backbone | parameters | processor time per image and step, ms | images/s |\n|---|---|---|---|")
    for name in options.backbones.split(","):
        count, busy, wall = measured(name, options.batch, options.steps)
        print(f"| `{name}` | {count:,} | {1000 * busy:.0f} | {1 / wall:.0f} |", flush=True)
        forget_networks()
    return 0


def measured(name: str, batch: int, steps: int) -> tuple[int, float, float]:
    """Return parameters, and per image of a training step seconds of processor time and of the clock."""
    options = typed(TrainingOptions, read_project(ROOT / MODEL).defaults)
    item, output = INPUTS["img"], OUTPUTS["morph10"]
    model = build_flat(item, output, item.shape, image_features(lambda x: x, name), MODEL)
    compile_model(model, [output], options, 1)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (batch, *item.shape), dtype=np.uint8)
    labels = np.eye(output.size, dtype=np.float32)[rng.integers(0, output.size, batch)]
    model.train_on_batch({item.name: images}, labels)
    busy, wall = time.process_time(), time.perf_counter()
    for _ in range(steps):
        model.train_on_batch({item.name: images}, labels)
    seen = batch * steps
    return model.count_params(), (time.process_time() - busy) / seen, (time.perf_counter() - wall) / seen


if __name__ == "__main__":
    raise SystemExit(main())
