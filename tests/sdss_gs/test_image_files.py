"""Images of every kind enter as they look, or are refused; all doors have one rule of size and scale."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from sdss_gs.__main__ import main
from sdss_gs.errors import BadFileError
from sdss_gs.exchange.entry import Entry, image_bytes
from sdss_gs.exchange.item import Item
from sdss_gs.formats import img

COLOURS = np.random.default_rng(0).integers(0, 256, (150, 150, 3), np.uint8)
GREY = COLOURS[..., 0]


def grey_of(array):
    return np.repeat(np.asarray(array)[..., None], 3, axis=2)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_opaque_alpha_and_files_without_loss_keep_every_pixel(tmp_path, kind):
    path = tmp_path / f"1.{kind.lower()}"
    for mode in ("RGB", "RGBA"):
        Image.fromarray(COLOURS).convert(mode).save(path, kind, **({"lossless": True} if kind == "WEBP" else {}))
        np.testing.assert_array_equal(img.read(path), COLOURS)


@pytest.mark.parametrize(
    "image",
    [
        Image.fromarray(GREY),
        Image.fromarray(GREY).convert("LA"),
        Image.fromarray(GREY).convert("P"),
        Image.fromarray(GREY.astype(np.uint16) * 257),
        Image.fromarray(GREY.astype(np.uint16) * 256),
    ],
    ids=["8 bits", "alpha", "palette", "16 bits", "16 bits shifted"],
)
def test_grey_is_three_equal_colours(tmp_path, image):
    image.save(tmp_path / "1.png")
    np.testing.assert_array_equal(img.read(tmp_path / "1.png"), grey_of(GREY))


def test_cmyk_without_black_ink_is_rgb_upside_down(tmp_path):
    image = Image.fromarray(COLOURS).convert("CMYK")
    image.save(tmp_path / "1.tif")
    np.testing.assert_array_equal(img.read(tmp_path / "1.tif"), COLOURS)
    inks = np.asarray(image).copy()
    inks[3, 4, 3] = 200
    Image.fromarray(inks, "CMYK").save(tmp_path / "1.tif")
    with pytest.raises(BadFileError, match="CMYK with black ink, whose colours depend on the printer; save it as RGB"):
        img.read(tmp_path / "1.tif")


def with_alpha(alpha):
    return Image.fromarray(np.dstack([COLOURS, np.full((150, 150), alpha, np.uint8)]))


@pytest.mark.parametrize(
    ("image", "problem"),
    [
        (with_alpha(254), "expected an opaque image, found 22,500 transparent pixels"),
        (
            Image.fromarray(GREY.astype(np.uint16) * 3),
            "expected 256 levels of grey .* found numbers from 0 to 765",
        ),
        (
            Image.new("RGB", (150, 150), (3, 4, 5)),
            "expected an image that shows something, found one colour throughout",
        ),
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(tmp_path, image, problem):
    image.save(tmp_path / "1.png")
    with pytest.raises(BadFileError, match=problem):
        img.read(tmp_path / "1.png")


def deep_png(path):
    """Write 16 bits a colour, which Pillow reads as 8 without a word."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in COLOURS)
    header = struct.pack(">IIBBBBB", 150, 150, 16, 2, 0, 0, 0)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + parts)


def test_colours_of_16_bits_do_not_lose_half_of_them_in_any_door(tmp_path):
    deep_png(tmp_path / "1.png")
    with pytest.raises(BadFileError, match="expected 8 bits a colour, found 16; save it as RGB of 8 bits"):
        img.read(tmp_path / "1.png")
    with pytest.raises(BadFileError, match="expected 8 bits a colour, found 16"):
        image_bytes(Item("1", tmp_path / "1.png", {}), Entry())


def test_several_pictures_in_a_file_are_refused(tmp_path):
    image = Image.fromarray(COLOURS)
    image.save(tmp_path / "1.tif", save_all=True, append_images=[image])
    with pytest.raises(BadFileError, match="expected one picture in a file, found 2"):
        img.read(tmp_path / "1.tif")


def test_how_a_camera_was_held_is_not_looked_at(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(COLOURS).save(tmp_path / "1.png", exif=exif)
    np.testing.assert_array_equal(img.read(tmp_path / "1.png"), COLOURS)


def squares(side, spacing):
    """An image with a bright line every so many pixels from its middle."""
    places = np.abs(np.arange(side) - side / 2 + 0.5)
    pixels = np.full((side, side, 3), 40, np.uint8)
    pixels[:, (places % spacing) < 4] = 220
    return pixels


@pytest.mark.parametrize(("side", "scale"), [(256, 0.262), (512, 0.262), (2000, 0.1), (300, 0.25), (1000, 0.2)])
def test_larger_field_of_a_stated_scale_is_cropped_whatever_its_size(tmp_path, side, scale):
    spacing = 8 / scale
    Image.fromarray(squares(side, spacing)).save(tmp_path / "1.png")
    found = img.read(tmp_path / "1.png", scale=scale)[75, :, 0]
    assert img.entering((side, side), scale) == (scale != 0.2, True)
    # A line every 8 arcsec: in the middle, 40 and 80 of the zoo's pixels from it.
    lit = np.flatnonzero(found > 130)
    assert np.abs(np.array([lit[lit < 60].max(), lit[lit > 90].min()]) - [37, 112]).max() <= 4


def test_small_field_is_refused_at_any_scale(tmp_path):
    Image.fromarray(COLOURS).save(tmp_path / "1.png")
    with pytest.raises(BadFileError, match=r'expected a field of at least 20" a side, found 150x150 pixels of 0.1"'):
        img.read(tmp_path / "1.png", scale=0.1)


def test_whole_image_of_a_galaxy_that_fills_it_enters_as_the_refusal_says(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 255, (424, 424, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "1.png")
    with pytest.raises(BadFileError, match=r"--image-scale; .*0\.07075 takes them whole"):
        img.read(tmp_path / "1.png")
    whole = np.asarray(Image.fromarray(pixels).resize((150, 150), Image.Resampling.LANCZOS))
    np.testing.assert_array_equal(img.read(tmp_path / "1.png", scale=0.07075), whole)


def test_data_set_of_images_that_are_refused_does_not_promise_to_crop_them(tmp_path, capsys):
    (tmp_path / "img").mkdir()
    (tmp_path / "data.csv").write_text("objid,redshift\n1,0.1\n2,0.2\n")
    for name in ("1.png", "2.webp"):
        pixels = np.random.default_rng(0).integers(0, 255, (424, 424, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / "img" / name)
    assert main(["verify", str(tmp_path)]) == 1
    output = capsys.readouterr().out
    assert "img: refused: expected sides of 100 to 300 pixels" in output
    assert "cropped" not in output
    assert main(["verify", str(tmp_path), "--image-scale", "0.1"]) == 0
    output = capsys.readouterr().out
    assert "img: resampled from 0.1 to 0.2 arcsec per pixel" in output
    assert "424x424 pixels, cropped or edge-padded about the centre to 150x150" in output
    assert main(["pack", str(tmp_path), "--image-scale", "0.1"]) == 0
    assert "img: 2 packed, 0 refused" in capsys.readouterr().out


def test_of_two_images_of_an_object_the_jpeg_counts(tmp_path):
    from sdss_gs.formats.raw import list_paths

    (tmp_path / "img").mkdir()
    for name in ("5.png", "5.jpg", "6.PNG", "._7.jpg", "7.gif"):
        (tmp_path / "img" / name).touch()
    assert {key: value[-5:] for key, value in list_paths(tmp_path, "img").items()} == {5: "5.jpg", 6: "6.PNG"}
