import io
import random

import numpy as np
import pytest
from astropy.table import Table
from conftest import write_image, write_spectrum
from faults.mutate import mutate
from PIL import Image

from sdss_gs.errors import BadFileError
from sdss_gs.formats import fits, img, spectra, ssel
from sdss_gs.formats.composite import colour
from sdss_gs.schema import BANDS, INPUTS, SSEL_INDEX, WAVELENGTH
from sdss_gs.tables.catalogue import read_catalogue

# === img ===


JPEGS = {
    "plain": {}, "progressive": {"progressive": True}, "all colours": {"subsampling": 0}, "half": {"subsampling": 1},
    "quality": {"quality": 97}, "RGB inside": {"keep_rgb": True}, "restarts": {"restart_marker_blocks": 3},
}  # fmt: skip


def picture(size=(150, 150)):
    pixels = np.random.default_rng(0).integers(0, 255, (20, 20, 3), np.uint8)
    return Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC)


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("kind", JPEGS)
def test_jpeg_is_what_pillow_decodes(tmp_path, kind, mode):
    picture().convert(mode).save(tmp_path / "1.jpg", **JPEGS[kind])
    expected = np.asarray(Image.open(tmp_path / "1.jpg").convert("RGB"))
    np.testing.assert_array_equal(img.read(tmp_path / "1.jpg"), expected)


def test_jpeg_of_another_size_or_turned_camera_is_what_pillow_decodes(tmp_path):
    turned = Image.Exif()
    turned[274] = 6
    picture((180, 131)).save(tmp_path / "1.jpg", exif=turned)
    expected = img.crop_or_pad(np.asarray(Image.open(tmp_path / "1.jpg")))
    np.testing.assert_array_equal(img.read(tmp_path / "1.jpg"), expected)


def test_damaged_jpeg_gives_what_pillow_alone_makes_of_it(tmp_path, monkeypatch):
    picture().save(tmp_path / "1.jpg")
    content, chance = (tmp_path / "1.jpg").read_bytes(), random.Random(0)

    def found():
        try:
            return img.read(tmp_path / "1.jpg").tobytes()
        except BadFileError as error:
            return str(error)

    damaged = [content[:-cut] for cut in (1, 2, 3, 40)] + [content + b"more"]
    damaged += [mutate(content, [content], chance) for _ in range(200)]
    refused = 0
    for content in damaged:
        (tmp_path / "1.jpg").write_bytes(content)
        with monkeypatch.context() as patch:
            patch.setattr(img, "_plain_jpeg", lambda *_: None)
            alone = found()
        assert found() == alone
        refused += isinstance(alone, str)
    assert 50 < refused < 200


def test_larger_image_is_cropped_about_its_centre_not_stretched():
    pixels = np.arange(200 * 180 * 3, dtype=np.uint32).reshape(200, 180, 3)
    np.testing.assert_array_equal(img.crop_or_pad(pixels), pixels[25:175, 15:165])


def test_smaller_image_is_padded_with_its_edges_not_stretched():
    pixels = np.random.default_rng(0).integers(0, 255, (120, 121, 3), np.uint8)
    padded = img.crop_or_pad(pixels)
    np.testing.assert_array_equal(padded[15:135, 14:135], pixels)
    assert (padded[:15, 14:135] == pixels[0]).all()
    assert (padded[15:135, 135:] == pixels[:, -1:]).all()


def test_other_scale_is_resampled_only_when_stated(tmp_path):
    write_image(tmp_path / "1.jpg", 0, size=(75, 75))
    with pytest.raises(BadFileError, match=r"expected sides of 100 to 300 pixels.*found 75x75.*image_scale"):
        img.read(tmp_path / "1.jpg")
    resampled = img.read(tmp_path / "1.jpg", scale=0.4)
    # The 10-pixel bright square of the file covers 20 pixels at twice the scale.
    assert (resampled[75, :, 0] > 128).sum() == 20


@pytest.mark.parametrize("cut", [20, 200, 600])
def test_truncated_jpeg_is_refused(tmp_path, cut):
    write_image(tmp_path / "1.jpg", 90)
    content = (tmp_path / "1.jpg").read_bytes()
    (tmp_path / "1.jpg").write_bytes(content[:cut] if cut < 600 else content[:-40])
    with pytest.raises(BadFileError, match=r"1\.jpg: expected (a complete JPEG|an image)"):
        img.read(tmp_path / "1.jpg")


def test_web_page_named_jpg_is_refused(tmp_path):
    (tmp_path / "1.jpg").write_text("<html>error</html>")
    with pytest.raises(BadFileError, match="found something else"):
        img.read(tmp_path / "1.jpg")


def test_size_other_than_the_sets_is_refused(tmp_path):
    write_image(tmp_path / "1.jpg", 90, size=(150, 149))
    with pytest.raises(BadFileError, match="expected 150x150 pixels as the rest of the set, found 150x149"):
        img.read(tmp_path / "1.jpg", size=(150, 150))


def test_huge_image_is_refused_before_it_is_decoded(tmp_path):
    buffer = io.BytesIO()
    Image.new("RGB", (5000, 10)).save(buffer, "JPEG")
    (tmp_path / "1.jpg").write_bytes(buffer.getvalue())
    with pytest.raises(BadFileError, match="at most 4096 pixels a side, found 5000x10"):
        img.read(tmp_path / "1.jpg", scale=0.006)


# === fits ===


def test_cutout_keeps_every_value_and_becomes_native_float32(tmp_path):
    array = np.random.default_rng(0).normal(size=(61, 61, 5))
    np.save(tmp_path / "1.npy", array.astype(">f8"))
    read = fits.read(tmp_path / "1.npy")
    assert read.dtype == np.float32
    assert read.dtype.isnative
    np.testing.assert_array_equal(read, array.astype(np.float32))


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.zeros((61, 60, 5), np.float32), r"expected at least 61x61 pixels, found \(61, 60\)"),
        (np.zeros((61, 61, 5), np.int16), "found int16"),
        (np.full((61, 61, 5), np.nan, np.float32), "18605 that are NaN or infinite"),
        (np.array([{"a": 1}], object), "unreadable"),
    ],
)
def test_cutouts_of_another_kind_are_refused(tmp_path, array, expected):
    np.save(tmp_path / "1.npy", array, allow_pickle=True)
    with pytest.raises(BadFileError, match=expected):
        fits.read(tmp_path / "1.npy")


@pytest.mark.parametrize("content", [b"", b"junk", b"\x93NUMPY\x01\x00"])
def test_damaged_cutout_is_refused(tmp_path, content):
    (tmp_path / "1.npy").write_bytes(content)
    with pytest.raises(BadFileError, match=r"1\.npy: expected a cut-out"):
        fits.read(tmp_path / "1.npy")


# === spectra and ssel ===

TABLE = np.round(10.0 ** (np.arange(35810, 39650) * 1e-4), 3)


def test_spectrum_is_the_best_fit_and_flux_between_4000_and_9000(tmp_path):
    write_spectrum(tmp_path / "1.csv", TABLE, TABLE / 1000)
    read = spectra.read(tmp_path / "1.csv")
    assert read.shape == (2, 3522)
    assert read.dtype == np.float32
    np.testing.assert_allclose(read[0], WAVELENGTH / 1000, atol=1e-3)
    np.testing.assert_allclose(read[1], WAVELENGTH / 1000 + 0.5, atol=1e-3)


def write_fits(path, wavelength, best_fit, columns=("flux", "model")):
    values = {"flux": best_fit + 0.5, "model": best_fit}
    table = Table({"loglam": np.log10(wavelength).astype(np.float32), **{name: values[name] for name in columns}})
    table.write(path, format="fits")


def test_spec_fits_file_gives_the_same_spectrum_as_its_csv_export(tmp_path):
    exact = 10.0 ** (np.arange(35810, 39650) * 1e-4)
    write_fits(tmp_path / "1.fits", exact, np.sin(exact / 100))
    write_spectrum(tmp_path / "1.csv", TABLE, np.sin(exact / 100))
    np.testing.assert_allclose(spectra.read(tmp_path / "1.fits"), spectra.read(tmp_path / "1.csv"), atol=2e-3)
    assert ssel.read(tmp_path / "1.fits").shape == (2, 1423)


@pytest.mark.parametrize("kind", ["short", "no column", "junk", "empty"])
def test_spec_fits_file_of_another_kind_is_refused(tmp_path, kind):
    path = tmp_path / "1.fits"
    if kind == "short":
        write_fits(path, TABLE[TABLE < 7350], TABLE[TABLE < 7350])
    elif kind == "no column":
        write_fits(path, TABLE, TABLE, columns=())
    else:
        path.write_bytes(b"" if kind == "empty" else b"junk" * 1000)
    with pytest.raises(BadFileError, match=r"1\.fits: expected (3522 points|a table with)"):
        spectra.read(path)


def test_selection_is_a_subset_of_the_spectrum(tmp_path):
    write_spectrum(tmp_path / "1.csv", TABLE, np.sin(TABLE))
    np.testing.assert_array_equal(ssel.read(tmp_path / "1.csv"), spectra.read(tmp_path / "1.csv")[:, SSEL_INDEX])


def test_short_spectrum_names_found_and_standard_length(tmp_path):
    write_spectrum(tmp_path / "1.csv", TABLE[TABLE < 7350], TABLE[TABLE < 7350])
    with pytest.raises(BadFileError, match="expected 3522 points, found 26"):
        spectra.read(tmp_path / "1.csv")
    with pytest.raises(BadFileError, match=r"expected 3000 points \(SDSS's standard is 3522\)"):
        spectra.read(tmp_path / "1.csv", WAVELENGTH[:3000])


def test_spectrum_off_the_grid_is_refused(tmp_path):
    write_spectrum(tmp_path / "1.csv", TABLE + 0.4, TABLE)
    with pytest.raises(BadFileError, match=r"expected wavelengths on the grid of the set, found one 0\.40 Å off"):
        spectra.read(tmp_path / "1.csv")


@pytest.mark.parametrize("cell", ["nan", "inf", ""])
def test_spectrum_with_a_flux_that_is_no_number_is_refused(tmp_path, cell):
    write_spectrum(tmp_path / "1.csv", TABLE, TABLE)
    lines = (tmp_path / "1.csv").read_text().splitlines()
    middle = lines[2000].split(",")
    lines[2000] = ",".join([middle[0], middle[1], cell, middle[3]])
    (tmp_path / "1.csv").write_text("\n".join(lines))
    with pytest.raises(BadFileError, match="expected finite fluxes, found 1 of BestFit"):
        spectra.read(tmp_path / "1.csv", column="BestFit")
    # The other column is as good as before, and the whole of this one counts as missing.
    best_fit, flux = spectra.read(tmp_path / "1.csv")
    assert np.isnan(best_fit).all()
    np.testing.assert_array_equal(flux, spectra.read(tmp_path / "1.csv", column="Flux")[1])
    assert np.isfinite(flux).all()


@pytest.mark.parametrize("content", ["", "a,b\n1,2\n", "Wavelength,Flux,BestFit,SkyFlux\n1,2\n", "<html>"])
def test_file_that_is_no_spectrum_is_refused(tmp_path, content):
    (tmp_path / "1.csv").write_text(content)
    with pytest.raises(BadFileError, match="expected a table with Wavelength"):
        spectra.read(tmp_path / "1.csv")


# === bands and wise ===


def test_tables_are_the_catalogue_columns_in_order(survey):
    catalogue = read_catalogue(survey)
    bands, wise = (catalogue.table(INPUTS[name].columns) for name in ("bands", "wise"))
    assert bands.shape == (12, 5)
    np.testing.assert_allclose(bands[:, 2], catalogue.numbers["modelMag_r"], rtol=1e-6)
    np.testing.assert_allclose(wise[:, 3], catalogue.numbers["w4mag"], rtol=1e-6)


def test_cutout_is_shown_in_the_colours_of_i_r_g_with_its_first_row_at_the_bottom():
    cutout = np.zeros((61, 61, 5), np.float32)
    cutout[10, 20, BANDS.index("i")] = 3
    cutout[40, 50, BANDS.index("g")] = 3
    picture = colour(cutout)
    assert (picture.shape, picture.dtype) == ((61, 61, 3), np.uint8)
    assert picture[50, 20, 0] > 100 > picture[50, 20, 2]
    assert picture[20, 50, 2] > 100 > picture[20, 50, 0]


@pytest.mark.parametrize("dtype", ["<f4", ">f4", "<f8"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_cutout_of_any_float_and_order_is_what_numpy_loads(tmp_path, dtype, order):
    array = np.asarray(np.random.default_rng(0).normal(size=(61, 61, 5)).astype(dtype), order=order)
    np.save(tmp_path / "1.npy", array)
    for _ in range(2):
        found = fits.read(tmp_path / "1.npy")
        np.testing.assert_array_equal(found, array.astype(np.float32))
        assert found.dtype == np.float32
    content = (tmp_path / "1.npy").read_bytes()
    (tmp_path / "1.npy").write_bytes(content[:-4])
    with pytest.raises(BadFileError, match=r"expected a cut-out"):
        fits.read(tmp_path / "1.npy")
