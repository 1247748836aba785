import json

import pytest
from conftest import survey_rows, write_survey

from sdss_gs import sample
from sdss_gs.errors import DataError
from sdss_gs.locate import find_dataset, how_made


@pytest.fixture
def root(tmp_path):
    (tmp_path / "work" / "zoo").mkdir(parents=True)
    return tmp_path / "work" / "zoo"


@pytest.fixture
def generated(monkeypatch):
    """Count calls of the generator; it writes nothing but its stamp here."""
    calls = []

    def write(folder, n, seed):
        calls.append(folder)
        folder.mkdir()
        (folder / "sample.json").write_text(json.dumps({"n": n, "seed": seed, "version": sample.SAMPLE_VERSION}))
        return folder

    monkeypatch.setattr(sample, "write_sample", write)
    return calls


def test_relative_option_starts_where_the_command_was_typed(root, tmp_path, monkeypatch):
    write_survey(tmp_path / "typed" / "data", survey_rows(1))
    monkeypatch.setenv("ZOO_LAUNCH_FOLDER", str(tmp_path / "typed"))
    monkeypatch.chdir(root)
    told = []
    assert find_dataset("data", root, told.append) == tmp_path / "typed" / "data"
    assert told == []


def test_option_wins_over_environment_over_neighbour(root, tmp_path, monkeypatch):
    given, named, beside = (write_survey(tmp_path / name, survey_rows(1)) for name in ("a", "b", "work/sdss-gs"))
    assert find_dataset("", root) == beside
    monkeypatch.setenv("SDSS_GS", str(named))
    assert find_dataset("", root) == named
    assert find_dataset(str(given), root) == given


@pytest.mark.parametrize("content", [None, "folder"])
def test_named_set_that_is_none_is_an_error_never_a_fallback(root, tmp_path, monkeypatch, content):
    write_survey(tmp_path / "work" / "sdss-gs", survey_rows(1))
    if content:
        (tmp_path / "wrong").mkdir()
    with pytest.raises(DataError, match=r"ds=.*wrong: expected a folder with data\.csv"):
        find_dataset(str(tmp_path / "wrong"), root)
    monkeypatch.setenv("SDSS_GS", str(tmp_path / "wrong"))
    with pytest.raises(DataError, match=r"\$SDSS_GS=.*wrong: expected a folder"):
        find_dataset("", root)


def test_damaged_note_of_how_a_data_set_was_made_is_named(tmp_path):
    assert how_made(tmp_path) == {}
    for content in (b"{", b"[1]", b"3"):
        (tmp_path / "sample.json").write_bytes(content)
        with pytest.raises(
            DataError, match=r"sample.json: expected how the data set was made, found .*; make it again"
        ):
            how_made(tmp_path)


def test_sample_is_generated_once_and_said_to_be_synthetic(root, generated):
    told = []
    folder = find_dataset("", root, told.append)
    (notice,) = told
    assert folder == root / "sdss-gs-sample"
    assert "synthetic" in notice
    assert "10.5281/zenodo.6393487" in notice
    assert find_dataset("", root) == folder
    assert len(generated) == 1


def test_sample_of_another_version_makes_room_and_is_not_lost(root, generated):
    folder = find_dataset("", root)
    (folder / "sample.json").write_text(json.dumps({"n": 2000, "seed": 0, "version": -1}))
    (folder / "mine.txt").write_text("x")
    find_dataset("", root)
    assert len(generated) == 2
    assert [path.read_text() for path in root.glob("sdss-gs-sample-*/mine.txt")] == ["x"]


def test_folders_of_images_are_told_how_to_become_a_data_set(root, tmp_path):
    (tmp_path / "trees" / "spiral").mkdir(parents=True)
    (tmp_path / "trees" / "spiral" / "1.JPG").write_bytes(b"")
    with pytest.raises(DataError, match=r"found folders of images, for example spiral .*zoo data import"):
        find_dataset(str(tmp_path / "trees"), root)
