"""Draw the picture of ``howto/build.md``: five-band cut-outs and their colour composition.

Usage: ``python docs/make/plot_build.py DS OBJID…``, where DS is a data set. The figure is written into
``docs/pictures``.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib
import numpy as np

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from sdss_gs.formats import fits
from sdss_gs.formats.composite import colour
from sdss_gs.schema import BANDS

PICTURES = Path(__file__).resolve().parents[1] / "pictures"


def main() -> None:
    """Draw one line of pictures for each object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("ds", type=Path)
    parser.add_argument("objid", nargs="+")
    options = parser.parse_args()
    shape = (len(options.objid), len(BANDS) + 1)
    figure, axes = plt.subplots(*shape, figsize=(1.5 * shape[1], 1.55 * shape[0]), squeeze=False)
    for line, objid in zip(axes, options.objid, strict=True):
        cutout = fits.read(options.ds / "fits" / f"{objid}.npy")
        for axis, pixels in zip(line, np.moveaxis(cutout, 2, 0), strict=False):
            noise = np.std(np.concatenate([pixels[:6], pixels[-6:]]))
            axis.imshow(np.arcsinh(pixels / (2 * noise)), origin="lower", cmap="gray")
            axis.hlines([30, 30], [24, 33], [27, 36], color="C1", lw=0.8)
            axis.vlines([30, 30], [24, 33], [27, 36], color="C1", lw=0.8)
        line[-1].imshow(colour(cutout))
        for axis in line:
            axis.axis("off")
    for axis, title in zip(axes[0], (*BANDS, "i, r, g"), strict=True):
        axis.set_title(title, fontsize=9)
    figure.tight_layout(pad=0.3)
    figure.savefig(PICTURES / "build_cutouts.jpg", dpi=90, pil_kwargs={"quality": 85})


if __name__ == "__main__":
    main()
