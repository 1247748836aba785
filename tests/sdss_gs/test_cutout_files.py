"""What a FITS cut-out states of its bands, unit and scale is believed, or refused with a reason."""

import gzip

import numpy as np
import pytest
from astropy.io import fits as astropy_fits

from sdss_gs.errors import BadFileError
from sdss_gs.formats import fits

SKY = np.random.default_rng(0).normal(0, 1, (5, 61, 61)).astype("f4")
SDSS = {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CD1_1": -1.1e-4, "CD2_2": 1.1e-4, "CD1_2": 0.0, "CD2_1": 0.0}


def write(path, cube=SKY, **cards):
    astropy_fits.PrimaryHDU(cube, astropy_fits.Header(cards)).writeto(path)
    return path


def expected(cube=SKY):
    return np.moveaxis(cube, 0, 2)


@pytest.mark.parametrize(
    "cards",
    [
        {},
        {"BANDS": "ugriz"},
        {"BANDS": "u, g, r, i, z"},
        {"BANDS": "['u', 'g', 'r', 'i', 'z']"},
        {f"BAND{n}": band for n, band in enumerate("ugriz")},
        {f"FILTER{n}": f"SDSS_{band}" for n, band in enumerate("UGRIZ", 1)},
        {"BUNIT": "nanomaggies"},
        {"BUNIT": "nanomaggy/pixel"},
        SDSS,
        {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CDELT1": -1.1e-4, "CDELT2": 1.1e-4, "PC1_1": 1.0},
        {"PIXSCALE": 0.396, "MAGZERO": 22.5},
        {"CDELT1": 1.0, "CDELT2": 1.0},
        {"BANDS": 5},
        {"FILTER": "ugriz"},
        SDSS | {"CTYPE3": "BAND", "CRVAL3": 1.0, "CDELT3": 1.0},
    ],
)
def test_what_is_stated_as_the_zoo_has_it_changes_nothing(tmp_path, cards):
    np.testing.assert_array_equal(fits.read(write(tmp_path / "1.fits", **cards)), expected())


@pytest.mark.parametrize(
    ("unit", "factor"),
    [
        ("nJy", 1 / 3630.7805),
        ("uJy", 1e3 / 3630.7805),
        ("Jy", 1e9 / 3630.7805),
        ("maggies", 1e9),
        ("nJy/pixel", 1 / 3630.7805),
    ],
)
def test_other_units_of_flux_become_nanomaggies(tmp_path, unit, factor):
    found = fits.read(write(tmp_path / "1.fits", BUNIT=unit))
    np.testing.assert_allclose(found, expected() * factor, rtol=1e-6)


def test_bands_in_another_order_or_among_more_are_put_in_order(tmp_path):
    more = np.concatenate([SKY[::-1], SKY[:1] + 100])
    found = fits.read(write(tmp_path / "1.fits", more, BANDS="zirguy"))
    np.testing.assert_array_equal(found, expected())
    last = fits.read(write(tmp_path / "2.fits", np.ascontiguousarray(expected()), BANDS="ugriz"))
    np.testing.assert_array_equal(last, expected())


@pytest.mark.parametrize("card", ["EXTNAME", "FILTER"])
def test_one_image_for_each_band_is_stacked(tmp_path, card):
    units = [astropy_fits.PrimaryHDU()]
    for band in "rzugi":
        header = astropy_fits.Header({card: band, "BUNIT": "nJy"})
        units.append(astropy_fits.ImageHDU(SKY["ugriz".index(band)], header))
    astropy_fits.HDUList(units).writeto(tmp_path / "1.fits")
    np.testing.assert_allclose(fits.read(tmp_path / "1.fits"), expected() / 3630.7805, rtol=1e-6)
    astropy_fits.HDUList(units[:-1]).writeto(tmp_path / "2.fits")
    with pytest.raises(
        BadFileError,
        match=r"expected images of the bands u g r i z with one size, found 4 images: [rR], [zZ], [uU], [gG]",
    ):
        fits.read(tmp_path / "2.fits")


@pytest.mark.parametrize(
    ("cards", "problem"),
    [
        ({"BANDS": "grizy"}, "expected bands u g r i z, found g r i z y"),
        ({"FILTER": "r"}, "expected bands u g r i z, found r"),
        ({"BUNIT": "adu"}, "found BUNIT = 'adu'; calibrate"),
        ({"BUNIT": "Jy/beam"}, "found BUNIT = 'Jy/beam'"),
        ({"MAGZERO": 27.0}, r"zero point is 22.5, found MAGZERO = 27.0; multiply the pixels by 0.0158"),
        ({"FLUXMAG0": 63095734448.0}, "found FLUXMAG0"),
        ({"PIXSCALE": 0.262}, r"expected 0.396 arcsec per pixel, found 0.262 \(PIXSCALE\)"),
        (SDSS | {"CD1_1": -7.27777777e-5, "CD2_2": 7.27777777e-5}, "found 0.262"),
        (SDSS | {"CD1_1": 0.0, "CD1_2": 7e-5, "CD2_1": 7e-5, "CD2_2": 0.0}, "found 0.252"),
        ({"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CDELT1": -7e-5, "CDELT2": 7e-5}, "found 0.252"),
        (SDSS | {"PIXSCALE": 0.2}, "found 0.2 "),
        (SDSS | {"CD1_1": -7e-5, "CD2_2": 7e-5, "CTYPE3": "BAND", "CRVAL3": 1.0, "CD3_3": 1.0}, "found 0.252"),
    ],
)
def test_what_is_stated_otherwise_is_refused_with_what_to_do(tmp_path, cards, problem):
    with pytest.raises(BadFileError, match=problem) as refused:
        fits.read(write(tmp_path / "1.fits", **cards))
    assert str(refused.value).startswith(str(tmp_path / "1.fits"))


def test_what_the_first_header_states_holds_for_an_image_behind_it(tmp_path):
    first = {"BAND0": "z", "BAND1": "i", "BAND2": "r", "BAND3": "g", "BAND4": "u", "BUNIT": "nJy", "PIXSCALE": 0.396}
    for name, more in {"1": {}, "2": {"PIXSCALE": 0.262}, "3": {"BUNIT": "adu"}}.items():
        primary = astropy_fits.PrimaryHDU(header=astropy_fits.Header(first | more))
        astropy_fits.HDUList([primary, astropy_fits.ImageHDU(SKY[::-1])]).writeto(tmp_path / f"{name}.fits")
    np.testing.assert_allclose(fits.read(tmp_path / "1.fits"), expected() / 3630.7805, rtol=1e-6)
    for name, problem in {"2": "found 0.262", "3": "BUNIT = 'adu'"}.items():
        with pytest.raises(BadFileError, match=problem):
            fits.read(tmp_path / f"{name}.fits")


def test_three_bands_are_named_before_their_scale(tmp_path):
    with pytest.raises(BadFileError, match="expected bands u g r i z, found g r z"):
        fits.read(write(tmp_path / "1.fits", SKY[:3], BANDS="grz", PIXSCALE=0.262))


def test_whole_numbers_need_a_unit_or_a_scale_of_their_own(tmp_path):
    counts = (SKY * 100).astype("i2")
    with pytest.raises(BadFileError, match=r"whole numbers \(int16\) without a unit, perhaps counts; calibrate them"):
        fits.read(write(tmp_path / "1.fits", counts))
    np.testing.assert_array_equal(fits.read(write(tmp_path / "2.fits", counts, BUNIT="nanomaggy")), expected(counts))
    scaled = astropy_fits.PrimaryHDU(SKY.copy())
    scaled.scale("int16", bscale=1e-3, bzero=1.0)
    scaled.writeto(tmp_path / "3.fits")
    np.testing.assert_allclose(fits.read(tmp_path / "3.fits"), expected(), atol=1e-3)


@pytest.mark.parametrize("kind", ["all", "band"])
def test_cut_out_without_any_sky_is_refused(tmp_path, kind):
    empty = np.zeros_like(SKY) if kind == "all" else SKY.copy()
    empty[1] = 0
    np.save(tmp_path / "1.npy", expected(empty))
    for path in (write(tmp_path / "1.fits", empty), tmp_path / "1.npy"):
        with pytest.raises(BadFileError, match=f"found one value throughout in {'ugriz' if kind == 'all' else 'g'}$"):
            fits.read(path)


def test_compressed_files_are_what_they_hold(tmp_path):
    content = write(tmp_path / "1.fits").read_bytes()
    (tmp_path / "1.fits.gz").write_bytes(gzip.compress(content))
    np.testing.assert_array_equal(fits.read(tmp_path / "1.fits.gz"), expected())
    units = [astropy_fits.PrimaryHDU(), astropy_fits.CompImageHDU(SKY, compression_type="GZIP_1", quantize_level=0)]
    astropy_fits.HDUList(units).writeto(tmp_path / "1.fits.fz")
    np.testing.assert_array_equal(fits.read(tmp_path / "1.fits.fz"), expected())


def test_larger_cut_out_is_cut_in_a_data_set_as_when_it_is_predicted(tmp_path):
    larger = np.random.default_rng(1).normal(0, 1, (5, 71, 75)).astype("f4")
    # What lies outside the field is not looked at: the edge of a detector, for instance.
    larger[:, :4] = np.nan
    found = fits.read(write(tmp_path / "1.fits", larger, **SDSS))
    np.testing.assert_array_equal(found, expected(larger)[5:66, 7:68])
