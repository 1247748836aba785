"""Objects as files of their own: which of a folder's files are taken, and what becomes of each."""

import gzip

import numpy as np
import pytest
from astropy.io import fits as astropy_fits
from conftest import cutout, survey_rows, write_image, write_spectrum, write_survey

from common.data.sources import open_source
from common.outputs.flags import Flag
from sdss_gs.__main__ import main
from sdss_gs.dataset import open_dataset
from sdss_gs.schema import INPUTS, WAVELENGTH

TABLE = 10.0 ** (np.arange(35900, 39600) * 1e-4)


def loaded(source, name, column=""):
    (chunk,) = source.chunks()
    return chunk.ids.to_pylist(), chunk.load(INPUTS[name], INPUTS[name].shape, column)


def test_what_is_passed_over_is_counted_and_named(tmp_path):
    write_image(tmp_path / "a.png", 90)
    for name in ("._a.png", "b.gif", "c.txt", ".DS_Store", "d.bmp", "e.heic"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "more").mkdir()
    source = open_source([tmp_path], ["img"])
    assert source.count == 1
    (note,) = source.notes
    assert "passed over 7 files or folders: .DS_Store, ._a.png, b.gif, c.txt, d.bmp, …" in note
    (tmp_path / "only").mkdir()
    write_image(tmp_path / "only" / "a.webp", 90)
    assert open_source([tmp_path / "only"], ["img"]).notes == []


def test_table_beside_the_images_is_no_galaxy_without_an_image(tmp_path):
    write_image(tmp_path / "a.png", 90)
    (tmp_path / "labels.csv").write_text("file,shape\na.png,ring\n")
    source = open_source([tmp_path], ["img"])
    assert source.count == 1
    assert "passed over 1 file or folder: labels.csv (taken: files that end in .jpg" in source.notes[0]
    assert open_source([tmp_path], ["img", "spectra"]).count == 2


def test_compressed_files_are_objects_by_their_names_without_any_ending(tmp_path):
    cube = np.moveaxis(cutout(1), 2, 0)
    astropy_fits.writeto(tmp_path / "a.fits", cube)
    (tmp_path / "b.FITS.gz").write_bytes(gzip.compress((tmp_path / "a.fits").read_bytes()))
    ids, found = loaded(open_source([tmp_path], ["fits"]), "fits")
    assert ids == ["a", "b"]
    assert found.flags.tolist() == [0, 0]
    np.testing.assert_array_equal(found.values[1], cutout(1))


def test_scale_tells_resampled_from_cropped(tmp_path):
    write_image(tmp_path / "a.jpg", 90)
    write_image(tmp_path / "b.jpg", 90, (256, 256))
    write_image(tmp_path / "c.jpg", 90, (424, 424))
    flags = {
        scale: loaded(open_source([tmp_path], ["img"], image_scale=scale), "img")[1] for scale in (None, 0.2, 0.262)
    }
    cropped, both = int(Flag.CROPPED), int(Flag.CROPPED | Flag.RESAMPLED)
    assert flags[None].flags.tolist() == [0, cropped, int(Flag.BAD_INPUT)]
    assert "--image-scale" in flags[None].problems[2]
    assert flags[0.2].flags.tolist() == [0, cropped, cropped]
    assert flags[0.262].flags.tolist() == [both, both, both]


def test_folder_of_images_of_another_size_says_so_of_each(tmp_path):
    folder = write_survey(tmp_path / "ds", survey_rows(3))
    (folder / "img").mkdir()
    for row in survey_rows(3):
        write_image(folder / "img" / f"{row['objid']}.jpg", 90, (200, 200))
    _, found = loaded(open_source([folder], ["img"], progress=False), "img")
    assert found.flags.tolist() == [int(Flag.CROPPED)] * 3


def test_data_set_of_larger_cut_outs_says_so(tmp_path, capsys):
    rows = survey_rows(2)
    folder = write_survey(tmp_path / "ds", rows, ("fits",))
    assert main(["verify", str(folder)]) == 0
    assert "middle" not in capsys.readouterr().out
    for row in rows:
        np.save(folder / "fits" / f"{row['objid']}.npy", np.pad(cutout(1), ((5, 5), (6, 6), (0, 0))))
    for command in ("verify", "pack", "info"):
        assert main([command, str(folder)]) == 0
        assert ("fits: 73x71 pixels, of which the middle 61x61 are taken" in capsys.readouterr().out) == (
            command != "pack"
        )


def test_what_a_data_set_passes_over_is_counted_and_named(tmp_path, capsys):
    rows = survey_rows(2)
    folder = write_survey(tmp_path / "ds", rows, ("img",))
    others = sorted(["._1.jpg", "7.gif", f"{rows[0]['objid']}.png", "NGC1300.jpg"])
    for name in others:
        (folder / "img" / name).write_bytes(b"x")
    source = open_source([folder], ["img"], progress=False)
    named = f"passed over 4 files or folders: {', '.join(others)}"
    assert [named in note for note in source.notes] == [True]
    assert loaded(source, "img")[1].flags.tolist() == [0, 0]
    for command in ("info", "verify"):
        assert main([command, str(folder)]) == 0
        assert named in capsys.readouterr().out


@pytest.mark.parametrize("column", ["BestFit", "Flux"])
def test_spectrum_without_a_column_is_refused_for_that_one_only(tmp_path, column):
    rows = survey_rows(3)
    folder = write_survey(tmp_path / "ds", rows, ("spectra",))
    write_spectrum(tmp_path / "whole.csv", TABLE, TABLE / 1000)
    lines = [line.split(",")[:2] for line in (tmp_path / "whole.csv").read_text().splitlines()]
    (folder / "spectra" / f"{rows[1]['objid']}.csv").write_text("\n".join(",".join(line) for line in lines))
    _, found = loaded(open_source([folder], ["spectra"], progress=False), "spectra", column)
    good = [0, int(Flag.BAD_INPUT) if column == "BestFit" else 0, 0]
    assert found.flags.tolist() == good
    assert list(found.problems.values()) == ["spectra: expected a usable BestFit, found none"] * (column == "BestFit")
    assert np.isfinite(found.values).all()
    data = open_dataset(folder, ["spectra", "ssel"], column=column, progress=False)
    assert len(data.usable(["spectra"])) == len(data.usable(["ssel"])) == good.count(0)
    assert data.load("spectra", data.usable(["spectra"]), column).shape[1] == len(WAVELENGTH)
