"""The stages of a training run with several inputs and outputs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict

from common.backend import keras
from common.data.batches import EpochOrder, steps_per_execution
from common.data.measure import training_range
from common.data.multi_data import MultiData
from common.judge import figures as report
from common.judge.judge import PREDICTION_BATCH
from common.judge.multi_card import card_of, record_card
from common.judge.multi_judge import champion_cost, covered, figures, judge, predict_shown, rivals_of, table
from common.judge.multi_views import fit_calibrations
from common.models.store import load_model, log_signed
from common.networks.multi_network import build_multi, surround_multi
from common.outputs.calibration import Calibration
from common.training import device as gpu
from common.training import state
from common.training.compile import begin_at_constants, compile_multi
from common.training.phases import Phase
from common.training.session import READING, Session
from sdss_gs.schema import INPUTS, OUTPUTS

Calibrations = dict[str, dict[str, Calibration]]
"""By set of inputs and output."""
LOSS_NAME = "sum of the outputs' losses, each 1 for the best constant"


class MultiSession(Session):
    """One run of a model whose inputs and outputs are options; parameters and errors as for `Session`."""

    def _choose(self, architectures: dict[str, Callable]) -> None:
        self.functions = architectures
        self.inputs = tuple(str(self.options["inputs"]).split(","))
        self.outputs = tuple(str(self.options["outputs"]).split(","))

    def _open(self) -> MultiData:
        return MultiData(self.inputs, self.outputs, self.project.repository, self.options)

    # === Network and fit ===

    def _build(self) -> keras.Model:
        stretch = str(self.options["stretch"])
        return build_multi(self.data.shapes(), self.outputs, self.functions, self.project.name, stretch)

    def train(self) -> None:
        """Fit the network and keep its best epoch."""
        options, data = self.options, self.data
        convolved = [name for name in self.inputs if name in gpu.CONVOLVED]
        device = gpu.prepare(options["precision"], options["memory_limit"], [*convolved, *self.inputs][0])
        print(device.line(), flush=True)
        keras.utils.set_random_seed(options["seed"])
        order = EpochOrder(options["seed"], data.sizes()["train"])
        training = data.batches("train", options["batch_size"], order=order)
        validation = data.batches("validation", max(options["batch_size"], PREDICTION_BATCH))
        steps = int(training.cardinality())
        one = sum(array.nbytes for array in data.gather(data.parts["train"][:1]).values())
        with device.scope():
            network = self._build()
            model = surround_multi(network, str(options["augment"]), options["input_dropout"], options["seed"])
            # Keras takes several steps at once on one device only.
            several = device.kind == "GPU" and device.count > 1
            together = 1 if several else steps_per_execution(one * options["batch_size"], steps)
            compile_multi(model, data, options, steps, together, compiled=device.kind == "GPU")
        self.record.tags({"zoo.device": device.line(), "zoo.network_parameters": network.count_params()})
        if self._arrays:
            self._best[:] = state.restore(model, self._arrays)
        else:
            begin_at_constants(network, data)
        self._fit(model, network, training, validation, order, Phase(0, options["epochs"]))

    def _log(self, model: keras.Model, register: bool, calibrations: Calibrations | None = None) -> str:
        calibrations = calibrations or fit_calibrations(model, self.data)
        metadata = {
            "inputs": list(self.inputs),
            "outputs": list(self.outputs),
            "reading": {key: self.options[key] for key in READING if key in self.options},
            "calibration": {
                shown: {name: asdict(calibration) for name, calibration in found.items()}
                for shown, found in calibrations.items()
            },
            "training_range": {
                name: asdict(training_range(INPUTS[name], self.data.chunks(name))) for name in self.inputs
            },
        }
        example = self.data.gather(self.data.parts["train"][:1])
        outputs = [OUTPUTS[name] for name in self.outputs]
        return log_signed(model, self.project.name, example, outputs, metadata, register)

    # === Judgement ===

    def validate(self) -> tuple[float, dict[str, float]]:
        """Judge the best epoch on the validation objects by the one number that champions are chosen by."""
        cost = champion_cost(self._best_model(), self.data)
        return cost, {"validation_cost": cost}

    def _cost_of(self, address: str) -> float:
        return champion_cost(load_model(address), self.data)

    def finish(self, register: bool = True) -> dict[str, float]:
        """Judge the best epoch on the test objects, with all inputs and with each alone; draw, store, say where.

        Parameters
        ----------
        register : bool
            Whether the model enters the registry, where it may become the champion.

        Returns
        -------
        dict of str to float
            Test scores by the names under which MLflow has them, without ``test_``.
        """
        data, model = self.data, self._best_model()
        predictions = predict_shown(model, data, "test")
        judged = judge(data, "test", predictions, rivals_of(data, self.options["seed"]))
        text = table(judged)
        numbers = judged.numbers()
        self.record.metrics(numbers, 0, part="test")
        self.record.text(text, "scores.txt")
        drawn = {"loss": report.loss_curves(self.progress.history, self.progress.best_epoch, LOSS_NAME)}
        drawn |= figures(data, "test", predictions)
        calibrations = fit_calibrations(model, data)
        measured = covered(data, "test", predictions, calibrations)
        card = card_of(self.project.name, self.record.id, self.options, data, model, judged, measured)
        page = record_card(self.record, card, drawn, self.record.pictures(drawn))
        address = self._log(model, register, calibrations)
        cost = champion_cost(model, data)
        self.record.metrics({"validation_cost": cost}, 0, part="test")
        champion = self._promote(address, "cost", cost) if register else ""
        print(f"\n{self._headline()}\n\n{text}\n\nreport  {page}\n{self._where(address, champion)}", flush=True)
        return {name: value for name, value in numbers.items() if name.startswith("test_")}
