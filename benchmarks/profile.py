"""Time of the operations of a training step of the convolutional networks: ``python -m benchmarks.profile``.

On one thread, so that an operation's time is its work, by TensorFlow's profiler. Other processes only ever make an
operation slower: of its times in many steps a low one is taken.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np

from common.backend import keras, tf
from common.networks.build import build_flat
from common.networks.training_wrappers import training_model
from common.options import TrainingOptions, typed
from common.project import read_project
from common.training.compile import compile_model

from .networks import network_of
from .settings import ARCHITECTURES, BATCH, ROOT, model_name

NAMES = ("img", "fits", "spectra")
STEPS, RUNS, LOW = 10, 4, 15
"""Steps of a run, runs, and the percentile of an operation's times that is taken."""
WAYS = ("Keras", "rewritten")
FEWEST = 0.03
"""Share of a step from which on an operation has a line of its own."""


def main(arguments: list[str] | None = None) -> int:
    """Print a table per network: ms per step and share of each kind of operation, of Keras' layers and rewritten."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.profile", description=__doc__)
    parser.add_argument("--inputs", default=",".join(NAMES), help="comma-separated (default: %(default)s)")
    parser.add_argument("--deep", action="store_true", help="each operation of the network, not their kinds")
    options = parser.parse_args(arguments)
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    for name in options.inputs.split(","):
        for architecture in ARCHITECTURES:
            times = {way: _times(steps_of(name, architecture, way), options.deep) for way in WAYS}
            print(f"\n{model_name(name)} {architecture}\n\n{table(times)}", flush=True)
    return 0


def steps_of(name: str, architecture: str, way: str) -> Callable[[], None]:
    """Return a function that takes `STEPS` training steps on random numbers, as Keras' layers do or as a run does."""
    project, random = read_project(ROOT / model_name(name)), np.random.default_rng(0)
    item = project.input
    network = build_flat(item, project.output, item.shape, network_of(project, architecture), project.name)
    rewrite = way != WAYS[0]
    model = training_model(network, rewrite=rewrite)
    compile_model(model, (project.output,), typed(TrainingOptions, project.defaults | {"loss": "mse"}), STEPS)
    if not rewrite:
        model.compile("adam", "mse", jit_compile=False)
        model.optimizer.build(model.trainable_variables)
    values = {item.name: tf.constant(random.uniform(0, 255, (BATCH, *item.shape)).astype(item.dtype))}
    truth = tf.constant(random.uniform(0, 0.3, (BATCH, 1)).astype(np.float32))

    @tf.function
    def steps() -> None:
        for _ in tf.range(STEPS):
            model.train_step((values, truth))

    return steps


def _times(steps: Callable[[], None], deep: bool) -> Counter[str]:
    """Measure the operations of a step, ms, by kind or one by one."""
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    steps()
    found, total = defaultdict(list), Counter()
    for _ in range(RUNS):
        with tempfile.TemporaryDirectory() as folder:
            with tf.profiler.experimental.Profile(folder):
                steps()
            space = xplane_pb2.XSpace()
            space.ParseFromString(next(Path(folder).rglob("*.xplane.pb")).read_bytes())
        for plane in (plane for plane in space.planes if plane.name == "/host:CPU"):
            for event in (event for line in plane.lines for event in line.events):
                # Those of operations are called node:Kind, those of TensorFlow's own functions Class::method.
                if re.fullmatch(r"[^$:]+:\w+", name := plane.event_metadata[event.metadata_id].name):
                    found[name].append(event.duration_ps / 1e9)
    for name, times in found.items():
        node, kind = name.split(":")
        kind = re.sub(r"^_Mkl(Native)?", "", kind)
        total[f"{node.split('body/_1/')[-1]}: {kind}" if deep else kind] += (
            float(np.percentile(times, LOW)) * len(times) / (STEPS * RUNS)
        )
    return total


def table(times: dict[str, Counter[str]]) -> str:
    """Write times as a table of Markdown, the largest first; what is small everywhere together."""
    wholes = {way: sum(found.values()) for way, found in times.items()}
    names = {name for way, found in times.items() for name in found if found[name] >= FEWEST * wholes[way]}
    lines = sorted(names, key=lambda name: -max(found[name] for found in times.values()))
    small = {way: wholes[way] - sum(found[name] for name in names) for way, found in times.items()}
    rows = [(name, [found[name] for found in times.values()]) for name in lines]
    rows += [("others", list(small.values())), ("all", list(wholes.values()))]
    text = [f"| operation | {' | '.join(f'{way}, ms | share' for way in times)} |", "|---" * (1 + 2 * len(times)) + "|"]
    for name, values in rows:
        cells = (f"{value:.1f} | {value / whole:.0%}" for value, whole in zip(values, wholes.values(), strict=True))
        text.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(text)


if __name__ == "__main__":
    keras.utils.set_random_seed(0)
    sys.exit(main())
