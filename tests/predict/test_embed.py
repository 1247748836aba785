"""What a model sees in galaxies, as a file, and the galaxies nearest in it."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import FIRST_ID, survey_rows, write_survey
from fastapi import HTTPException
from helpers import answered
from helpers.trained import by_hand

from common.backend import keras
from common.cli import command as cli
from common.data.sources import folder as folder_module
from common.data.sources import open_source
from common.data.sources.folder import open_folder
from common.models import opening
from common.models.serving import bare_network
from common.outputs.flags import Flag
from common.predict import results
from common.predict.embed import embed, embedding_of
from common.predict.neighbours import Neighbours
from common.serve import similar as service
from common.serve.objects import open_objects
from common.serve.served_models import ServedModel
from sdss_gs.errors import DataError, OptionError

BANDS = ("modelMag_u", "modelMag_g", "modelMag_r", "modelMag_i", "modelMag_z")


@pytest.fixture
def clusters(tmp_path):
    """Twelve galaxies, blue and red in turn; the first two the same; one without a magnitude, one without an image."""
    rows = survey_rows(12)
    for number, row in enumerate(rows):
        offset = 4 * (number % 2) + 0.01 * number * (number != 2)
        row |= {band: f"{15 + offset + k:.4f}" for k, band in enumerate(BANDS)}
    rows[7]["modelMag_g"] = "-9999"
    folder = write_survey(tmp_path / "ds", rows, ("img", "fits", "spectra"))
    (folder / "img" / f"{rows[8]['objid']}.jpg").unlink()
    return folder


def ids(folder):
    return [str(FIRST_ID + 7 * number) for number in range(12)]


def read(path):
    table = pq.ParquetFile(path).read()
    return table, np.array([np.array(row, np.float32) for row in table["features"].to_pylist()])


def source_of(folder, name):
    return open_source([folder], [name], progress=False)


@pytest.mark.parametrize("name", ["i2r", "f2sm", "s2s", "ss2g", "b2s", "w2r"])
def test_features_of_every_input_are_what_feeds_the_head(clusters, tmp_path, name):
    model = by_hand(name)
    source = source_of(clusters, model.inputs[0].name)
    assert embed(model, source, tmp_path / "y.parquet") == 12
    table, features = read(tmp_path / "y.parquet")
    (chunk,) = source.chunks()
    loaded = chunk.load(model.inputs[0], model.shapes[model.inputs[0].name], "BestFit")
    network = bare_network(model.network)
    expected = keras.Model(network.input, network.get_layer(model.outputs[0].name).input).predict_on_batch(
        {model.inputs[0].name: loaded.values}
    )
    good = (loaded.flags & 3) == 0
    np.testing.assert_allclose(features[good], expected[good], rtol=1e-6)
    assert np.isnan(features[~good]).all()
    assert [str(number) for number in table["objid"].to_pylist()] == ids(clusters)
    about = table.schema.metadata
    assert (about[b"model"], about[b"version"], about[b"weights"]) == (name.encode(), b"1", model.sha256.encode())
    assert about[b"layer"].decode() in [operation.name for operation in network.operations]
    assert table.schema.field("features").type.list_size == expected.shape[1]


def test_missing_and_bad_inputs_keep_their_row_and_flag(clusters, tmp_path):
    (clusters / "img" / f"{ids(clusters)[3]}.jpg").write_bytes(b"junk")
    embed(by_hand("i2r"), source_of(clusters, "img"), tmp_path / "y.parquet")
    table, features = read(tmp_path / "y.parquet")
    flags = np.array(table["flag"].to_pylist())
    assert (flags[[3, 8]] & 3).tolist() == [Flag.BAD_INPUT, Flag.MISSING]
    assert "expected an image" in table["problem"][3].as_py()
    assert np.flatnonzero(np.isnan(features).any(axis=1)).tolist() == [3, 8]


def test_killed_and_resumed_file_equals_the_uninterrupted_one_whatever_the_chunks(clusters, tmp_path, monkeypatch):
    model, kept = by_hand("b2r"), []
    embed(model, source_of(clusters, "bands"), tmp_path / "one.parquet")
    monkeypatch.setattr(folder_module, "FILES_PER_CHUNK", 5)
    embed(model, source_of(clusters, "bands"), tmp_path / "whole.parquet")
    original = results.Pieces.add

    def dies(pieces, number, rows):
        if kept:
            raise KeyboardInterrupt
        kept.append(original(pieces, number, rows))

    with monkeypatch.context() as patch:
        patch.setattr(results.Pieces, "add", dies)
        with pytest.raises(KeyboardInterrupt):
            embed(model, source_of(clusters, "bands"), tmp_path / "y.parquet")
    assert not (tmp_path / "y.parquet").exists()
    embed(model, source_of(clusters, "bands"), tmp_path / "y.parquet")
    assert (tmp_path / "y.parquet").read_bytes() == (tmp_path / "whole.parquet").read_bytes()
    np.testing.assert_allclose(read(tmp_path / "y.parquet")[1], read(tmp_path / "one.parquet")[1], rtol=1e-6)
    with pytest.raises(OptionError, match="there is such a file already"):
        embed(model, source_of(clusters, "bands"), tmp_path / "y.parquet")
    with pytest.raises(OptionError, match=r"expected a file that ends in \.parquet"):
        embed(model, source_of(clusters, "bands"), tmp_path / "y.csv")


@pytest.mark.parametrize("kind", ["int64", "uint64", "text"])
def test_ids_of_features_keep_every_digit_and_a_missing_one(tmp_path, kind):
    embed(by_hand("b2r"), answered.source_of(answered.IDS[kind], kind), tmp_path / "y.parquet")
    assert read(tmp_path / "y.parquet")[0]["objid"].to_pylist() == answered.IDS[kind]
    known = [str(one) for one, good, *_ in answered.expected(kind) if good]
    assert [one.id for one in Neighbours(tmp_path / "y.parquet").nearest(known[0], 5)] == known[1:]


def test_features_are_not_written_over_their_input(tmp_path):
    path = tmp_path / "in.parquet"
    pq.write_table(pa.table({"id": [1], **{band: [17.0] for band in "ugriz"}}), path)
    before = path.read_bytes()
    with pytest.raises(OptionError, match="it is the input"):
        embed(by_hand("b2r"), open_source([path], ["bands"]), path, overwrite=True)
    assert path.read_bytes() == before


def test_neighbours_are_of_the_same_cluster_without_the_galaxy_itself(clusters, tmp_path):
    embed(by_hand("b2r"), source_of(clusters, "bands"), tmp_path / "y.parquet")
    index, names = Neighbours(tmp_path / "y.parquet"), ids(clusters)
    near = index.nearest(names[0], 5)
    assert {names.index(one.id) % 2 for one in near} == {0}
    assert (near[0].id, near[0].distance) == (names[2], pytest.approx(0, abs=1e-6))
    distances = [one.distance for one in near]
    assert distances == sorted(distances)
    assert len(index.nearest(names[1], 99)) == 10
    assert names[0] not in [one.id for one in index.nearest(names[0], 99)]
    with pytest.raises(OptionError, match=r"expected the id of a galaxy of .*found '12'"):
        index.nearest("12", 3)
    with pytest.raises(DataError, match="has no usable input for b2r"):
        index.nearest(names[7], 3)
    (tmp_path / "junk.parquet").write_text("junk")
    with pytest.raises(DataError, match="expected a file that zoo embed wrote"):
        Neighbours(tmp_path / "junk.parquet")


def test_stored_features_are_computed_anew_only_when_the_data_change(clusters):
    model = by_hand("b2r")
    path = embedding_of(model, open_folder(clusters, ("bands",)))
    before = path.stat().st_mtime_ns
    assert embedding_of(model, open_folder(clusters, ("bands",))).stat().st_mtime_ns == before
    text = (clusters / "data.csv").read_text()
    (clusters / "data.csv").write_text(text.replace("15.0000", "15.5000", 1))
    later = embedding_of(model, open_folder(clusters, ("bands",)))
    assert later != path
    assert [file.name for file in later.parent.iterdir()] == [later.name]


def test_commands_write_features_and_list_similar_galaxies(clusters, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(opening, "load", lambda name, _runtime: by_hand(name))
    names = ids(clusters)
    assert cli.main(["similar", names[0], "--ds", str(clusters), "--model", "b2r", "--n", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["objid", "distance", "redshift", "smass", "subclass", "gz2c", "class3"]
    assert [line.split()[0] for line in lines[1:3]] == [names[0], names[2]]
    assert f"{float(survey_rows(12)[2]['redshift']):.4g}" in lines[2]
    output = tmp_path / "y.parquet"
    assert cli.main(["embed", "b2r", "--input", str(clusters / "data.csv"), "--output", str(output)]) == 0
    assert "12 rows" in capsys.readouterr().out
    assert cli.main(["similar", names[0], "--embedding", str(output)]) == 0
    assert capsys.readouterr().out.splitlines()[2].split() == [names[2], "0.000"]
    for arguments, expected in (
        (["similar", "12", "--ds", str(clusters)], "object: expected the id of a galaxy"),
        (["similar", names[0], "--embedding", str(output), "--model", "i2r"], "expected one of i2r, found one of b2r"),
        (["embed", "b2r", "--input", str(clusters / "data.csv")], "output: expected a file that ends in .parquet"),
    ):
        assert cli.main(arguments) == 1
        error = capsys.readouterr().err
        assert expected in error
        assert error.count("\n") == 1


def test_command_is_told_whether_magnitudes_are_dereddened(clusters, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(opening, "load", lambda name, _runtime: by_hand(name, photometry="dereddened"))
    catalogue, output = clusters / "data.csv", tmp_path / "y.parquet"
    for stated, expected in (("dereddened", 0), ("raw", Flag.OTHER_MAGNITUDE)):
        asked = ["embed", "b2r", "--photometry", stated, "--overwrite", "--output", str(output), "--input"]
        assert cli.main([*asked, str(catalogue)]) == 0
        flags = read(output)[0]["flag"].to_numpy()
        assert set(flags[np.arange(12) != 7] & Flag.OTHER_MAGNITUDE) == {expected}
    capsys.readouterr()
    for arguments in (["--output", str(output), "--overwrite"], []):
        assert cli.main(["embed", "b2r", "--photometry", "raw", "--input", str(clusters), *arguments]) == 1
        error = capsys.readouterr().err
        assert error.startswith("error: photometry: expected a catalogue with raw, found the data set")
        assert error.count("\n") == 1


def test_service_finds_neighbours_and_refuses_in_words(clusters, monkeypatch):
    objects, model, names = open_objects(clusters), by_hand("b2r"), ids(clusters)
    found = service.Similar(objects)
    answer = found.nearest(model, names[0], 3)
    assert answer["neighbours"][0]["objid"] == names[2]
    assert answer["neighbours"][0]["truths"] == objects.about(names[2])["truths"]
    made = []
    monkeypatch.setattr("common.predict.embed.embedding_of", lambda *_: made.append(1))
    found.nearest(model, names[1], 3)
    assert not made
    for one, objid, status in ((model, names[7], 404), (by_hand("i2r"), names[0], 409)):
        monkeypatch.setattr(service, "MOST_OBJECTS", 11)
        with pytest.raises(HTTPException) as caught:
            found.nearest(one, objid, 3)
        assert caught.value.status_code == status
    assert "zoo embed i2r --input" in caught.value.detail
    monkeypatch.setattr(service, "PATIENCE", 0.01)
    with found._lock, pytest.raises(HTTPException) as caught:
        found.nearest(by_hand("i2r"), names[0], 3)
    assert caught.value.status_code == 503
    shelf = {name: ServedModel(by_hand(name)) for name in ("b2r", "i2sm")}
    assert service.usual_model(shelf, {"bands": True, "img": True}) == "i2sm"
    assert service.usual_model(shelf, {"bands": True}) == "b2r"
