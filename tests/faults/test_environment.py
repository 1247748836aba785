"""A machine that does not play along: full disks, folders that vanish or are read-only, clocks that jump."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from conftest import cutout, survey_rows, write_image, write_survey
from helpers import needed

from common.data.sources import chunk, open_source
from common.predict import results
from sdss_gs.__main__ import main as sdss_gs
from sdss_gs.dataset import open_dataset
from sdss_gs.errors import DataError, OptionError, ZooError
from sdss_gs.packing import reading
from sdss_gs.packing.pack import pack
from sdss_gs.packing.packed import Packed, packed_folder
from sdss_gs.schema import DEREDDENED, EXTINCTION, OPTIONAL, OUTPUTS, QUANTITIES
from sdss_gs.tables.catalogue import read_catalogue

from .kill_data import make_table, predict
from .killing import run_and_kill

NOBODY = 65534


def pack_all(folder, name="fits"):
    return pack(folder, name, read_catalogue(folder).objid, progress=False)


def test_disk_that_is_full_while_packing_is_one_line_and_the_next_run_completes(tmp_path, full_disk):
    folder = write_survey(tmp_path / "ds", survey_rows(20), ("fits",))
    full_disk(100_000)
    with pytest.raises(DataError, match="cannot write the packed arrays"):
        pack_all(folder)
    full_disk(0)
    assert pack_all(folder).available == 20
    assert not list(packed_folder(folder).rglob("*.part"))


@pytest.mark.parametrize("ending", [".parquet", ".csv", ".fits", ".vot"])
def test_disk_that_is_full_while_predicting_is_one_line_and_the_next_run_completes(tmp_path, full_disk, ending):
    make_table(tmp_path)
    full_disk(20_000)
    with pytest.raises(DataError, match="cannot write it"):
        predict(ending)(tmp_path)
    full_disk(0)
    assert not (tmp_path / f"out{ending}").exists()
    predict(ending)(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"in.parquet", f"out{ending}"}


def test_disk_that_is_full_while_importing_is_one_line_and_no_image_is_called_damaged(tmp_path, full_disk, capsys):
    for number in range(3):
        (tmp_path / "in" / "spiral").mkdir(parents=True, exist_ok=True)
        write_image(tmp_path / "in" / "spiral" / f"{number}.jpg", 60)
    command = ["import", "tree", str(tmp_path / "in"), str(tmp_path / "ds")]
    full_disk(300)
    assert sdss_gs(command) == 1
    full_disk(0)
    assert capsys.readouterr().err.strip().endswith("File too large")
    assert not (tmp_path / "ds" / "data.csv").exists()
    assert sdss_gs(command) == 0
    assert len((tmp_path / "ds" / "rejects.csv").read_text().splitlines()) == 1
    assert not list((tmp_path / "ds").rglob("*.part"))


@pytest.mark.parametrize("command", ["sample {}/new --n 2", "explore {}/ds --output {}/new.html"])
def test_disk_that_is_full_is_one_line_of_any_command(tmp_path, full_disk, capsys, command):
    write_survey(tmp_path / "ds", survey_rows(8), ("img",))
    full_disk(1000)
    assert sdss_gs(command.replace("{}", str(tmp_path)).split()) == 1
    full_disk(0)
    (line,) = [text for text in capsys.readouterr().err.splitlines() if "error" in text]
    assert "File too large" in line or "written" in line
    assert not (tmp_path / "new").exists()
    assert not (tmp_path / "new.html").exists()


def test_prediction_that_was_killed_after_its_last_step_leaves_nothing_once_it_is_asked_for_again(tmp_path):
    make_table(tmp_path)
    predict(".csv")(tmp_path)
    (tmp_path / "out.csv.pieces").mkdir()
    (tmp_path / "out.csv.pieces" / "000000.parquet").write_text("the plan is gone already")
    (tmp_path / "out.csv.lock").touch()
    with pytest.raises(OptionError, match="there is such a file already"):
        predict(".csv")(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"in.parquet", "out.csv"}


def test_index_that_a_killed_pack_no_longer_needed_is_removed_by_the_next_one(tmp_path):
    folder = write_survey(tmp_path / "ds", survey_rows(5), ("fits",))
    pack_all(folder)
    left = packed_folder(folder) / "fits" / "index-00000-abcdef.npy"
    left.write_text("no longer named")
    assert pack_all(folder).available == 5
    assert not left.exists()


def test_copy_of_the_catalogue_that_a_killed_run_began_is_removed(tmp_path):
    folder = write_survey(tmp_path / "ds", survey_rows(5))
    packed_folder(folder).mkdir()
    (packed_folder(folder) / "catalogue.npz.123.part").write_text("half")
    open_dataset(folder, ["bands"], progress=False)
    assert {path.name for path in packed_folder(folder).iterdir()} == {"catalogue.npz"}


def test_second_prediction_into_the_same_file_is_sent_away_and_spoils_nothing(tmp_path):
    make_table(tmp_path)
    seen = []

    source = open_source([tmp_path / "in.parquet"], ["bands"])

    def work(pieces):
        for number, objects in results.unfinished(source, pieces):
            if not seen:
                seen.append(True)
                with pytest.raises(OptionError, match="another process is writing it"):
                    predict(".parquet")(tmp_path)
            rows = pa.table({"objid": objects.ids})
            pieces.add(number, rows)
            yield len(rows)

    assert results.write_in_pieces(source, tmp_path / "out.parquet", {}, work, "predicting") == 3000
    assert {path.name for path in tmp_path.iterdir()} == {"in.parquet", "out.parquet"}


def test_files_that_vanish_while_they_are_packed_are_named_and_the_others_packed(tmp_path, monkeypatch):
    folder = write_survey(tmp_path / "ds", survey_rows(20), ("fits",))
    gone = sorted((folder / "fits").iterdir())[7]
    original = reading.read_file

    def vanish(name, path, layout):
        gone.unlink(missing_ok=True)
        return original(name, path, layout)

    monkeypatch.setattr(reading, "read_file", vanish)
    manifest = pack_all(folder)
    assert manifest.available == 19
    assert "No such file" in manifest.rejects[gone.stem]


def test_set_that_vanishes_before_it_is_packed_is_one_line_that_names_what_is_gone(tmp_path, monkeypatch):
    folder = write_survey(tmp_path / "ds", survey_rows(20), ("fits",))
    objid = read_catalogue(folder).objid
    import sdss_gs.packing.pack as packing

    original = packing.list_paths

    def vanish(*given):
        found = original(*given)
        shutil.rmtree(folder / "fits")
        return found

    monkeypatch.setattr(packing, "list_paths", vanish)
    with pytest.raises(DataError, match="No such file"):
        pack(folder, "fits", objid, progress=False)


def test_catalogue_that_vanishes_while_it_is_predicted_is_one_line(tmp_path, monkeypatch):
    make_table(tmp_path)
    monkeypatch.setattr(chunk, "ROWS_PER_CHUNK", 100)
    for ending in (".csv", ".fits", ".parquet"):
        path = tmp_path / f"table{ending}"
        if ending == ".csv":
            pd.read_parquet(tmp_path / "in.parquet").to_csv(path, index=False)
        elif ending == ".fits":
            from astropy.table import Table

            Table.read(tmp_path / "in.parquet").write(path)
        else:
            shutil.copy(tmp_path / "in.parquet", path)
        source = open_source([path], ["bands"])
        path.write_bytes(path.read_bytes()[:200])
        with pytest.raises(ZooError, match=r"expected (a table|10 cells in each row)"):
            list(source.chunks())


@pytest.mark.parametrize("moment", [0, 1, 2**31 + 5, 2**33, -86_400])
def test_times_of_files_in_any_century_pack_and_are_not_read_twice(tmp_path, monkeypatch, moment):
    folder = write_survey(tmp_path / "ds", survey_rows(5), ("fits",))
    for path in [folder / "data.csv", *(folder / "fits").iterdir()]:
        os.utime(path, (moment, moment))
    assert pack_all(folder).available == 5
    monkeypatch.setattr(reading, "read_file", lambda *_: pytest.fail("read twice"))
    assert pack_all(folder).available == 5


def test_clock_that_was_set_back_does_not_hide_a_changed_file(tmp_path):
    folder = write_survey(tmp_path / "ds", survey_rows(5), ("fits",))
    assert open_dataset(folder, ["fits"], progress=False).catalogue.numbers["redshift"].size == 5
    changed = sorted((folder / "fits").iterdir())[0]
    np.save(changed, cutout(9))
    os.utime(changed, (1, 1))
    (folder / "data.csv").write_text((folder / "data.csv").read_text().replace("GALAXY", "QSO"))
    os.utime(folder / "data.csv", (1, 1))
    data = open_dataset(folder, ["fits"], progress=False)
    assert float(data.load("fits", np.array([0])).max()) == 9
    assert set(data.catalogue.labels["class3"]) == {OUTPUTS["class3"].classes.index("QSO")}


@pytest.mark.skipif(os.getuid() != 0, reason=needed.PLATFORM)
def test_other_user_s_read_only_folder_is_one_line_and_packs_elsewhere():
    # Not pytest's own folder, into which no other user may look.
    folder = Path(tempfile.mkdtemp())
    try:
        folder.chmod(0o755)
        write_survey(folder / "ds", survey_rows(5), ("fits",))
        make_table(folder)
        (folder / "cache").mkdir()
        (folder / "cache").chmod(0o777)

        def as_nobody(here):
            os.setuid(NOBODY)
            os.environ["XDG_CACHE_HOME"] = str(here / "cache")
            with pytest.raises(DataError, match="cannot write it"):
                predict(".csv")(here)
            pack_all(here / "ds")
            target = packed_folder(here / "ds")
            assert target.is_relative_to(here / "cache")
            assert Packed(target / "fits").manifest.available == 5

        assert run_and_kill(as_nobody, folder, 60) == 0
        assert not (folder / "ds" / "packed").exists()
    finally:
        shutil.rmtree(folder)


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGINT])
def test_pack_that_is_asked_to_end_leaves_a_set_that_packs(tmp_path, by):
    folder = write_survey(tmp_path / "ds", survey_rows(12), ("fits",))
    script = (
        "import sys, time; from sdss_gs.packing import reading as r; read = r.read_file\n"
        "r.read_file = lambda *a: (time.sleep(0.1), read(*a))[1]\n"
        f"from sdss_gs.__main__ import main; sys.exit(main(['pack', {str(folder)!r}]))"
    )
    with subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.PIPE, text=True) as running:
        deadline = time.monotonic() + 30
        while not list(packed_folder(folder).glob("fits/*.part")) and time.monotonic() < deadline:
            time.sleep(0.01)
        running.send_signal(by)
        errors = running.communicate(timeout=20)[1]
    assert "Traceback" not in errors
    assert running.returncode == (130 if by == signal.SIGINT else -by)
    assert pack_all(folder).available == 12
    assert not list(packed_folder(folder).rglob("*.part"))


# === Sets with nothing, or one thing, in them ===


def test_set_without_a_single_value_is_read_as_missing_everywhere(tmp_path):
    rows = [dict.fromkeys(row, "") | {"objid": row["objid"]} for row in survey_rows(6)]
    read = read_catalogue(write_survey(tmp_path / "ds", rows))
    assert len(read) == 6
    assert all(np.isnan(read.numbers[column]).all() for column in QUANTITIES)
    assert all((labels == -1).all() for labels in read.labels.values())
    assert not read.problems


def test_set_of_one_object_packs(tmp_path):
    folder = write_survey(tmp_path / "ds", survey_rows(1), ("img", "fits", "spectra"))
    data = open_dataset(folder, ["img", "fits", "spectra", "bands"], progress=False)
    assert data.usable(["img", "fits", "spectra", "bands"], "redshift").tolist() == [0]


@pytest.mark.parametrize("cell", ["nan", "inf", "-inf", "1e308", "-1e308", "5e-324", "-9999", "99", "0"])
def test_no_absurd_number_gets_through_in_any_column(tmp_path, cell):
    rows = [dict.fromkeys(QUANTITIES, "") | row for row in survey_rows(3)]
    rows[1] |= dict.fromkeys(QUANTITIES, cell)
    pd.DataFrame(rows).to_csv(tmp_path / "data.csv", index=False)
    read = read_catalogue(tmp_path)
    for column, quantity in QUANTITIES.items():
        value = read.numbers[column][1]
        possible = cell == "5e-324" and quantity.low < 0 and column != DEREDDENED
        # No extinction is one; nobody's redshift or magnitude is 0.
        possible |= cell == "0" and column in (*EXTINCTION.values(), DEREDDENED)
        assert np.isnan(value) != possible
        assert column in OPTIONAL or np.isfinite(read.numbers[column][[0, 2]]).all()
