"""b2s: spectroscopic sub-class from the five SDSS magnitudes.

Input ``bands`` (batch, 5) float32, mag → output ``subclass`` (batch, 4) probabilities.
1,855 parameters. The network of astromlp-models (https://github.com/nunorc/astromlp-models):
standardised magnitudes, three dense layers.
"""

from common.layers import dense_stack, standardise
from common.train import run


def features(bands):
    """Turn the magnitudes into 16 features."""
    return dense_stack(standardise(bands), (32, 32, 16))


if __name__ == "__main__":
    run(__file__, features)
