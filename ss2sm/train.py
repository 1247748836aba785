"""ss2sm: stellar mass from 17 windows of the spectrum.

Input ``ssel`` (batch, 1423) float32, 1e-17 erg/s/cm²/Å → output ``smass`` (batch, 1), log10 Msun.
404,448 parameters. The network of astromlp-models (https://github.com/nunorc/astromlp-models):
standardised flux, three dense layers.
"""

from common.layers import dense_stack, standardise
from common.train import run


def features(ssel):
    """Turn the selected points into 32 features."""
    return dense_stack(standardise(ssel), (256, 128, 32))


if __name__ == "__main__":
    run(__file__, features)
