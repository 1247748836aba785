import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from conftest import cutout, survey_rows, write_image, write_spectrum, write_survey

from sdss_gs.errors import BadFileError, DataError
from sdss_gs.files import unsealed
from sdss_gs.formats.raw import list_files, read_file
from sdss_gs.packing import pack as pack_module
from sdss_gs.packing import reading
from sdss_gs.packing import shards as shards_module
from sdss_gs.packing.pack import pack
from sdss_gs.packing.packed import Packed, packed_folder
from sdss_gs.tables.catalogue import read_catalogue


def pack_all(folder, name, **options):
    return pack(folder, name, read_catalogue(folder).objid, progress=False, **options)


def raw_arrays(folder, name):
    manifest = Packed(packed_folder(folder) / name).manifest
    return {objid: read_file(name, file.path, manifest.layout) for objid, file in list_files(folder, name).items()}


def packed_arrays(folder, name):
    packed, objid = Packed(packed_folder(folder) / name), read_catalogue(folder).objid
    rows, _ = packed.locate(objid)
    arrays = packed.take(rows[rows >= 0])
    return dict(zip(objid[rows >= 0].tolist(), arrays, strict=True))


def assert_packed_as_raw(folder, name):
    expected, found = raw_arrays(folder, name), packed_arrays(folder, name)
    assert found.keys() == expected.keys()
    for objid, array in expected.items():
        np.testing.assert_array_equal(found[objid], array)


def read_paths(monkeypatch):
    """Record which files are opened from here on."""
    opened = []
    original = reading.read_file

    def record(name, path, layout):
        opened.append(os.path.basename(path))
        return original(name, path, layout)

    monkeypatch.setattr(reading, "read_file", record)
    return opened


@pytest.fixture(params=["threads", "processes"])
def crew(request, monkeypatch):
    """Who reads, where more than one does."""
    if request.param == "processes":
        monkeypatch.setattr(reading, "MOST_THREADS", 0)


@pytest.mark.parametrize("name", ["img", "fits", "spectra", "ssel"])
def test_packed_arrays_equal_the_raw_files(survey, name):
    assert pack_all(survey, name).available == 12
    assert_packed_as_raw(survey, name)


def test_parallel_and_single_process_packs_are_equal(tmp_path, monkeypatch, crew):
    folder = write_survey(tmp_path / "ds", survey_rows(70), ("img",))
    monkeypatch.setattr(reading, "FEW_FILES", 1)
    assert pack_all(folder, "img", processes=2).available == 70
    assert_packed_as_raw(folder, "img")


def test_what_was_refused_under_older_rules_is_read_once_more(survey, monkeypatch):
    path = sorted((survey / "spectra").iterdir())[3]

    def older(name, file, layout):
        if file == str(path):
            raise BadFileError(file, "expected more")
        return read_file(name, file, layout)

    with monkeypatch.context() as before:
        before.setattr(reading, "read_file", older)
        before.setattr(pack_module, "RULES", 0)
        assert pack_all(survey, "spectra").rejects == {path.stem: "expected more"}
    opened = read_paths(monkeypatch)
    manifest = pack_all(survey, "spectra")
    assert (opened, manifest.available, manifest.rejects) == ([path.name], 12, {})
    path.write_text("Wavelength,Flux,BestFit\n")
    assert list(pack_all(survey, "spectra").rejects) == [path.stem]
    opened.clear()
    assert pack_all(survey, "spectra").available == 11
    assert opened == []


def test_second_pack_opens_no_file(survey, monkeypatch):
    pack_all(survey, "img")
    opened = read_paths(monkeypatch)
    assert pack_all(survey, "img").available == 12
    assert opened == []


def test_only_new_and_changed_files_are_read(survey, monkeypatch):
    rows = survey_rows(14)
    pack_all(survey, "img")
    write_survey(survey, rows)
    for row in rows[12:]:
        write_image(survey / "img" / f"{row['objid']}.jpg", 77)
    changed = survey / "img" / f"{rows[3]['objid']}.jpg"
    write_image(changed, 200)
    opened = read_paths(monkeypatch)
    assert pack_all(survey, "img").available == 14
    assert sorted(opened) == sorted(f"{row['objid']}.jpg" for row in (rows[3], *rows[12:]))
    assert_packed_as_raw(survey, "img")


def test_removed_file_is_no_longer_available(survey):
    pack_all(survey, "fits")
    gone = next((survey / "fits").iterdir())
    gone.unlink()
    assert pack_all(survey, "fits").available == 11
    assert int(gone.stem) not in packed_arrays(survey, "fits")


def test_bad_files_are_named_and_stay_out(survey):
    paths = sorted((survey / "img").iterdir())
    paths[0].write_bytes(paths[0].read_bytes()[:-30])
    write_image(paths[1], 10, size=(140, 150))
    manifest = pack_all(survey, "img")
    assert manifest.available == 10
    assert "damaged" in manifest.rejects[paths[0].stem]
    assert "found 140x150" in manifest.rejects[paths[1].stem]
    assert packed_arrays(survey, "img").keys() == {int(path.stem) for path in paths[2:]}


def test_repaired_file_is_taken_and_no_longer_named(survey):
    path = next((survey / "img").iterdir())
    good = path.read_bytes()
    path.write_bytes(good[:100])
    assert pack_all(survey, "img").available == 11
    path.write_bytes(good)
    manifest = pack_all(survey, "img")
    assert (manifest.available, manifest.rejects) == (12, {})


def test_set_of_smaller_images_enters_padded_and_a_stranger_among_them_not(survey):
    for number, path in enumerate(sorted((survey / "img").iterdir())):
        write_image(path, 20 * number, size=(120, 120) if number else (150, 150))
    manifest = pack_all(survey, "img")
    assert manifest.layout.size == (120, 120)
    assert manifest.available == 11
    assert "expected 120x120 pixels as the rest of the set, found 150x150" in next(iter(manifest.rejects.values()))


def test_another_image_scale_packs_again(survey):
    for path in (survey / "img").iterdir():
        write_image(path, 0, size=(150, 150))
    pack_all(survey, "img")
    before = next(iter(packed_arrays(survey, "img").values()))
    pack_all(survey, "img", image_scale=0.4)
    after = next(iter(packed_arrays(survey, "img").values()))
    assert ((before[75, :, 0] > 128).sum(), (after[75, :, 0] > 128).sum()) == (10, 20)


def test_spectra_of_any_consistent_length_are_packed(survey):
    wavelength = np.arange(4000.0, 8000.0, 2.0)
    for path in (survey / "spectra").iterdir():
        write_spectrum(path, wavelength, wavelength)
    short = next((survey / "spectra").iterdir())
    write_spectrum(short, wavelength[:-3], wavelength[:-3])
    manifest = pack_all(survey, "spectra")
    assert manifest.layout.shape == (2, 2000)
    assert manifest.rejects == {short.stem: "expected 2000 points (SDSS's standard is 3522), found 1997"}


def test_files_without_catalogue_row_or_with_other_names_are_passed_over(survey):
    write_image(survey / "img" / "12345.jpg", 1)
    write_image(survey / "img" / "thumbnail.jpg", 1)
    (survey / "img" / "notes.txt").write_text("x")
    assert pack_all(survey, "img").available == 12


def test_upper_case_ending_is_taken(survey):
    path = next((survey / "img").iterdir())
    path.rename(path.with_suffix(".JPG"))
    assert pack_all(survey, "img").available == 12


def test_several_shards_are_gathered_in_any_order(survey, monkeypatch):
    monkeypatch.setattr(pack_module, "SMALLEST_SHARD", 61 * 61 * 5 * 4 * 5)
    pack_all(survey, "fits")
    assert len(Packed(packed_folder(survey) / "fits").manifest.shards) == 3
    assert_packed_as_raw(survey, "fits")
    packed = Packed(packed_folder(survey) / "fits")
    rows = np.array([11, 0, 7, 7, 3])
    np.testing.assert_array_equal(packed.take(rows), np.stack([packed.take(np.array([row]))[0] for row in rows]))


def test_part_of_a_spectrum_table_is_that_column(survey):
    pack_all(survey, "spectra")
    packed = Packed(packed_folder(survey) / "spectra")
    rows = np.array([2, 0])
    np.testing.assert_array_equal(packed.take(rows, 1), packed.take(rows)[:, 1])


def test_read_only_set_is_packed_in_the_users_cache(survey, tmp_path):
    for path in (survey, *survey.iterdir()):
        path.chmod(path.stat().st_mode & ~0o222)
    try:
        assert pack_all(survey, "img").available == 12
        assert not (survey / "packed").exists()
        assert packed_folder(survey).is_relative_to(tmp_path / "cache")
        assert_packed_as_raw(survey, "img")
    finally:
        for path in (survey, *survey.iterdir()):
            path.chmod(path.stat().st_mode | 0o200)


def test_unwritable_packed_folder_is_one_clear_error(survey):
    (survey / "packed").write_text("in the way")
    with pytest.raises(DataError, match="cannot write the packed arrays"):
        pack_all(survey, "img")


def test_damaged_manifest_is_named(survey):
    pack_all(survey, "img")
    (packed_folder(survey) / "img" / "manifest.json").write_text("{")
    with pytest.raises(DataError, match=r"manifest\.json: expected a manifest"):
        pack_all(survey, "img")


@pytest.mark.parametrize("pattern", ["index*.npy", "0*.npy"])
def test_damaged_packed_array_is_named(survey, pattern):
    pack_all(survey, "img")
    (path,) = (packed_folder(survey) / "img").glob(pattern)
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(DataError, match=rf"{path.name}: expected a packed array.*delete"):
        Packed(path.parent)


def test_set_packed_by_another_version_is_packed_again(survey, monkeypatch):
    pack_all(survey, "img")
    path = packed_folder(survey) / "img" / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"version": -1}))
    opened = read_paths(monkeypatch)
    assert pack_all(survey, "img").available == 12
    assert len(opened) == 12
    assert len(list(path.parent.glob("0*.npy"))) == 1


@pytest.mark.parametrize("damaged", ["0*.npy", "index*.npy", "manifest.json"])
def test_packed_file_in_which_one_bit_changed_is_noticed_wherever_it_is(survey, damaged):
    pack_all(survey, "fits")
    target = packed_folder(survey) / "fits"
    objid = read_catalogue(survey).objid

    def read():
        packed = Packed(target)
        return packed.take(packed.locate(objid)[0])

    whole_rows = read()
    (path,) = target.glob(damaged)
    whole = path.read_bytes()
    for place in np.linspace(0, len(whole) - 1, 40).astype(int).tolist():
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        with pytest.raises(DataError, match=re.escape(str(target))):
            read()
    path.write_bytes(whole)
    assert np.array_equal(read(), whole_rows)


def test_set_packed_before_there_were_checksums_is_read_as_it_is(survey, monkeypatch):
    pack_all(survey, "fits")
    path = packed_folder(survey) / "fits" / "manifest.json"
    content = unsealed(json.loads(path.read_text()))
    del content["index_checksum"]
    path.write_text(json.dumps(content))
    opened = read_paths(monkeypatch)
    assert pack_all(survey, "fits").available == 12
    assert not opened


def test_killed_pack_keeps_finished_shards_and_goes_on(tmp_path):
    folder = write_survey(tmp_path / "ds", survey_rows(60), ("img",))
    script = (
        "import sys, time; from sdss_gs.packing import pack as p, reading as r\n"
        "from sdss_gs.tables.catalogue import read_catalogue\n"
        "p.SMALLEST_SHARD = 10 * 150 * 150 * 3; read = r.read_file\n"
        "r.read_file = lambda *a: (time.sleep(0.02), read(*a))[1]\n"
        f"p.pack({str(folder)!r}, 'img', read_catalogue({str(folder)!r}).objid, progress=False)"
    )
    process = subprocess.Popen([sys.executable, "-c", script])
    target = packed_folder(folder) / "img"
    deadline = time.monotonic() + 30
    while len(list(target.glob("0000*.npy"))) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    finished = Packed(target).manifest.available
    assert 10 <= finished < 60
    assert pack_all(folder, "img").available == 60
    assert_packed_as_raw(folder, "img")
    assert not list(target.glob("*.part"))


def test_two_processes_pack_the_same_set_at_once(tmp_path):
    folder = write_survey(tmp_path / "ds", survey_rows(40), ("img", "fits"))
    command = [sys.executable, "-m", "sdss_gs", "pack", str(folder)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    for process in running:
        output, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
        assert "img: 40 packed, 0 refused" in output
    assert_packed_as_raw(folder, "img")
    assert len(Packed(packed_folder(folder) / "img").manifest.shards) == 1


def test_of_many_files_new_and_gone_ones_are_noticed_and_all_are_looked_at_when_asked(survey, monkeypatch):
    pack_all(survey, "fits")
    monkeypatch.setattr(pack_module, "WATCHED", 5)
    monkeypatch.setattr(pack_module, "SPOT_CHECKED", 1)
    looked_at = []
    original = pack_module.stamped
    monkeypatch.setattr(pack_module, "stamped", lambda path: looked_at.append(path) or original(path))
    opened = read_paths(monkeypatch)
    pack_all(survey, "fits")
    assert (len(looked_at), opened) == (1, [])
    one, other = sorted((survey / "fits").iterdir())[:2]
    np.save(one, cutout(7))
    pack_all(survey, "fits", thorough=True)
    assert opened == [one.name]
    other.unlink()
    assert pack_all(survey, "fits").available == 11


def test_files_read_side_by_side_are_packed_as_one_by_one(tmp_path, monkeypatch, crew):
    folder = write_survey(tmp_path / "many", survey_rows(40), ["fits"])
    monkeypatch.setattr(reading, "FEW_FILES", 10)
    monkeypatch.setattr(shards_module, "FILES_PER_GROUP", 3)
    monkeypatch.setattr(reading, "FILES_PER_WRITE", 2)
    monkeypatch.setattr(pack_module, "SMALLEST_SHARD", 61 * 61 * 5 * 4 * 10)
    (folder / "fits" / f"{survey_rows(40)[7]['objid']}.npy").write_bytes(b"junk")
    packed = []
    for processes in (1, 3):
        shutil.rmtree(folder / "packed", ignore_errors=True)
        manifest = pack_all(folder, "fits", processes=processes)
        assert (manifest.available, len(manifest.rejects), len(manifest.shards)) == (39, 1, 4)
        packed.append((Packed(packed_folder(folder) / "fits").index["checksum"], packed_arrays(folder, "fits")))
    np.testing.assert_array_equal(packed[0][0], packed[1][0])
    np.testing.assert_equal(packed[0][1], packed[1][1])
    (folder / "fits" / f"{survey_rows(40)[7]['objid']}.npy").unlink()
    assert_packed_as_raw(folder, "fits")


def test_process_that_is_killed_is_named_and_the_next_run_goes_on(tmp_path, monkeypatch):
    folder = write_survey(tmp_path / "many", survey_rows(40), ["fits"])
    monkeypatch.setattr(reading, "FEW_FILES", 10)
    monkeypatch.setattr(reading, "MOST_THREADS", 0)
    with monkeypatch.context() as patch:
        patch.setattr(reading, "_read", lambda group: os.kill(os.getpid(), signal.SIGKILL))
        with pytest.raises(DataError, match="one was killed"):
            pack_all(folder, "fits", processes=2)
    assert pack_all(folder, "fits", processes=2).available == 40
    assert_packed_as_raw(folder, "fits")


def test_error_in_another_thread_or_process_is_one_line(tmp_path, monkeypatch, crew):
    folder = write_survey(tmp_path / "many", survey_rows(40), ["fits"])
    monkeypatch.setattr(reading, "FEW_FILES", 10)

    def full(_group):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(reading, "_read", full)
    with pytest.raises(DataError, match=r"cannot write the packed arrays: .*No space left on device"):
        pack_all(folder, "fits", processes=2)


def test_script_without_a_main_guard_may_pack_in_several_processes(tmp_path):
    folder = write_survey(tmp_path / "many", survey_rows(40), ["fits"])
    script = tmp_path / "script.py"
    script.write_text(
        "from sdss_gs.packing import pack, reading\nfrom sdss_gs.tables.catalogue import read_catalogue\n"
        "reading.FEW_FILES, reading.MOST_THREADS = 10, 0\n"
        f"print(pack.pack({str(folder)!r}, 'fits', read_catalogue({str(folder)!r}).objid, processes=2).available)\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("40\n", "")


def test_file_replaced_by_renaming_is_read_again(survey, tmp_path, monkeypatch):
    pack_all(survey, "fits")
    path = next((survey / "fits").iterdir())
    np.save(tmp_path / "new.npy", cutout(7))
    os.replace(tmp_path / "new.npy", path)
    opened = read_paths(monkeypatch)
    pack_all(survey, "fits")
    assert opened == [path.name]
    assert packed_arrays(survey, "fits")[int(path.stem)][0, 0, 0] == 7
