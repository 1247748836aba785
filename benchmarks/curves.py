"""Score against seconds of the reference and the fast networks: ``python -m benchmarks.curves``.

Each pair trains in turn on the same data with the same seed; the reference network as its authors trained it, the fast
one with the defaults. The score is that of the validation galaxies after each epoch; its own time is not counted.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from common.backend import keras
from common.data.batches import EpochOrder
from common.data.task import task_of
from common.data.training_data import TrainingData
from common.judge.views import predict_part, validation_scores
from common.models.model import ANY
from common.networks.build import build_flat
from common.networks.training_wrappers import training_model
from common.options import TrainingOptions, typed
from common.outputs.kinds import kind_of
from common.project import read_project
from common.training import device as gpu
from common.training.compile import begin_at_constants, compile_model
from sdss_gs.errors import ZooError
from sdss_gs.schema import parse_model_name

from . import machine
from .networks import network_of, stored_of
from .settings import ROOT

NAME = "architectures"
MODELS = ("i2r", "f2r", "s2r", "b2r", "w2r", "i2g", "f2g", "s2s")
REFERENCE = {"redshift": {"loss": "mse", "optimizer": "rmsprop"}}
"""Options by output that the predecessor trained with and that are no longer the defaults."""


def main() -> int:
    """Train every pair; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.curves", description=__doc__)
    parser.add_argument("--models", default=",".join(MODELS), help="comma-separated (default: %(default)s)")
    parser.add_argument("--ds", default="", help="data set (default: as for training)")
    parser.add_argument("--epochs", type=int, default=20, help="of each network (default: %(default)s)")
    parser.add_argument(
        "--output", default="docs/measured", help=f"folder for {NAME}.json, .png (default: %(default)s)"
    )
    options = parser.parse_args()
    output, curves = Path(options.output), {}
    output.mkdir(parents=True, exist_ok=True)
    try:
        for name in options.models.split(","):
            curves[name] = {kind: trained(name, kind, options.ds, options.epochs) for kind in ("reference", "fast")}
            results = {"machine": machine.describe(), "epochs": options.epochs, "curves": curves}
            (output / f"{NAME}.json").write_text(json.dumps(results, indent=1))
    except ZooError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    draw(curves, output / f"{NAME}.png")
    print(table(results))
    return 0


def trained(name: str, kind: str, ds: str, epochs: int) -> dict[str, list[float]]:
    """Train one network; return ``seconds`` and the headline ``score`` after each epoch, and its ``parameters``."""
    project = read_project(ROOT / name)
    values = project.defaults | {"ds": ds, "epochs": epochs, "architecture": kind}
    if kind == "reference":
        values |= REFERENCE.get(project.output.name, {}) | {"augment": "none"}
    options = typed(TrainingOptions, values)
    data = TrainingData(task_of(project, options), options)
    device = gpu.select_device(name=project.input.name)
    keras.utils.set_random_seed(0)
    (shape,) = data.shapes().values()
    (item,), (output,) = data.inputs, data.outputs
    network = build_flat(item, output, shape, network_of(project, kind), name)
    model = training_model(network, options.augment, seed=0, rewrite=not device.compiled)
    keras.config.set_dtype_policy("float32")
    order = EpochOrder(0, data.sizes()["train"])
    batches = data.batches("train", options.batch_size, order=order)
    steps = int(batches.cardinality())
    together = device.steps_per_execution(data.bytes_of_one() * options.batch_size, steps)
    compile_model(model, data.outputs, options, steps, together)
    begin_at_constants(network, data)
    curve = {"parameters": network.count_params(), "seconds": [], "score": []}
    spent, metric, output = 0.0, _metric(name), project.output.name
    for epoch in range(epochs):
        began = time.perf_counter()
        model.fit(batches, initial_epoch=epoch, epochs=epoch + 1, shuffle=False, verbose=0, callbacks=[order])
        spent += time.perf_counter() - began
        found = validation_scores(data, predict_part(stored_of(network, data), data, "validation")[ANY])[output]
        curve["seconds"].append(spent)
        curve["score"].append(found[metric])
        print(f"{name} {kind:<10} epoch {epoch + 1:>3}  {spent:7.1f} s  {metric} {found[metric]:.4f}", flush=True)
    return curve


def summary(name: str, pair: dict) -> dict[str, float]:
    """Compare a pair: best scores, seconds, and when the fast network first was as good as the other ever."""
    kind = kind_of(parse_model_name(name)[1])
    sign = kind.metrics[kind.headline].cost(1)
    slow, quick = (sign * np.array(pair[kind]["score"]) for kind in ("reference", "fast"))
    reached = np.flatnonzero(quick <= slow.min())
    when = pair["fast"]["seconds"][reached[0]] if len(reached) else float("nan")
    wanted = pair["reference"]["seconds"][int(slow.argmin())]
    return {
        "reference": sign * slow.min(), "fast": sign * quick.min(), "reference_s": wanted, "fast_s": when,
        "share": when / wanted,
    }  # fmt: skip


def table(results: dict) -> str:
    """Write the comparison as Markdown."""
    lines = [
        f"{results['machine']['processor']}, {results['machine']['cores']} cores; {results['epochs']} epochs each. "
        "*Time*: until the reference network's best validation score was reached, by either.\n",
        "| model | score | reference | fast | parameters | time, reference | time, fast | share |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, pair in results["curves"].items():
        found = summary(name, pair)
        counts = " → ".join(f"{pair[kind]['parameters']:,}" for kind in ("reference", "fast"))
        lines.append(
            f"| {name} | {_metric(name)} | {found['reference']:.4f} | {found['fast']:.4f} | {counts} "
            f"| {found['reference_s']:.1f} s | {found['fast_s']:.1f} s | {found['share']:.2f} |"
        )
    return "\n".join(lines) + "\n"


def draw(curves: dict, path: Path) -> None:
    """Draw a panel for each model."""
    columns = -(-len(curves) // -(-len(curves) // 5))
    rows = -(-len(curves) // columns)
    figure = Figure(figsize=(3.4 * columns, 2.8 * rows), layout="constrained")
    for axes, (name, pair) in zip(figure.subplots(rows, columns, squeeze=False).flat, curves.items(), strict=False):
        for kind, colour in (("reference", "#7a8899"), ("fast", "#c8553d")):
            axes.plot(pair[kind]["seconds"], pair[kind]["score"], color=colour, marker=".", label=kind)
        axes.set(title=name, xlabel="seconds of training", ylabel=f"validation {_metric(name)}", xlim=(0, None))
    figure.axes[0].legend()
    for axes in figure.axes[len(curves) :]:
        axes.remove()
    figure.savefig(path, dpi=100)


def _metric(name: str) -> str:
    return kind_of(parse_model_name(name)[1]).headline


if __name__ == "__main__":
    sys.exit(main())
