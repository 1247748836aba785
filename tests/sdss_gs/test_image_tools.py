"""Pictures of frames and cut-outs, crops and contact sheets, made from sources whose place is known."""

import bz2
import io

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from conftest import FIRST_ID, survey_rows, write_survey
from PIL import Image

from sdss_gs.__main__ import main
from sdss_gs.formats.composite import colour
from sdss_gs.picture.crop import crop, find_region
from sdss_gs.sample.camera import colour_image
from sdss_gs.schema import BANDS, CUTOUT_SCALE


def write_frame(path, offset, shape=(80, 100)):
    """One star at column 60, row 25 of the unshifted frame; `offset` (x, y) moves the camera."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval = ["RA---TAN", "DEC--TAN"], [150.0, 20.0]
    wcs.wcs.crpix = [61 + offset[0], 26 + offset[1]]
    wcs.wcs.cdelt = [-CUTOUT_SCALE / 3600, CUTOUT_SCALE / 3600]
    y, x = np.indices(shape)
    pixels = 20 * np.exp(-((x - 60 - offset[0]) ** 2 + (y - 25 - offset[1]) ** 2) / 8)
    content = path.with_suffix(".tmp")
    fits.PrimaryHDU(pixels.astype(">f4"), wcs.to_header()).writeto(content)
    path.write_bytes(bz2.compress(content.read_bytes()))
    return str(path)


def opened(path):
    with Image.open(path) as image:
        return np.asarray(image)


def centroid(layer):
    y, x = np.indices(layer.shape)
    return np.array([(x * layer).sum(), (y * layer).sum()]) / layer.sum()


def test_colours_of_a_composite_lie_on_one_another_and_the_right_way_up(tmp_path):
    offsets = {"i": (0, 0), "r": (3.4, -2.7), "g": (-5.2, 4.5)}
    frames = [write_frame(tmp_path / f"{band}.fits.bz2", offset) for band, offset in offsets.items()]
    assert main(["image", "rgb", *frames, str(tmp_path / "rgb.png")]) == 0
    picture = opened(tmp_path / "rgb.png").astype(float)
    for layer in np.moveaxis(picture, 2, 0):
        assert np.abs(centroid(np.where(layer > 100, layer, 0)) - [60, 80 - 1 - 25]).max() < 0.3


def galaxy():
    """Make a field around a galaxy with g − r = 0.75 and r − i = 0.4, nanomaggies per pixel."""
    y, x = np.indices((81, 81))
    light = np.exp(-((x - 40) ** 2 + (y - 40) ** 2) / 40)[..., None]
    return (light * np.array([0.15, 0.5, 1.0, 1.45, 1.9])).astype(np.float32)


def test_composites_have_the_colours_that_models_learn_from(tmp_path):
    """Real frames have them too: see `sdss_gs.formats.composite`."""
    np.save(tmp_path / "1.npy", galaxy())
    assert main(["image", "rgb", str(tmp_path / "1.npy"), str(tmp_path / "rgb.png")]) == 0
    found, expected = opened(tmp_path / "rgb.png"), np.asarray(colour_image(galaxy()))
    core = [picture[picture.mean(axis=2) > 60].mean(axis=0) for picture in (found, expected)]
    np.testing.assert_allclose(*core, atol=3)


def test_noise_of_the_sky_is_grey_though_only_two_bands_are_resampled(tmp_path):
    paths = []
    for seed, (band, offset) in enumerate({"i": (0, 0), "r": (3.4, -2.7), "g": (-5.2, 4.5)}.items()):
        paths.append(write_frame(tmp_path / f"{band}.fits.bz2", offset))
        content = bz2.decompress((tmp_path / f"{band}.fits.bz2").read_bytes())
        with fits.open(io.BytesIO(content)) as units:
            units[0].data[:] = np.random.default_rng(seed).normal(0, (0.036, 0.028, 0.02)[seed], units[0].data.shape)
            units.writeto(tmp_path / f"{band}.fits")
        paths[-1] = str(tmp_path / f"{band}.fits")
    assert main(["image", "rgb", *paths, str(tmp_path / "rgb.png")]) == 0
    picture = opened(tmp_path / "rgb.png").astype(float)
    assert np.ptp(picture[picture.any(axis=2)].mean(axis=0)) < 2


def test_weights_of_the_bands_are_the_user_s_to_choose(tmp_path, capsys):
    np.save(tmp_path / "1.npy", galaxy())
    command = ["image", "rgb", str(tmp_path / "1.npy"), str(tmp_path / "rgb.png")]
    assert main([*command, "--weights", "1,1.45,2.9", "--black", "0"]) == 0
    assert np.ptp(opened(tmp_path / "rgb.png").astype(int), axis=2).max() <= 1
    for wrong in ("1,2", "1,x,2", "1,0,1", "1,nan,1"):
        assert main([*command, "--weights", wrong]) == 1
        assert f"--weights {wrong}: expected three numbers above 0" in capsys.readouterr().err


@pytest.mark.parametrize("interval", ["zscale", "minmax", "percentile"])
def test_a_frame_becomes_a_picture_with_its_first_row_at_the_bottom(tmp_path, interval):
    frame = write_frame(tmp_path / "r.fits.bz2", (0, 0))
    assert main(["image", "convert", frame, str(tmp_path / "r.png"), "--interval", interval]) == 0
    picture = opened(tmp_path / "r.png")
    assert picture[54, 60] == 255
    assert picture[25, 60] == 0


def test_a_file_that_is_no_frame_is_named(tmp_path, capsys):
    (tmp_path / "x.fits").write_bytes(b"nothing")
    assert main(["image", "convert", str(tmp_path / "x.fits"), str(tmp_path / "x.png")]) == 1
    assert "x.fits: expected a FITS image" in capsys.readouterr().err
    assert not (tmp_path / "x.png").exists()


def scene(x, y, radius=20, side=200):
    rows, columns = np.indices((side, side))
    grey = np.where((columns - x) ** 2 + (rows - y) ** 2 <= radius**2, 200, 10)
    grey[5:9, 5:9] = 250
    return np.repeat(grey[..., None], 3, axis=2).astype(np.uint8)


@pytest.mark.parametrize("threshold", ["otsu", "sigma"])
@pytest.mark.parametrize(("x", "y"), [(120, 70), (195, 100)])
def test_the_crop_is_centred_on_the_object_and_not_on_a_speck(threshold, x, y):
    pixels = scene(x, y)
    region = find_region(pixels, threshold)
    middle = np.array([region.x, region.y]) + (region.side - 1) / 2
    visible = (x - 20 + min(x + 20, 199)) / 2
    assert region.found
    assert np.abs(middle - [visible, y]).max() <= 1
    assert crop(pixels, region).shape == (150, 150, 3)
    assert crop(pixels, region, 64, grey=True).shape == (64, 64)


@pytest.mark.parametrize("threshold", ["otsu", "sigma"])
def test_the_galaxy_in_the_middle_is_cut_and_not_a_brighter_star_beside_it(threshold):
    pixels = np.maximum(scene(105, 95, radius=9), scene(150, 150, radius=14))
    region = find_region(pixels, threshold)
    assert np.abs(np.array([region.x, region.y]) + (region.side - 1) / 2 - [105, 95]).max() <= 1
    # Something faint in the middle is not the object.
    pixels = np.maximum(scene(100, 100, radius=2), scene(150, 150, radius=14))
    region = find_region(pixels, threshold)
    assert np.abs(np.array([region.x, region.y]) + (region.side - 1) / 2 - 150).max() <= 1


def test_a_cut_out_becomes_a_picture_with_its_first_row_at_the_bottom(tmp_path):
    cutout = np.zeros((61, 61, 5), np.float32)
    cutout[10, 20, BANDS.index("i")] = cutout[40, 50, BANDS.index("g")] = 3
    np.save(tmp_path / "1.npy", cutout)
    assert main(["image", "rgb", str(tmp_path / "1.npy"), str(tmp_path / "rgb.png"), "--smoothing", "0"]) == 0
    picture = opened(tmp_path / "rgb.png")
    assert picture[50, 20, 0] > 100 > picture[50, 20, 2]
    assert picture[20, 50, 2] > 100 > picture[20, 50, 0]
    np.testing.assert_array_equal(picture, colour(cutout))
    assert main(["image", "convert", str(tmp_path / "1.npy"), str(tmp_path / "i.png"), "--band", "i"]) == 0
    assert opened(tmp_path / "i.png")[50, 20] == 255


def test_a_flat_image_is_cut_in_the_middle_and_that_is_said(tmp_path, capsys):
    Image.fromarray(np.full((90, 120, 3), 7, np.uint8)).save(tmp_path / "flat.png")
    assert main(["image", "crop", str(tmp_path / "flat.png"), str(tmp_path / "out.png")]) == 0
    assert "nothing stands out" in capsys.readouterr().err
    assert opened(tmp_path / "out.png").shape[1::-1] == (150, 150)


def test_a_folder_is_cropped_and_a_bad_file_named(tmp_path, capsys):
    (tmp_path / "in").mkdir()
    Image.fromarray(scene(100, 100)).save(tmp_path / "in" / "good.png")
    (tmp_path / "in" / "bad.jpg").write_bytes(b"nothing")
    assert main(["image", "crop", str(tmp_path / "in"), str(tmp_path / "out")]) == 1
    assert "bad.jpg: expected an image" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["good.png"]


def test_an_image_is_never_written_over_by_what_is_made_of_it(tmp_path, capsys):
    (tmp_path / "in").mkdir()
    Image.fromarray(scene(100, 100)).save(tmp_path / "in" / "a.png")
    before = (tmp_path / "in" / "a.png").read_bytes()
    (tmp_path / "link").symlink_to(tmp_path / "in")
    one = str(tmp_path / "in" / "a.png")
    for arguments in (["crop", one, one], ["crop", str(tmp_path / "in"), str(tmp_path / "link")], ["sheet", one, one]):
        assert main(["image", *arguments]) == 1
        assert "it is the input" in capsys.readouterr().err
    assert (tmp_path / "in" / "a.png").read_bytes() == before


def test_a_sheet_shows_the_objects_asked_for_and_refuses_unknown_ones(tmp_path, capsys):
    write_survey(tmp_path / "ds", survey_rows(6), ["img"])
    arguments = ["image", "sheet", str(tmp_path / "ds"), str(tmp_path / "sheet.png"), "--columns", "2"]
    assert main([*arguments, "--n", "5"]) == 0
    five = opened(tmp_path / "sheet.png").shape[1::-1]
    assert main([*arguments, "--ids", str(FIRST_ID)]) == 0
    one = opened(tmp_path / "sheet.png").shape[1::-1]
    assert five[0] > 1.9 * one[0]
    assert five[1] > 2.9 * one[1]
    assert main([*arguments, "--ids", "12"]) == 1
    assert "12" in capsys.readouterr().err
