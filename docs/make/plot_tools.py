"""Draw the picture of ``howto/tools.md``: part of an SDSS field as ``image convert``, ``rgb`` and ``crop`` show it.

Usage: ``python docs/make/plot_tools.py FRAME_I FRAME_R FRAME_G COLUMN ROW``, with the middle of the part in pixels of
the r frame. The figure is written into ``docs/pictures``.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from sdss_gs.formats.composite import compose
from sdss_gs.picture.crop import crop, find_region
from sdss_gs.picture.frames import align, read_frame, to_picture

HALF, PANEL, GAP = 110, 264, 6


def main() -> None:
    """Draw three panels."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("frame", nargs=3)
    parser.add_argument("column", type=int)
    parser.add_argument("row", type=int)
    options = parser.parse_args()
    i, r, g = (read_frame(path) for path in options.frame)
    row = len(r.pixels) - 1 - options.row
    part = np.s_[row - HALF : row + HALF, options.column - HALF : options.column + HALF]
    grey = to_picture(r.pixels, stretch="log", interval="percentile", percent=99.99)[part]
    colour = compose([align(i, r), r.pixels, align(g, r)])[part]
    panels = [np.repeat(grey[..., None], 3, axis=2), colour, crop(colour, find_region(colour), PANEL)]
    sheet = Image.new("RGB", (3 * PANEL + 2 * GAP, PANEL), "white")
    for number, panel in enumerate(panels):
        picture = Image.fromarray(np.ascontiguousarray(panel))
        sheet.paste(picture.resize((PANEL, PANEL), Image.Resampling.BICUBIC), (number * (PANEL + GAP), 0))
    sheet.save(Path(__file__).resolve().parents[1] / "pictures" / "tools_pictures.jpg", quality=88)


if __name__ == "__main__":
    main()
