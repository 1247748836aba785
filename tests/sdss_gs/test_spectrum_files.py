"""Spectra as SkyServer, the SDSS and BOSS pipelines and people write them."""

import gzip

import numpy as np
import pytest
from astropy.io import fits as astropy_fits
from astropy.table import Table

from sdss_gs.errors import BadFileError
from sdss_gs.formats import spectra
from sdss_gs.packing.pack import pack
from sdss_gs.schema import WAVELENGTH

GRID = 10.0 ** (np.arange(35554, 40194) * 1e-4)
FLUX = 10 + np.sin(GRID / 100)
HERE = slice(36021 - 35554, 39543 - 35554)


def write(path, columns=("flux", "loglam", "ivar", "model"), factor=1.0, unit=None, name="COADD", before=()):
    """Write a spec file; its masked pixels have an inverse variance of 0 and the flux that they have."""
    values = {"flux": FLUX * factor, "loglam": np.log10(GRID), "ivar": np.ones_like(GRID), "model": (FLUX + 1) * factor}
    values |= {"wavelength": GRID, "FLUX": values["flux"], "LAMBDA": GRID / 10}
    values["ivar"][1000:1100] = 0
    table = astropy_fits.table_to_hdu(Table({column: values[column].astype("f4") for column in columns}))
    table.name = name
    for number, column in enumerate(columns, 1):
        if unit and column in unit:
            table.header[f"TUNIT{number}"] = unit[column]
    astropy_fits.HDUList([astropy_fits.PrimaryHDU(), *before, table]).writeto(path)
    return path


def write_csv(path, header, *columns):
    rows = np.column_stack([np.round(GRID, 3), *columns])
    path.write_text("\n".join([header, *(",".join(f"{value:.5f}" for value in row) for row in rows)]) + "\n")
    return path


@pytest.mark.parametrize("ending", [".fits", ".fit", ".FITS", ".fits.gz"])
def test_spec_file_is_read_whatever_its_ending(tmp_path, ending):
    content = write(tmp_path / "a.fits").read_bytes()
    path = tmp_path / f"1{ending}"
    path.write_bytes(gzip.compress(content) if ending.endswith("gz") else content)
    np.testing.assert_allclose(spectra.read(path), np.stack([FLUX + 1, FLUX])[:, HERE], rtol=1e-6)


def test_table_of_the_spectrum_is_found_by_its_name_and_columns_in_any_case(tmp_path):
    other = astropy_fits.table_to_hdu(Table({"loglam": [3.6], "flux": [1.0]}))
    other.name = "B1-00012345"
    np.testing.assert_allclose(spectra.read(write(tmp_path / "1.fits", before=[other]))[1], FLUX[HERE], rtol=1e-6)
    path = write(tmp_path / "2.fits", ("LAMBDA", "FLUX"), unit={"LAMBDA": "nm"}, name="SPECTRUM")
    np.testing.assert_allclose(spectra.read(path, column="Flux")[1], FLUX[HERE], rtol=1e-6)


@pytest.mark.parametrize("header", ["Wavelength,Flux", "wavelength, FLUX", "# lambda,flux", '"Wavelength","Flux"'])
def test_model_of_the_observed_flux_needs_no_best_fit(tmp_path, header):
    for path in (write_csv(tmp_path / "1.csv", header, FLUX), write(tmp_path / "1.fits", ("flux", "loglam", "ivar"))):
        best_fit, flux = spectra.read(path, column="Flux")
        np.testing.assert_allclose(flux, FLUX[HERE], rtol=1e-5)
        assert np.isnan(best_fit).all()
        with pytest.raises(BadFileError, match=r"expected a column BestFit \(model\) with numbers, found none"):
            spectra.read(path, column="BestFit")


@pytest.mark.parametrize(
    ("unit", "factor"),
    [
        ("1E-17 erg/cm^2/s/Ang", 1.0),
        ("10^-17 ergs/s/cm^2/Angstrom", 1.0),
        ("erg/s/cm2/Angstrom", 1e-17),
        ("W m-2 nm-1", 1e-19),
    ],
)
def test_stated_unit_is_converted(tmp_path, unit, factor):
    path = write(tmp_path / "1.fits", factor=factor, unit={"flux": unit, "model": unit})
    np.testing.assert_allclose(spectra.read(path), np.stack([FLUX + 1, FLUX])[:, HERE], rtol=1e-5)


def test_unit_of_another_kind_is_refused(tmp_path):
    with pytest.raises(BadFileError, match=r"expected flux in 1e-17 erg/s/cm²/Å.* found 'nJy'"):
        spectra.read(write(tmp_path / "1.fits", unit={"flux": "nJy"}))


@pytest.mark.parametrize(
    ("flux", "problem"),
    [
        (np.zeros_like(GRID), "expected a spectrum, found a BestFit that is 0 throughout"),
        (np.full_like(GRID, 3), "expected a spectrum, found a BestFit that is 3 throughout"),
        (FLUX * 1e-17, "found a BestFit of at most 1.1e-16; state the unit in the file"),
    ],
    ids=["zeros", "constant", "tiny"],
)
@pytest.mark.parametrize("column", ["", "BestFit"])
def test_spectrum_that_says_nothing_is_refused(tmp_path, flux, problem, column):
    table = astropy_fits.table_to_hdu(Table({"loglam": np.log10(GRID), "flux": flux, "model": flux}))
    astropy_fits.HDUList([astropy_fits.PrimaryHDU(), table]).writeto(tmp_path / "1.fits")
    with pytest.raises(BadFileError, match=problem):
        spectra.read(tmp_path / "1.fits", column=column)


def test_two_columns_of_one_name_are_refused(tmp_path):
    path = write_csv(tmp_path / "1.csv", "Wavelength,flux,FLUX", FLUX, FLUX)
    with pytest.raises(BadFileError, match="expected one column Flux, found flux, FLUX"):
        spectra.read(path)


def test_what_is_missing_is_said_by_the_names_that_are_there(tmp_path):
    with pytest.raises(BadFileError, match=r"expected a table with Wavelength .* found Wavelength|Flux"):
        spectra.read(write_csv(tmp_path / "1.csv", "Wavelength|Flux", FLUX))


def test_units_in_brackets_after_a_name_are_believed(tmp_path):
    header = "Wavelength (nm),Flux [erg/s/cm2/Angstrom],Best Fit"
    rows = np.column_stack([np.round(GRID / 10, 4), FLUX * 1e-17, FLUX])
    lines = [header, *(",".join(f"{value:.8g}" for value in row) for row in rows)]
    (tmp_path / "1.csv").write_text("\n".join(lines))
    found = spectra.read(tmp_path / "1.csv")
    np.testing.assert_allclose(found, np.stack([FLUX, FLUX])[:, HERE], rtol=1e-5)
    (tmp_path / "1.csv").write_text("\n".join([header.replace("nm", "keV"), *lines[1:]]))
    with pytest.raises(BadFileError, match=r"expected Wavelength \(keV\) in Angstrom, .* found 'keV'"):
        spectra.read(tmp_path / "1.csv")
    (tmp_path / "1.csv").write_text("\n".join([header.replace(" (nm)", ""), *lines[1:]]))
    with pytest.raises(BadFileError, match=r"found 0; are its wavelengths in Å\?"):
        spectra.read(tmp_path / "1.csv")


@pytest.mark.parametrize("delimiter", [";", "\t", ","])
def test_comments_above_the_names_and_other_delimiters_are_read(tmp_path, delimiter):
    path = write_csv(tmp_path / "1.csv", "#Table1\n# of plate 266, made by hand\nWavelength,Flux", FLUX)
    lines = path.read_text().splitlines()
    path.write_text("\n".join(line if line.startswith("#") else line.replace(",", delimiter) for line in lines))
    np.testing.assert_allclose(spectra.read(path, column="Flux")[1], FLUX[HERE], rtol=1e-5)


def test_packed_spectrum_without_best_fit_is_there_for_the_flux_only(tmp_path):
    (tmp_path / "spectra").mkdir()
    write_csv(tmp_path / "spectra" / "1.csv", "Wavelength,Flux,BestFit", FLUX, FLUX + 1)
    write_csv(tmp_path / "spectra" / "2.csv", "Wavelength,Flux", FLUX)
    write(tmp_path / "spectra" / "3.fit", factor=0.0)
    manifest = pack(tmp_path, "spectra", np.arange(1, 4), progress=False)
    assert (manifest.available, manifest.lacks) == (2, {"2": ["BestFit"]})
    assert manifest.rejects["3"] == "expected a spectrum, found a BestFit that is 0 throughout"
    assert manifest.low == pytest.approx(9, abs=0.01)
    assert len(WAVELENGTH) == manifest.layout.shape[1]
