"""Keras and TensorFlow, loaded without TensorFlow's start-up noise; import them from here.

TensorFlow 2.21 prints about oneDNN and absent CUDA drivers before any log level of its own can be set, so its standard
error is held back during the import and shown only if the import fails.

Keras imports scikit-learn and matplotlib where they are, for wrappers and drawings that the zoo does not use: a third
of the time, so it is told that they are not. Nor is what the import makes looked through for garbage, then or later.
"""

from __future__ import annotations

import gc
import os
import sys
import tempfile

from common.processor import kept_programs

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

if programs := kept_programs():
    # What XLA compiles takes seconds: the second run of a model finds it there.
    os.environ.setdefault("TF_XLA_FLAGS", f"--tf_xla_persistent_cache_directory={programs}")

__all__ = ["forget_networks", "keras", "tf"]

_hidden = [name for name in ("matplotlib", "sklearn") if name not in sys.modules]
_collecting = gc.isenabled()
sys.stderr.flush()
_saved = os.dup(2)
with tempfile.TemporaryFile() as _held:
    os.dup2(_held.fileno(), 2)
    try:
        gc.disable()
        sys.modules.update(dict.fromkeys(_hidden))
        import keras
        import tensorflow as tf

        tf.get_logger().setLevel("ERROR")
        tf.config.list_physical_devices()
        keras.utils.disable_interactive_logging()
        _failed = False
    except BaseException:
        _failed = True
        raise
    finally:
        for _name in _hidden:
            del sys.modules[_name]
        if _collecting:
            gc.enable()
        os.dup2(_saved, 2)
        os.close(_saved)
        if _failed:
            _held.seek(0)
            sys.stderr.write(_held.read().decode(errors="replace"))


def forget_networks() -> None:
    """Free what Keras holds of the networks built so far; it also forgets to be quiet, so that is said again."""
    keras.utils.clear_session()
    keras.utils.disable_interactive_logging()
