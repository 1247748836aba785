"""Trainings of like networks as one program: folds, and the trials of a sweep that differ in rates, seeds and losses.

What a network costs beside its arithmetic, to trace, to compile and to start each operation, is paid once for all.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from tqdm import tqdm

from common.backend import keras, tf
from common.data.batches import EpochOrder
from common.options import TrainingOptions
from common.outputs.kinds import kind_of
from common.runs.record import LogEpochs
from common.training.compile import compile_model, loss_of_rows, loss_scale
from common.training.device import CONVOLVED
from common.training.fit import KeepBest
from common.training.one_program import halves, over_steps, pays, steps_of_program
from common.training.session import VALIDATION_BATCH, Session
from common.training.stacked import NotStackableError, Stack, stacked_optimizer
from sdss_gs.errors import first_line
from sdss_gs.logs import LOG, hidden

MOST = 16
"""Trainings that are done together: more would save little."""
OF_EACH = ("learning_rate", "weight_decay", "schedule", "seed", "loss", "label_smoothing", "class_weights", "patience")
"""Options in which they may differ."""


def alike(options: TrainingOptions) -> Hashable:
    """Return what must be equal of the options of trainings that are to be done together."""
    return tuple(value for name, value in vars(options).items() if name not in OF_EACH)


@dataclass
class _Member:
    """One of the trainings: its session, what is trained, and who is told of each epoch."""

    session: Session
    model: keras.Model
    order: EpochOrder
    callbacks: keras.callbacks.CallbackList


def suits(session: Session) -> bool:
    """Tell whether a session's network may be of dense layers alone, before it is built."""
    convolves = any(item.name in CONVOLVED for item in session.data.inputs)
    return session.task.flat and not convolves and len(session.phases) == 1


def train_together(sessions: Sequence[Session]) -> bool:
    """Train the networks of several sessions at once, as `Session.train` does each of them.

    Parameters
    ----------
    sessions : sequence of Session
        Of like options, see `alike`. None is resumed, and none can be: no state is written.

    Returns
    -------
    bool
        Whether they were: not where that is slower, or the networks are not of dense layers alone. A session without
        an epoch of finite loss has no best weights.
    """
    first, batch = sessions[0], sessions[0].options.batch_size
    if not suits(first):
        return False
    model, network, device, _ = first.prepare()
    steps = [-(-session.data.sizes()["train"] // batch) for session in sessions]
    if not pays(device, network, sum(steps) * first.options.epochs):
        return False
    networks = [(model, network), *(session.prepare()[:2] for session in sessions[1:])]
    try:
        stack = Stack([one for one, _ in networks])
    except NotStackableError as error:
        LOG.info("training: one network after the other: %s", error)
        return False
    members = [_member(session, *both, count) for session, both, count in zip(sessions, networks, steps, strict=True)]
    program = _Program(members, stack)
    print(f"{device.line()}; {len(sessions)} networks as one", flush=True)
    began = time.perf_counter()
    feed = partial(_blocks, members, most=steps_of_program(network, batch * len(members)))
    try:
        _fit(members, program, feed("train", batch), feed("validation", max(batch, VALIDATION_BATCH)))
    except (tf.errors.InvalidArgumentError, tf.errors.UnimplementedError) as error:
        if any(session.progress.epoch for session in sessions):
            raise
        LOG.warning("training: one network after the other, not as one program: %s", first_line(error))
        return False
    took = (time.perf_counter() - began) / len(sessions)
    for session in sessions:
        session.record.metrics({"training_seconds": took}, 0, part="test")
    return True


def _member(session: Session, model: keras.Model, network: keras.Model, steps: int) -> _Member:
    (phase,), options, data = session.phases, session.options, session.data
    compile_model(model, data.outputs, phase.options(options), steps, weighted=True)
    keep = KeepBest(network, session.progress, session.best, None, phase)
    told = [keep, LogEpochs(session.record), *session.callbacks]
    order = EpochOrder(options.seed, data.sizes()["train"])
    return _Member(session, model, order, keras.callbacks.CallbackList(told, model=model))


def _blocks(members: Sequence[_Member], part: str, batch: int, most: int) -> Callable[[], Iterator[dict]]:
    """Put the blocks of each, see `TrainingData.blocks`, side by side: ``(steps, members, batch, ...)``."""
    batches = max(-(-member.session.data.sizes()[part] // batch) for member in members)
    each = [
        member.session.data.blocks(part, batch, most, member.order if part == "train" else None, batches)
        for member in members
    ]

    def epoch() -> Iterator[dict]:
        for number in range(len(each[0])):
            blocks = [one.take(number) for one in each]
            stacked = {
                name: np.stack([block[name] for block in blocks], axis=1) for name in blocks[0] if name != "steps"
            }
            yield stacked | {"steps": max(block["steps"] for block in blocks)}

    return epoch


class _Program:
    """Trains and validates the networks as one."""

    def __init__(self, members: Sequence[_Member], stack: Stack):
        self.members, self.stack = members, stack
        self.done = tf.Variable(tf.zeros(len(members), tf.int64))
        self.optimizer = stacked_optimizer([member.model.optimizer for member in members], self.done)
        self.weights = self.stack.model.trainable_variables
        self.optimizer.build(self.weights)
        sizes = {member.session.data.sizes()["train"] for member in members}
        batch = members[0].session.options.batch_size
        self.uneven = len({-(-size // batch) for size in sizes}) > 1
        outputs = [member.session.data.outputs[0] for member in members]
        options = [member.session.options for member in members]
        self.scales = tf.constant([loss_scale(output) for output in outputs], tf.float32)
        kinds = [(kind_of(o).loss_name(own.loss), own.label_smoothing) for o, own in zip(outputs, options, strict=True)]
        self.one_loss = all(kind == kinds[0] for kind in kinds) and all(output == outputs[0] for output in outputs)
        self.losses = [
            loss_of_rows(member.model, output, own)
            for member, output, own in zip(members, outputs, options, strict=True)
        ]
        # Of all objects that were seen, by network: the sum of their losses, and how many they are.
        self.totals = tf.Variable(tf.zeros((2, len(members))))
        self.measures = any(len(member.model.metrics) > 1 for member in members)
        self.before, self.network = halves(stack.model)
        (self.name,) = stack.model.input
        validate = partial(self._measured, training=False)
        self.train = over_steps(partial(self._step, do=self._learn), self.before, self.name, True)
        self.validate = over_steps(partial(self._step, do=validate), self.before, self.name, False)

    def _step(self, number: tf.Tensor, block: dict, do: Callable[[dict], object]) -> None:
        do(tf.nest.map_structure(lambda values: values[number], {key: block[key] for key in block if key != "steps"}))

    def _measured(self, batch: dict, training: bool) -> tf.Tensor:
        """Compute the sum of all losses, and tell each network's own metrics."""
        count, rows = len(self.members), tf.shape(batch["target"])[1]
        real = tf.cast(tf.range(rows)[None] < batch["objects"][:, None], tf.float32)
        # Keras divides the sum over a batch by its size.
        share = real / tf.cast(tf.maximum(batch["objects"], 1), tf.float32)[:, None]
        inputs = tf.reshape(batch["inputs"], (-1, batch["inputs"].shape[-1]))
        answers = self.network(inputs if self.before else {self.name: inputs}, training=training)
        own = tf.reshape(answers, (count, -1, *answers.shape[1:]))
        if self.one_loss:
            target = tf.reshape(batch["target"], (-1, *batch["target"].shape[2:]))
            values = tf.reshape(self.losses[0](target, answers), (count, -1))
        else:
            values = tf.stack([loss(batch["target"][n], own[n]) for n, loss in enumerate(self.losses)])
        losses = self.scales * tf.reduce_sum(values * batch["weight"] * share, axis=1) + self.stack.penalties()
        objects = tf.cast(batch["objects"], tf.float32)
        self.totals.assign_add(tf.stack([objects * losses, objects]))
        for number, member in enumerate(self.members if self.measures else ()):
            member.model.compute_metrics(None, batch["target"][number], own[number], sample_weight=real[number])
        return tf.reduce_sum(losses)

    def _learn(self, batch: dict) -> None:
        with tf.GradientTape() as tape:
            loss = self._measured(batch, True)
        changed = [*self.weights, *self.optimizer.variables] if self.uneven else []
        before = [tf.identity(variable) for variable in changed]
        self.optimizer.apply(tape.gradient(loss, self.weights), self.weights)
        self.done.assign_add(tf.cast(batch["objects"] > 0, tf.int64))
        # One that has seen all its objects waits for the others to end their epoch.
        learns = tf.reshape(batch["objects"] > 0, (-1, 1, 1))
        for variable, old in zip(changed, before, strict=True):
            if len(variable.shape) == 3:
                variable.assign(tf.where(learns, variable, old))

    def results(self) -> list[dict[str, float]]:
        """Return mean loss and metrics of each network since the last time."""
        losses, found = self.totals[0] / self.totals[1], []
        for loss, member in zip(losses.numpy().tolist(), self.members, strict=True):
            measured = member.model.get_metrics_result() if self.measures else {}
            found.append({name: float(value) for name, value in measured.items()} | {"loss": loss})
            member.model.reset_metrics()
        self.totals.assign(tf.zeros_like(self.totals))
        return found


def _fit(members: Sequence[_Member], program: _Program, training: Callable, validation: Callable) -> None:
    """Go through the epochs, and tell each training's record of them."""
    (phase, *_), learning = members[0].session.phases, list(members)
    objects = sum(member.session.data.sizes()["train"] for member in members)
    for member in members:
        member.model.stop_training = False
    with tqdm(total=phase.last, unit=" epochs", desc="training", disable=hidden()) as bar:
        for epoch in range(phase.last):
            began = time.perf_counter()
            for member in members:
                member.order.on_epoch_begin(epoch)
            for block in training():
                program.train(block)
            trained, seconds = program.results(), time.perf_counter() - began
            for block in validation():
                program.validate(block)
            validated = program.results()
            program.stack.write()
            for member, done, learnt, seen in zip(members, program.done.numpy(), trained, validated, strict=True):
                if member not in learning:
                    continue
                # The learning rate that is recorded follows from it.
                member.model.optimizer.iterations.assign(done)
                member.callbacks.on_epoch_end(epoch, learnt | {f"val_{name}": value for name, value in seen.items()})
                if member.model.stop_training:
                    learning.remove(member)
            shown = " ".join(f"{seen['loss']:.5g}" for seen in validated)
            bar.write(f"epoch {epoch + 1:>3}/{phase.last}  val_loss {shown}  {objects / seconds:,.0f} galaxies/s")
            bar.update()
            # A pipe or a log file would otherwise show the epochs only at the end.
            sys.stdout.flush()
            if not learning:
                return
