"""x2y: any of the six inputs, all together or some of them missing, to any of the outputs.

Inputs ``img``, ``fits``, ``spectra``, ``ssel``, ``bands``, ``wise`` as chosen, and ``present`` (batch, inputs), 1 where
an object has the input → outputs ``redshift``, ``smass``, ``subclass``, ``gz2c``, … as chosen.

It begins with trained models of one input and one output, ``i2r``, ``s2sm`` and so on: see `common.networks.fused`.
While what is fused here learns, inputs are hidden at random.
"""

from common.backend import keras
from common.networks.fast import dense
from common.train import run


def fuse(said, present, output):
    """Join what the models of all inputs say into 128 features, for one output."""
    x = keras.layers.Concatenate(dtype="float32")([*said.values(), present])
    return dense(x, (128, 128, 128))


if __name__ == "__main__":
    run(__file__, fuse)
