import numpy as np
import pytest

from common.backend import keras, tf
from common.training import device as gpu
from common.training import precision


@pytest.fixture(autouse=True)
def policy():
    yield
    keras.config.set_dtype_policy("float32")


def processor(monkeypatch, flags):
    monkeypatch.setattr(gpu, "cpu_lines", lambda: {"flags": flags, "model name": "Test CPU"})
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind=None: [])


@pytest.mark.parametrize(
    ("flags", "name", "expected"),
    [
        ("sse avx512_bf16 fma", "img", "float32"),
        ("avx512_bf16 amx_bf16", "img", "bfloat16"),
        ("amx_bf16", "spectra", "bfloat16"),
        ("sse avx512f", "img", "float32"),
        ("amx_bf16", "bands", "float32"),
        ("amx_bf16", "ssel", "float32"),
    ],
)
def test_auto_takes_bfloat16_where_it_is_faster(monkeypatch, flags, name, expected):
    processor(monkeypatch, flags)
    device = gpu.select_device("auto", name=name)
    assert device.precision == expected
    assert keras.config.dtype_policy().compute_dtype == expected
    assert keras.config.dtype_policy().variable_dtype == "float32"


@pytest.mark.parametrize(
    ("took", "expected", "share"), [((2.0, 1.0), "bfloat16", "0.50"), ((1.0, 2.0), "float32", "2.00")]
)
def test_the_quicker_precision_is_taken_and_said_why(monkeypatch, took, expected, share):
    processor(monkeypatch, "amx_bf16")
    seconds, policies = iter(took), []

    def measured(which, build, _inputs):
        keras.config.set_dtype_policy(gpu.PRECISIONS[which])
        policies.append(build())
        return next(seconds)

    monkeypatch.setattr(precision, "_seconds", measured)
    device = precision.timed(gpu.select_device(), lambda: keras.config.dtype_policy().name, {})
    assert policies == ["float32", "mixed_bfloat16"]
    assert device.precision == keras.config.dtype_policy().compute_dtype == expected
    assert device.line().endswith(f"{expected} (a step in bfloat16 takes {share} of float32's time)")


def test_steps_of_both_precisions_are_timed():
    def build():
        inputs = keras.Input((8, 8, 3), name="img")
        return keras.Model({"img": inputs}, keras.layers.Conv2D(4, 3)(inputs))

    device = precision.timed(gpu.Device("CPU", "c", 2, "bfloat16"), build, {"img": np.ones((4, 8, 8, 3), np.float32)})
    assert device.precision == keras.config.dtype_policy().compute_dtype
    assert 0 < float(device.why.split()[5]) < 1000


@pytest.mark.parametrize("precision", gpu.PRECISIONS)
def test_precision_that_was_asked_for_is_set(monkeypatch, precision):
    processor(monkeypatch, "")
    assert gpu.select_device(precision).precision == precision
    assert keras.config.dtype_policy().compute_dtype == precision


def test_one_line_says_what_runs_where(monkeypatch):
    processor(monkeypatch, "amx_bf16")
    monkeypatch.setattr(gpu, "cpu_count", lambda: 2)
    assert gpu.select_device().line() == "CPU: Test CPU, 2 cores, bfloat16"


@pytest.mark.parametrize(
    ("batch_bytes", "steps", "epochs", "expected"),
    [(32 * 20, 458, 2, 128), (32 * 20, 5, 20, 5), (32 * 20, 5, 2, 1), (32 * 67500, 44, 2, 1), (32 * 14088, 99, 2, 9)],
)
def test_short_steps_are_bundled_and_long_or_few_ones_are_not(batch_bytes, steps, epochs, expected):
    assert gpu.Device("CPU", "c", 2, "float32").steps_per_execution(batch_bytes, steps, epochs) == expected
    assert gpu.Device("GPU", "g", 2, "float32").steps_per_execution(batch_bytes, steps, epochs) == 1
    assert gpu.Device("CPU", "c", 2, "float32", jax=True).steps_per_execution(batch_bytes, steps, epochs) == 1


@pytest.mark.parametrize(
    ("kind", "jax", "compiled"), [("CPU", False, False), ("GPU", False, True), ("CPU", True, True)]
)
def test_steps_are_compiled_on_gpus_and_on_jax(kind, jax, compiled):
    assert gpu.Device(kind, "d", 1, "float32", jax=jax).compiled == compiled
