"""Spectra made of templates: right wavelengths, classes and files, and bad folders named."""

import json

import numpy as np
import pandas as pd
import pytest
from astropy.io import fits

from sdss_gs.__main__ import main
from sdss_gs.dataset import open_dataset
from sdss_gs.eigenspectra import write_spectra
from sdss_gs.eigenspectra.draw import H_ALPHA, draw_sum, equivalent_width
from sdss_gs.eigenspectra.read import read_templates
from sdss_gs.formats.spectra import read
from sdss_gs.locate import how_made
from sdss_gs.origin import TEMPLATES
from sdss_gs.schema import WAVELENGTH

FIRST = 3.27
REST = 10 ** (FIRST + 1e-4 * np.arange(7000))


def bump(centre, width=8.0, height=1.0):
    return height * np.exp(-0.5 * ((REST - centre) / width) ** 2)


def write_templates(folder, name="spEigenGal-00001.fits", kind="GALAXY", **header):
    folder.mkdir(exist_ok=True)
    vectors = [1 + 0 * REST, 0.5 + bump(H_ALPHA, height=9), 0.1 * np.sin(REST / 700), 0.1 * np.cos(REST / 300)]
    unit = fits.PrimaryHDU(np.array(vectors, np.float32))
    unit.header.update({"OBJECT": kind, "COEFF0": FIRST, "COEFF1": 1e-4} | header)
    unit.writeto(folder / name)
    return folder


@pytest.mark.parametrize("redshift", [0.01, 0.1234567, 0.3])
def test_lines_are_where_the_redshift_puts_them(tmp_path, redshift):
    (templates,) = read_templates(write_templates(tmp_path / "templates"))
    line = templates.at(redshift, len(WAVELENGTH))[1] - 0.5
    centre = (line * WAVELENGTH).sum() / line.sum()
    assert centre == pytest.approx(H_ALPHA * (1 + redshift), abs=0.2)
    flat = templates.at(redshift, len(WAVELENGTH))[0]
    np.testing.assert_allclose(flat, 1)


def test_a_line_is_as_wide_wherever_between_points_it_falls(tmp_path):
    """Else its width would say by which part of a point it is shifted, of made spectra only."""
    folder = tmp_path / "templates"
    folder.mkdir()
    unit = fits.PrimaryHDU(np.array([bump(H_ALPHA, width=2.5)] * 4, np.float32))
    unit.header.update({"OBJECT": "GALAXY", "COEFF0": FIRST, "COEFF1": 1e-4})
    unit.writeto(folder / "spEigenGal-00001.fits")
    (templates,) = read_templates(folder)
    shifts = 1000 + np.arange(0, 1, 0.1)
    squares = [(templates.at(10 ** (1e-4 * shift) - 1, len(WAVELENGTH))[0] ** 2).sum() for shift in shifts]
    np.testing.assert_allclose(squares, squares[0], rtol=2e-3)


def test_equivalent_width_is_that_of_a_known_line():
    # Ten times the continuum, a Gaussian with a standard deviation of 3 Å: 10 · 3 · sqrt(2 pi).
    for redshift in (0.0, 0.25):
        flux = 2 * (1 + 10 * np.exp(-0.5 * ((WAVELENGTH / (1 + redshift) - H_ALPHA) / 3) ** 2))
        assert equivalent_width(flux, redshift) == pytest.approx(30 * np.sqrt(2 * np.pi), rel=0.02)
    assert np.isnan(equivalent_width(np.ones(len(WAVELENGTH)), 0.5))


def test_command_writes_a_data_set_that_opens(tmp_path, capsys):
    templates = write_templates(tmp_path / "templates")
    write_templates(templates, "spEigenQSO-00001.fits", "QSO", COEFF0=2.9)
    folder = tmp_path / "made"
    command = ["spectra", str(folder), "--templates", str(templates), "--n", "8", "--classes", "GALAXY,QSO", "--quiet"]
    assert main(command) == 0
    table = pd.read_csv(folder / "data.csv")
    assert table["class"].tolist() == ["GALAXY", "QSO"] * 4
    assert set(table["subclass"].dropna()) <= {"STARBURST", "STARFORMING"}
    data = open_dataset(folder, ["spectra"])
    assert len(data.catalogue.objid) == 8
    made = json.loads((folder / "sample.json").read_text())
    assert set(made["templates"]) == {"spEigenGal-00001.fits", "spEigenQSO-00001.fits"}
    assert how_made(folder)["origin"] == TEMPLATES
    galaxies = table["redshift"][table["class"] == "GALAXY"]
    assert made["redshifts"]["GALAXY"] == pytest.approx([galaxies.min(), galaxies.max()], abs=1e-4)
    for objid in table["objid"]:
        flux, best = read(folder / "spectra" / f"{objid}.fits")
        assert np.isfinite(flux).all()
        assert np.isfinite(best).all()
        assert not np.array_equal(flux, best)
    assert main(command) == 1
    assert "expected a new folder, found one that exists" in capsys.readouterr().err


def test_classes_come_in_turn_as_often_as_they_are_named(tmp_path):
    templates = write_templates(tmp_path / "templates")
    write_templates(templates, "spEigenStar-00001.fits", "STAR")
    folder = write_spectra(tmp_path / "made", templates, 9, kinds=("GALAXY", "GALAXY", "STAR"), progress=False)
    table = pd.read_csv(folder / "data.csv")
    assert table["class"].tolist() == ["GALAXY", "GALAXY", "STAR"] * 3
    assert table["redshift"][table["class"] == "STAR"].abs().max() < 0.002
    assert list(how_made(folder)["redshifts"]) == ["GALAXY", "STAR"]


def test_same_seed_makes_the_same_spectra_whatever_their_number(tmp_path):
    templates = write_templates(tmp_path / "templates")
    few, more = (write_spectra(tmp_path / str(n), templates, n, seed=5, progress=False) for n in (2, 3))
    for name in ("1000000000000000000.fits", "1000000000000000001.fits"):
        assert (few / "spectra" / name).read_bytes() == (more / "spectra" / name).read_bytes()


def test_noisy_best_fits_are_the_observed_flux(tmp_path):
    folder = write_spectra(tmp_path / "made", write_templates(tmp_path / "t"), 3, noisy=1.0, progress=False)
    for path in (folder / "spectra").iterdir():
        np.testing.assert_array_equal(*read(path))


def test_sum_that_cannot_be_a_spectrum_is_not_made(tmp_path):
    (templates,) = read_templates(write_templates(tmp_path / "templates"))
    rng = np.random.default_rng(0)
    for _ in range(20):
        flux = draw_sum(templates, 0.1, rng)
        assert np.median(flux) == pytest.approx(1)
        assert flux.min() > -0.03


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda folder: None, "expected a folder, found none"),
        (lambda folder: folder.mkdir(), "expected files such as spEigenGal"),
        (lambda folder: write_templates(folder, COEFF1=2e-4), "step 0.0002"),
        (lambda folder: write_templates(folder, kind="PLANET"), "found class PLANET"),
        (lambda folder: write_templates(folder, "spEigenQSO-1.fits", "QSO"), "expected templates of GALAXY"),
    ],
)
def test_wrong_templates_are_named(tmp_path, capsys, change, words):
    folder = tmp_path / "templates"
    change(folder)
    assert main(["spectra", str(tmp_path / "made"), "--templates", str(folder), "--quiet"]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert words in error
    assert not (tmp_path / "made").exists()
