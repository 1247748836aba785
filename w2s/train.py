"""w2s: spectroscopic sub-class from the four WISE magnitudes.

Input ``wise`` (batch, 4) float32, Vega mag → output ``subclass`` (batch, 4) probabilities.
1,821 parameters. The network of astromlp-models (https://github.com/nunorc/astromlp-models):
standardised magnitudes, three dense layers.
"""

from common.layers import dense_stack, standardise
from common.train import run


def features(wise):
    """Turn the magnitudes into 16 features."""
    return dense_stack(standardise(wise), (32, 32, 16))


if __name__ == "__main__":
    run(__file__, features)
