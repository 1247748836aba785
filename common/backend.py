"""Keras and TensorFlow, loaded without TensorFlow's start-up noise; import them from here.

TensorFlow 2.21 prints about oneDNN and absent CUDA drivers before any log level of its own can be set, so its standard
error is held back during the import and shown only if the import fails.
"""

from __future__ import annotations

import os
import sys
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

__all__ = ["forget_networks", "keras", "tf"]

sys.stderr.flush()
_saved = os.dup(2)
with tempfile.TemporaryFile() as _held:
    os.dup2(_held.fileno(), 2)
    try:
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
        os.dup2(_saved, 2)
        os.close(_saved)
        if _failed:
            _held.seek(0)
            sys.stderr.write(_held.read().decode(errors="replace"))


def forget_networks() -> None:
    """Free what Keras holds of the networks built so far; it also forgets to be quiet, so that is said again."""
    keras.utils.clear_session()
    keras.utils.disable_interactive_logging()
