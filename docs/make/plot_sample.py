"""Draw the pictures of ``reference/sample.md``: synthetic galaxies beside tables of real ones.

Usage: ``python docs/make/plot_sample.py SAMPLE WIDE NEARBY``, where SAMPLE is a folder written by ``write_sample``,
WIDE a ``data.csv`` with magnitudes and redshifts of real galaxies cut at u < 19.6, and NEARBY one with masses and WISE
magnitudes of real galaxies at z of 0.010 to 0.024. The figures are written into ``docs/pictures``.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from PIL import Image

matplotlib.use("Agg")
import matplotlib.pyplot as plt

PICTURES = Path(__file__).resolve().parents[1] / "pictures"
BANDS = [f"modelMag_{band}" for band in "ugriz"]
WISE = [f"w{number}mag" for number in (1, 2, 3, 4)]
REAL, SYNTHETIC = "#c8643c", "#2c5f8a"
GALLERY = (
    "Er", "Ei", "Ec", "Ser", "Sen", "Seb", "SaR", "SbR", "ScR", "SdR", "SBaR", "SBbR", "SBcR", "SBdR", "Sa", "Sb",
    "Sc", "SBb", "SBc", "A",
)  # fmt: skip


def read(path: Path) -> pd.DataFrame:
    """Read a ``data.csv`` and blank what is no measurement."""
    table = pd.read_csv(path, dtype={"objid": str, "gz2c_s": str, "subclass": str})
    for column in [*BANDS, *WISE]:
        table[column] = table[column].where(table[column].between(3, 26))
    table["stellarmass"] = table["stellarmass"].where(table["stellarmass"] > 1e4)
    return table[table["redshift"] > 0]


def colour(table: pd.DataFrame, first: str, second: str) -> pd.Series:
    """Difference of two magnitudes."""
    return table[first] - table[second]


def histogram(axis, real: pd.Series, synthetic: pd.Series, low: float, high: float, label: str) -> None:
    """Draw the synthetic distribution over the real one, both of unit area."""
    edges = np.linspace(low, high, 41)
    axis.hist(real.dropna(), edges, density=True, color=REAL, alpha=0.45, label="real")
    axis.hist(synthetic.dropna(), edges, density=True, histtype="step", color=SYNTHETIC, lw=1.6, label="synthetic")
    axis.set(xlabel=label, yticks=[])


def scatter(axis, real: tuple, synthetic: tuple, limits: tuple, labels: tuple) -> None:
    """Draw synthetic points over contours of real ones."""
    keep = real[0].notna() & real[1].notna()
    axis.hexbin(
        real[0][keep], real[1][keep], gridsize=45, extent=limits, cmap="Oranges", bins="log", mincnt=1, linewidths=0
    )
    axis.plot(*synthetic, ".", ms=1.8, color=SYNTHETIC, alpha=0.6)
    axis.set(xlim=limits[:2], ylim=limits[2:], xlabel=labels[0], ylabel=labels[1])


def draw_colours(sample: pd.DataFrame, wide: pd.DataFrame, nearby: pd.DataFrame) -> None:
    """Compare distributions; writes ``sample_colours.png``."""
    cut = sample[sample[BANDS[0]] < 19.6]
    wide = wide[wide[BANDS].notna().all(axis=1)]
    near = sample[sample["redshift"] < 0.05]
    figure, axes = plt.subplots(4, 4, figsize=(15, 13), layout="constrained")
    flat = axes.flat
    histogram(next(flat), wide["redshift"], cut["redshift"], 0, 0.25, "redshift (u < 19.6)")
    histogram(next(flat), wide[BANDS[2]], cut[BANDS[2]], 13, 19, "r (u < 19.6)")
    for position, (low, high) in enumerate([(0, 3), (0, 1.5), (-0.1, 0.8), (-0.2, 0.8)]):
        first, second = BANDS[position : position + 2]
        label = f"{first[-1]}-{second[-1]}"
        histogram(next(flat), colour(wide, first, second), colour(cut, first, second), low, high, label)
    u_g, g_r, r_i = ([colour(table, BANDS[k], BANDS[k + 1]) for table in (wide, cut)] for k in range(3))
    scatter(next(flat), (g_r[0], u_g[0]), (g_r[1], u_g[1]), (0, 1.4, 0.3, 2.6), ("g-r", "u-g"))
    scatter(next(flat), (r_i[0], g_r[0]), (r_i[1], g_r[1]), (0, 0.7, 0, 1.4), ("r-i", "g-r"))
    redshift = (wide["redshift"], cut["redshift"])
    for values, limits, label in ((g_r, (0, 0.25, 0, 1.4), "g-r"), (u_g, (0, 0.25, 0.3, 2.6), "u-g")):
        scatter(next(flat), (redshift[0], values[0]), (redshift[1], values[1]), limits, ("redshift", label))
    for first, second, low, high in (
        (BANDS[2], WISE[0], 1, 4.5), (WISE[0], WISE[1], -0.5, 1.2), (WISE[1], WISE[2], -0.5, 5.5),
        (WISE[2], WISE[3], 0, 4),
    ):  # fmt: skip
        label = f"{first.removeprefix('modelMag_')} - {second} (synthetic z < 0.05)"
        histogram(next(flat), colour(nearby, first, second), colour(near, first, second), low, high, label)
    near_colour = [colour(table, BANDS[1], BANDS[2]) for table in (nearby, near)]
    mass = [np.log10(table["stellarmass"]) for table in (nearby, near)]
    limits = (0, 1.1, 7.5, 12)
    scatter(next(flat), (near_colour[0], mass[0]), (near_colour[1], mass[1]), limits, ("g-r", "log mass (z < 0.05)"))
    histogram(next(flat), mass[0], np.log10(sample["stellarmass"]), 7.5, 12.2, "log mass (all synthetic)")
    axes[0, 0].legend(frameon=False)
    figure.savefig(PICTURES / "sample_colours.png", dpi=80)
    plt.close(figure)


def draw_gallery(folder: Path, sample: pd.DataFrame) -> None:
    """Show pictures by class and spectra by sub-class; writes ``sample_gallery.jpg``."""
    figure = plt.figure(figsize=(15, 15.5), layout="constrained")
    upper, lower = figure.subfigures(2, 1, height_ratios=[3.4, 1])
    axes = upper.subplots(8, 10)
    for axis in axes.flat:
        axis.axis("off")
    for position, label in enumerate(GALLERY):
        present = [
            path
            for objid in sample["objid"][sample["gz2c_s"] == label]
            if (path := folder / "img" / f"{objid}.jpg").exists()
        ]
        for number, path in enumerate(present[:4]):
            axis = axes[2 * (position // 5) + number // 2, 2 * (position % 5) + number % 2]
            axis.imshow(Image.open(path))
            axis.set_title(label if number == 0 else "", fontsize=9, loc="left", pad=2)
    axes = lower.subplots(1, 4)
    for axis, label in zip(axes, ("STARFORMING", "STARBURST", "AGN", "BROADLINE"), strict=True):
        bright = sample[(sample["subclass"] == label) & sample["redshift"].between(0.03, 0.1)].nsmallest(5, BANDS[2])
        path = next(path for objid in bright["objid"] if (path := folder / "spectra" / f"{objid}.csv").exists())
        spectrum = pd.read_csv(path)
        axis.plot(spectrum["Wavelength"], spectrum["Flux"], lw=0.4, color="0.6")
        axis.plot(spectrum["Wavelength"], spectrum["BestFit"], lw=0.7, color=SYNTHETIC)
        axis.set(title=label, xlabel="Å", ylim=(0, 1.6 * spectrum["BestFit"].quantile(0.97)))
    figure.savefig(PICTURES / "sample_gallery.jpg", dpi=64, pil_kwargs={"quality": 88})
    plt.close(figure)


def main() -> None:
    """Read the tables named on the command line and draw both figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sample", type=Path, help="folder of a synthetic sample")
    parser.add_argument("wide", type=Path, help="data.csv of real galaxies with u < 19.6")
    parser.add_argument("nearby", type=Path, help="data.csv of real galaxies with masses and WISE, z of 0.010 to 0.024")
    options = parser.parse_args()
    sample = read(options.sample / "data.csv")
    draw_colours(sample, read(options.wide), read(options.nearby))
    draw_gallery(options.sample, sample)


if __name__ == "__main__":
    main()
