"""The published data set from a played Zenodo, with everything on the way that may go wrong."""

import io
import os
import resource
import shutil
import signal
import stat
import subprocess
import sys
import tarfile
import time
import zipfile
from collections import namedtuple

import pytest
from conftest import ROOT, survey_rows, write_survey
from filelock import FileLock
from helpers.misbehaving import Trouble
from helpers.zenodo import CONCEPT, Zenodo, zipped

from sdss_gs.__main__ import main
from sdss_gs.download import download
from sdss_gs.download.layout import named_input
from sdss_gs.download.unpack import unpack
from sdss_gs.errors import BadFileError, DataError, OptionError, RemoteError
from sdss_gs.locate import default_folder
from sdss_gs.remote import Client


def tarred(folder, mode, top="data"):
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode=mode) as archive:
        archive.add(folder, top)
    return target.getvalue()


def content(folder):
    """Bytes of every file of a data set, by path."""
    files = (
        path for path in folder.rglob("*") if path.is_file() and path.name not in ("download.json", "download.lock")
    )
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def survey(tmp_path_factory):
    """A small survey that no test changes."""
    folder = tmp_path_factory.mktemp("made") / "survey"
    return write_survey(folder, survey_rows(3), ("img", "fits", "spectra", "ssel"))


@pytest.fixture
def zenodo():
    with Zenodo() as server:
        yield server


@pytest.fixture
def split(zenodo, survey):
    """A set in one archive per input, and a table and a description beside them."""
    archives = {"data.csv": (survey / "data.csv").read_bytes(), "README.txt": b"columns: see the DOI"}
    archives |= {f"sdss-gs_{name}.zip": zipped(survey, "", [name]) for name in ("img", "fits", "spectra", "ssel")}
    return zenodo.publish(6393488, "1.0", archives)


def get(zenodo, folder, **options):
    said = []
    client = Client(attempts=3, backoff=0.01, timeout=(2, 0.5), at_once=3)
    done = download(folder, host=zenodo.url, client=client, say=said.append, **options)
    return done, "\n".join(said)


# === The good days ===


@pytest.mark.parametrize("form", ["list", "entries"])
def test_one_archive_becomes_a_data_set(zenodo, survey, tmp_path, form):
    zenodo.form = form
    zenodo.publish(6393488, "1.0", {"sdss-gs.zip": zipped(survey)})
    done, said = get(zenodo, tmp_path / "new" / "sdss-gs")
    assert done
    assert "version 1.0 (record 6393488, 2022-04-28)" in said
    assert content(tmp_path / "new" / "sdss-gs") == content(survey)
    assert {path.name for path in (tmp_path / "new" / "sdss-gs").iterdir()} == {
        "data.csv", "img", "fits", "spectra", "ssel", "download.json", "download.lock",
    }  # fmt: skip


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_every_kind_of_tar_is_unpacked(zenodo, survey, tmp_path, mode):
    zenodo.publish(6393488, "1.0", {f"data.tar.{mode}".replace(":", ""): tarred(survey, mode)})
    get(zenodo, tmp_path / "ds")
    assert content(tmp_path / "ds") == content(survey)


def test_archives_by_input_are_joined(split, survey, tmp_path):
    get(split, tmp_path / "ds")
    assert content(tmp_path / "ds") == content(survey)


def test_flat_archives_and_several_parts_of_one_input_find_their_places(zenodo, survey, tmp_path):
    parts = sorted((survey / "img").iterdir())
    archives = {"data.csv": (survey / "data.csv").read_bytes()}
    for number, chosen in enumerate((parts[:1], parts[1:])):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for path in chosen:
                archive.write(path, path.name)
        archives[f"images{number}.zip"] = buffer.getvalue()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in ("fits", "spectra"):
            for path in (survey / name).iterdir():
                archive.write(path, f"everything/{path.name}")
        archive.writestr("__MACOSX/everything/._1.csv", b"junk")
    zenodo.publish(6393488, "", archives | {"rest.zip": buffer.getvalue()})
    _, said = get(zenodo, tmp_path / "ds")
    expected = {name: body for name, body in content(survey).items() if not name.startswith("ssel")}
    assert content(tmp_path / "ds") == expected
    assert "without ssel" in said


def test_complete_set_says_so_without_a_request(split, tmp_path):
    get(split, tmp_path / "ds")
    split.requests.clear()
    done, said = get(split, tmp_path / "ds")
    assert not done
    assert "is complete: version 1.0" in said
    assert not split.requests


def test_some_inputs_first_and_others_later(split, survey, tmp_path):
    _, said = get(split, tmp_path / "ds", inputs=["img"])
    assert "sdss-gs_fits.zip, 0.0 MB: passed over, it is fits" in said
    assert {name.split("/")[0] for name in content(tmp_path / "ds")} == {"data.csv", "img"}
    assert not [request for request in split.bodies() if "spectra" in request.path]
    get(split, tmp_path / "ds", inputs=["fits", "img"])
    get(split, tmp_path / "ds")
    assert content(tmp_path / "ds") == content(survey)


def test_some_inputs_of_a_whole_archive(zenodo, survey, tmp_path):
    zenodo.publish(6393488, "1.0", {"sdss-gs.zip": zipped(survey)})
    get(zenodo, tmp_path / "ds", inputs=["img"])
    assert {name.split("/")[0] for name in content(tmp_path / "ds")} == {"data.csv", "img"}


def test_archives_are_kept_when_asked_for(split, survey, tmp_path):
    get(split, tmp_path / "ds", keep=True)
    assert (tmp_path / "ds" / "archives" / "sdss-gs_img.zip").read_bytes() == zipped(survey, "", ["img"])


def test_newest_version_unless_another_is_named(split, survey, tmp_path):
    other = write_survey(tmp_path / "other", survey_rows(2, seed=9))
    split.publish(6501642, "2.0", {"sdss-gs.zip": zipped(other)})
    get(split, tmp_path / "new")
    assert content(tmp_path / "new") == content(other)
    for number, version in enumerate(("1.0", "6393488", "10.5281/zenodo.6393488")):
        get(split, tmp_path / str(number), version=version, inputs=["img"])
        assert (tmp_path / str(number) / "data.csv").read_bytes() == (survey / "data.csv").read_bytes()
    with pytest.raises(DataError, match=r"new: holds version 2\.0 .*; name another folder for version 1\.0"):
        get(split, tmp_path / "new", version="1.0")


def test_missing_version_lists_those_that_are_there(split, tmp_path):
    split.publish(6501642, "2.0", {"data.csv": b"objid\n1\n"})
    with pytest.raises(OptionError) as error:
        get(split, tmp_path / "ds", version="7")
    assert str(error.value) == (
        "--version 7: expected the name, number or DOI of one of: version 2.0 (record 6501642, 2022-04-28), "
        "version 1.0 (record 6393488, 2022-04-28)"
    )


def test_set_whose_number_is_not_resolved_is_found_by_search(split, survey, tmp_path):
    del split.redirects[CONCEPT]
    split.files["/api/records"] = split.files["/api/records/6393488/versions"]
    get(split, tmp_path / "ds", inputs=["img"])
    assert (tmp_path / "ds" / "data.csv").read_bytes() == (survey / "data.csv").read_bytes()
    assert "conceptrecid" in split.asked("/api/records")[0].query


# === Interrupted ===


@pytest.mark.parametrize(("by", "code"), [(signal.SIGKILL, -9), (signal.SIGINT, 130)])
def test_killed_download_continues_and_asks_only_for_the_rest(zenodo, survey, tmp_path, by, code):
    # An archive's list of contents is at its end: behind the padding, which a zip may have in front.
    body = os.urandom(4 * 2**20) + zipped(survey)
    zenodo.publish(6393488, "1.0", {"sdss-gs.zip": body})
    path = "/api/records/6393488/files/sdss-gs.zip/content"
    zenodo.troubles[path].append(Trouble(seconds_per_chunk=0.1))
    command = [sys.executable, "-m", "sdss_gs", "download", str(tmp_path / "ds"), "--mirror", zenodo.url]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    running = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    part = tmp_path / "ds" / "archives" / "sdss-gs.zip.part"
    deadline = time.monotonic() + 20
    while not (part.exists() and part.stat().st_size > 2**20) and time.monotonic() < deadline:
        time.sleep(0.01)
    running.send_signal(by)
    assert running.wait(10) == code
    present = part.stat().st_size
    assert 2**20 < present < len(body)
    assert not (tmp_path / "ds" / "data.csv").exists()
    zenodo.requests.clear()
    get(zenodo, tmp_path / "ds")
    (second,) = zenodo.bodies()
    assert second.headers["Range"] == f"bytes={present}-"
    assert second.sent == len(body) - present
    assert content(tmp_path / "ds") == content(survey)


@pytest.mark.parametrize("step", ["unpack", "install", "write"])
def test_stopped_after_any_step_the_same_call_goes_on(split, survey, tmp_path, monkeypatch, step):
    from sdss_gs.download import command, layout

    class Killed(BaseException):
        """What no handler expects."""

    calls = []

    def killed_at_the_third(real):
        def call(*given, **options):
            calls.append(given)
            if len(calls) == 3:
                raise Killed
            return real(*given, **options)

        return call

    with monkeypatch.context() as patch:
        if step == "unpack":
            patch.setattr(command, "unpack", killed_at_the_third(command.unpack))
        elif step == "install":
            patch.setattr(layout, "_move_files", killed_at_the_third(layout._move_files))
        else:
            calls.append("the one at the beginning")
            patch.setattr(command.State, "write", killed_at_the_third(command.State.write))
        with pytest.raises(Killed):
            get(split, tmp_path / "ds")
    split.requests.clear()
    get(split, tmp_path / "ds")
    assert content(tmp_path / "ds") == content(survey)
    # What is unpacked is neither fetched nor unpacked again.
    assert len([request for request in split.bodies() if request.path.endswith("zip/content")]) == 0


def test_leftovers_of_a_killed_unpacking_are_removed(split, survey, tmp_path):
    leftover = tmp_path / "ds" / ".unpacking" / "img+fits+spectra+ssel" / "sdss-gs_img.zip.part" / "img"
    split.always["/api/records/6393488/files/sdss-gs_img.zip/content"] = Trouble(status=404)
    with pytest.raises(RemoteError, match="HTTP 404"):
        get(split, tmp_path / "ds")
    split.always.clear()
    leftover.mkdir(parents=True)
    (leftover / "1237648720693755918.jpg").write_bytes(b"half")
    get(split, tmp_path / "ds")
    assert content(tmp_path / "ds") == content(survey)


def test_half_a_state_of_a_killed_download_is_removed(split, survey, tmp_path):
    (tmp_path / "ds").mkdir()
    (tmp_path / "ds" / "download.json.123.part").write_text("{")
    get(split, tmp_path / "ds")
    assert content(tmp_path / "ds") == content(survey)


def test_killed_at_the_very_beginning_is_no_folder_of_another_origin(split, survey, tmp_path):
    (tmp_path / "ds").mkdir()
    for name in ("download.lock", "download.json.4711.part"):
        (tmp_path / "ds" / name).write_bytes(b"")
    get(split, tmp_path / "ds")
    assert content(tmp_path / "ds").keys() - {"download.json.4711.part"} == content(survey).keys()


def test_one_file_that_fails_does_not_stop_the_others(split, tmp_path):
    split.always["/api/records/6393488/files/sdss-gs_fits.zip/content"] = Trouble(status=500)
    with pytest.raises(RemoteError, match=r"sdss-gs_fits\.zip/content: given up after 3 attempts: HTTP 500"):
        get(split, tmp_path / "ds")
    assert (tmp_path / "ds" / "archives" / "sdss-gs_img.zip").is_file()
    split.always.clear()
    split.requests.clear()
    get(split, tmp_path / "ds")
    assert len(split.bodies()) == 1


def test_two_processes_on_one_folder_do_not_mix(split, tmp_path):
    (tmp_path / "ds").mkdir()
    with (
        FileLock(tmp_path / "ds" / "download.lock"),
        pytest.raises(DataError, match="ds: another process is downloading into this folder"),
    ):
        get(split, tmp_path / "ds")


def test_folder_of_another_origin_is_left_alone(split, survey):
    before = content(survey)
    with pytest.raises(DataError, match="expected an empty folder or none, found files of another origin"):
        get(split, survey)
    assert content(survey) == before
    assert not (survey / "download.lock").exists()


# === Bad servers ===


def test_wrong_checksum_once_heals_and_twice_is_named(split, survey, tmp_path):
    path = "/api/records/6393488/files/sdss-gs_img.zip/content"
    split.troubles[path].append(Trouble(wrong_bytes=True))
    get(split, tmp_path / "healed")
    assert content(tmp_path / "healed") == content(survey)
    split.always[path] = Trouble(wrong_bytes=True)
    with pytest.raises(RemoteError, match=rf"{path}: expected md5 [0-9a-f]{{32}}, found [0-9a-f]{{32}}, twice"):
        get(split, tmp_path / "ds")
    assert not (tmp_path / "ds" / "data.csv").exists()


def test_page_in_place_of_the_record_or_an_archive_is_named(split, tmp_path):
    split.troubles[CONCEPT].append(Trouble(page=True))
    with pytest.raises(RemoteError, match=rf"{CONCEPT}: expected JSON, the server sent text/html"):
        get(split, tmp_path / "ds")
    path = "/api/records/6393488/files/sdss-gs_img.zip/content"
    split.troubles[path].append(Trouble(page=True))
    with pytest.raises(RemoteError, match=rf"{path}: expected [0-9,]+ bytes, the server offers 61 of text/html"):
        get(split, tmp_path / "ds")


@pytest.mark.parametrize("answer", [b"[]", b'{"hits": 3}', b'{"id": "x"}', b'{"id": 1, "files": [{"key": "../x"}]}'])
def test_answer_that_is_no_record_is_named(zenodo, tmp_path, answer):
    zenodo.files[CONCEPT] = answer
    with pytest.raises(RemoteError, match="expected a record with id and files"):
        get(zenodo, tmp_path / "ds")


@pytest.mark.parametrize("trouble", [Trouble(status=429, retry_after="0"), Trouble(status=500), Trouble(stall=True)])
def test_passing_trouble_is_overcome(split, survey, tmp_path, trouble):
    for path in (CONCEPT, "/api/records/6393488/files/sdss-gs_img.zip/content"):
        split.troubles[path].append(trouble)
    get(split, tmp_path / "ds")
    assert content(tmp_path / "ds") == content(survey)


# === Disks ===


def test_disk_without_room_is_refused_with_both_numbers(split, tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10, 9, 1000))
    with pytest.raises(
        DataError, match=r"expected room for 0\.\d+ GB of archives and about 0\.\d+ GB unpacked, found 0\.00 GB free"
    ):
        get(split, tmp_path / "ds")
    assert not split.bodies()


def test_disk_that_fills_up_while_unpacking_is_one_line_and_goes_on(zenodo, survey, tmp_path):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(survey / "data.csv", "data.csv")
        archive.writestr("fits/1237648720693755918.npy", bytes(5 * 2**20))
    zenodo.publish(6393488, "1.0", {"sdss-gs.zip": buffer.getvalue()})
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, hard))
    try:
        with pytest.raises(DataError, match=r"cannot unpack sdss-gs\.zip \(File too large\); the same command goes on"):
            get(zenodo, tmp_path / "ds")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not list(tmp_path.rglob("*.npy"))
    zenodo.requests.clear()
    get(zenodo, tmp_path / "ds")
    assert not zenodo.bodies()
    assert (tmp_path / "ds" / "fits" / "1237648720693755918.npy").stat().st_size == 5 * 2**20


def test_archives_on_disk_need_no_server_and_stay(survey, tmp_path):
    archive = tmp_path / "mine.zip"
    archive.write_bytes(zipped(survey))
    said = []
    assert download(tmp_path / "ds", archives=[archive], host="http://127.0.0.1:1", say=said.append)
    assert content(tmp_path / "ds") == content(survey)
    assert archive.exists()
    assert not download(tmp_path / "ds", archives=[archive], host="http://127.0.0.1:1", say=said.append)
    assert "is complete: mine.zip" in said[-1]
    with pytest.raises(OptionError, match=r"--from .*absent\.zip: no such file"):
        download(tmp_path / "other", archives=[tmp_path / "absent.zip"])


def test_archive_without_a_catalogue_is_named(survey, tmp_path):
    archive = tmp_path / "mine.zip"
    archive.write_bytes(zipped(survey, only=["img"]))
    with pytest.raises(DataError, match=r"mine\.zip: expected a data\.csv, found 12376\d+\.jpg"):
        download(tmp_path / "ds", archives=[archive], say=str)


def test_two_different_files_of_an_object_are_named_and_never_mixed(survey, tmp_path):
    # Nothing tells that the second folder holds something else than spectra.
    path = next((survey / "spectra").iterdir())
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(survey / "data.csv", "data.csv")
        archive.write(path, f"spectra/{path.name}")
        archive.writestr(f"thinned/{path.name}", b"Wavelength,Flux,BestFit,SkyFlux")
    with pytest.raises(DataError, match=rf"spectra/{path.name}: expected one file of an object, found another one in"):
        download(tmp_path / "ds", archives=[tmp_path / "a.zip"], say=str)
    assert not (tmp_path / "ds" / "data.csv").exists()


# === Hostile archives ===


def refused(tmp_path, archive, match):
    with pytest.raises(BadFileError, match=match) as error:
        unpack(archive, tmp_path / "out" / "a")
    assert str(error.value).startswith(str(archive))
    assert not list((tmp_path / "out").iterdir())
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize("name", ["../evil", "a/../../evil", "/tmp/evil-of-sdss-gs", "..\\evil", "C:/evil"])
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_member_that_leads_out_is_refused(tmp_path, name, kind):
    archive = tmp_path / f"a.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(archive, "w") as opened:
            opened.writestr("fine", b"fine")
            opened.writestr(name, b"evil")
    else:
        with tarfile.open(archive, "w") as opened:
            member = tarfile.TarInfo(name)
            member.size = 4
            opened.addfile(member, io.BytesIO(b"evil"))
    refused(tmp_path, archive, "leads out of it")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_links_and_devices_of_a_tar_are_refused(tmp_path, kind):
    archive = tmp_path / "a.tar"
    with tarfile.open(archive, "w") as opened:
        member = tarfile.TarInfo("img")
        member.type, member.linkname = kind, str(tmp_path)
        opened.addfile(member)
        inside = tarfile.TarInfo("img/evil")
        inside.size = 4
        opened.addfile(inside, io.BytesIO(b"evil"))
    refused(tmp_path, archive, "found the link or device 'img'")


def test_link_in_a_zip_is_refused(tmp_path):
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w") as opened:
        member = zipfile.ZipInfo("img")
        member.external_attr = (stat.S_IFLNK | 0o777) << 16
        opened.writestr(member, str(tmp_path))
    refused(tmp_path, archive, "found the link or device 'img'")


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_archive_slightly_over_the_allowed_size_is_refused(tmp_path, kind):
    archive, size = tmp_path / f"a.{kind}", 100 * 2**20 + 1
    if kind == "zip":
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as opened:
            opened.writestr("data.csv", bytes(size))
    else:
        with tarfile.open(archive, "w:gz", compresslevel=1) as opened:
            member = tarfile.TarInfo("data.csv")
            member.size = size
            opened.addfile(member, io.BytesIO(bytes(size)))
    refused(tmp_path, archive, "expected at most 104,857,600 bytes")


def test_too_many_files_are_refused(tmp_path, monkeypatch):
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w") as opened:
        for number in range(4):
            opened.writestr(str(number), b"")
    monkeypatch.setattr("sdss_gs.download.unpack.MOST_FILES", 3)
    refused(tmp_path, archive, "in 3 files, found more")


@pytest.mark.parametrize("mode", ["zip", "w:gz", "w:bz2", "w:xz"])
def test_damaged_archive_is_named(tmp_path, survey, mode):
    archive = tmp_path / "a.archive"
    body = zipped(survey) if mode == "zip" else tarred(survey, mode)
    middle = len(body) // 2
    archive.write_bytes(body[:middle] + bytes(1000) + body[middle + 1000 :])
    refused(tmp_path, archive, "expected a whole zip or tar archive")


def test_archive_with_a_password_is_named(tmp_path):
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr("data.csv", b"objid\n")
    body = bytearray(archive.read_bytes())
    body[body.index(b"PK\x01\x02") + 8] |= 1
    archive.write_bytes(body)
    refused(tmp_path, archive, "needs a password")


# === The command ===


def test_command_downloads_verifies_and_sums_up(split, tmp_path, capsys):
    command = ["download", str(tmp_path / "ds"), "--mirror", split.url]
    assert main(command) == 0
    output = capsys.readouterr().out
    assert "3 objects" in output
    assert output.rstrip().endswith("verified")
    assert main(command) == 0
    assert "is complete" in capsys.readouterr().out


def test_command_refuses_unknown_inputs_and_reports_in_one_line(tmp_path, capsys):
    assert main(["download", str(tmp_path / "ds"), "--inputs", "jpeg"]) == 1
    assert "--inputs jpeg: expected some of img, fits, spectra, ssel" in capsys.readouterr().err
    assert main(["download", str(tmp_path / "ds"), "--from", str(tmp_path / "none.zip")]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_default_folder_is_where_commands_look(monkeypatch, tmp_path):
    assert default_folder() == ROOT.parent / "sdss-gs"
    monkeypatch.setenv("SDSS_GS", str(tmp_path))
    assert default_folder() == tmp_path


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("img.zip", "img"), ("sdss-gs_IMAGES.tar.gz", "img"), ("fits-0.zip", "fits"), ("spectra.tar", "spectra"),
        ("ssel.zip", "ssel"), ("sdss-gs.zip", None), ("data.csv", None), ("img_fits.zip", None), ("imaging.zip", None),
    ],
)  # fmt: skip
def test_names_of_archives_tell_their_input_or_nothing(name, expected):
    assert named_input(name) == expected
