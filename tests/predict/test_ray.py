"""Predictions on several processes equal those of one, whatever is lost on the way."""

import dataclasses
import os
import signal
import sys
import warnings
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from conftest import FIRST_ID
from helpers import needed
from helpers.distributed import distributed_by_hand
from helpers.exported import exported_folder
from helpers.trained import MAGNITUDES, by_hand

from common.cli import command as cli
from common.data.sources import open_source
from common.data.sources.chunk import ROWS_PER_CHUNK
from common.models.model import Model
from common.models.opening import load
from common.predict import predict, ray_engine
from common.predict.ray_engine import LOSSES, Crew, Worker, connected, on_ray
from sdss_gs.errors import DataError, OptionError, ZooError

BANDS = [f"modelMag_{band}" for band in "ugriz"]
ROWS = 4 * ROWS_PER_CHUNK + 1000


class DyingModel(Model):
    """Kills the process that runs it, once."""

    def answers(self, seen, present):
        died = Path(self.reading["died"])
        if not died.exists():
            died.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().answers(seen, present)


class StopError(Exception):
    pass


def stopping(engine, pieces):
    """Make an engine that is stopped after so many pieces."""

    def stopped(*arguments):
        for done, answer in enumerate(engine(*arguments), 1):
            yield answer
            if done == pieces:
                raise StopError

    return stopped


def table(count):
    magnitudes = MAGNITUDES + np.linspace(-0.5, 0.5, count)[:, None]
    frame = pd.DataFrame({"objid": FIRST_ID + np.arange(count), **dict(zip(BANDS, magnitudes.T, strict=True))})
    frame.loc[::1000, BANDS[1]] = -9999
    return frame


def missing(piece):
    """Count the rows of a piece without a magnitude."""
    begin = piece * ROWS_PER_CHUNK
    return sum(row % 1000 == 0 for row in range(begin, min(begin + ROWS_PER_CHUNK, ROWS)))


@pytest.fixture
def shards(tmp_path):
    """Write a folder of three Parquet files whose row groups do not begin where pieces do."""
    folder, frame = tmp_path / "shards", table(ROWS)
    folder.mkdir()
    for number, part in enumerate(np.array_split(np.arange(ROWS), 3)):
        frame.iloc[part].to_parquet(folder / f"{number}.parquet", index=False, row_group_size=30_000)
    return folder


@pytest.fixture(scope="module")
def ray():
    needed.package("ray")
    before = dict(os.environ)
    with connected() as ray:
        # Workers cannot import the tests.
        ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
        yield ray
    for name in set(os.environ) - set(before):
        del os.environ[name]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model with a light form, which workers run without TensorFlow."""
    return exported_folder(tmp_path_factory.mktemp("exported") / "b2r", distributed_by_hand())


def test_lost_worker_and_finished_pieces_change_no_byte_and_repeat_no_row(tmp_path, shards, folder, ray):
    opened = partial(open_source, [shards], ["bands"], progress=False)
    model, output = load(folder).with_pdf("quantiles"), tmp_path / "out.parquet"
    whole = predict.predict([model], opened(), tmp_path / "whole.parquet")
    with pytest.raises(StopError):
        predict.predict([model], opened(), output, engine=stopping(predict.here, 3))
    with pytest.raises(OptionError, match=r"holds another prediction \(pdf\)"):
        predict.predict([model.with_pdf("grid")], opened(), output)
    kept = tmp_path / "out.parquet.pieces" / "000002.parquet"
    kept.with_name("000000.parquet").unlink()
    written = kept.stat().st_mtime_ns, (kept.with_name("000001.parquet")).stat().st_mtime_ns
    fields = {field.name: getattr(model, field.name) for field in dataclasses.fields(model)}
    dying = DyingModel(**fields | {"reading": model.reading | {"died": str(tmp_path / "died")}})
    times = []

    def on_two(*arguments):
        for answer in on_ray(*arguments, opened=opened, workers=2):
            times[:] = [kept.stat().st_mtime_ns, kept.with_name("000001.parquet").stat().st_mtime_ns]
            yield answer

    done = predict.predict([dying], opened(), output, engine=on_two)
    assert (tmp_path / "died").exists()
    assert tuple(times) == written
    assert done.rows == whole.rows == ROWS
    assert done.flags["b2r MISSING_BAND"] == missing(0) + missing(3) + missing(4)
    assert output.read_bytes() == (tmp_path / "whole.parquet").read_bytes()
    assert {path.name for path in tmp_path.iterdir()} == {"shards", "whole.parquet", "out.parquet", "died"}


def test_command_on_ray_writes_densities_of_a_light_form(tmp_path, folder, ray):
    table(100).to_parquet(tmp_path / "in.parquet", index=False)
    for engine in ("local", "ray"):
        words = ["--input", str(tmp_path / "in.parquet"), "--output", str(tmp_path / f"{engine}.parquet")]
        assert cli.main(["predict", folder, *words, "--pdf", "grid", "--engine", engine]) == 0
    one, other = (pq.read_table(tmp_path / f"{engine}.parquet") for engine in ("local", "ray"))
    assert one.equals(other, check_metadata=True)
    assert one["runtime"][0].as_py() == "onnxruntime"


def test_table_that_must_be_read_in_order_is_read_once_and_handed_out(tmp_path):
    cloudpickle = needed.package("ray.cloudpickle")
    path, model, output = tmp_path / "in.csv", by_hand(), tmp_path / "ray.csv"
    table(ROWS_PER_CHUNK + 10).to_csv(path, index=False)

    def handed_out(models, source, together, pieces):
        # As they go to a worker, here run by Keras, which uses what NumPy has deprecated.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            sent = cloudpickle.loads(cloudpickle.dumps(models))
        worker = Worker(sent, dataclasses.replace(source, chunks=None), None, together, pieces.folder)
        for job in ray_engine._jobs(source, pieces):
            number, chunk = cloudpickle.loads(cloudpickle.dumps(job))
            temporary, rows, flags = worker.predict(number, chunk)
            pieces.take(number, temporary, rows)
            yield rows, flags

    source = open_source([path], ["bands"])
    with pytest.raises(StopError):
        predict.predict([model], source, output, engine=stopping(handed_out, 1))
    predict.predict([model], source, output, engine=stopping(handed_out, 2))
    predict.predict([model], source, tmp_path / "here.csv")
    assert output.read_bytes() == (tmp_path / "here.csv").read_bytes()


class DiedError(Exception):
    pass


class Actor:
    """Answers like a worker of Ray, or is lost."""

    def __init__(self, hired):
        hired.append(self)
        self.ready = SimpleNamespace(remote=lambda: ("ready", object()))
        self.predict = SimpleNamespace(remote=lambda number, _chunk: (number, object()))


def fake_ray(lost):
    """Make a Ray whose workers are lost whenever `lost` says so of what they do."""

    def get(reference):
        if lost(reference):
            raise DiedError
        return reference

    errors = SimpleNamespace(RayError=DiedError, RayTaskError=ZeroDivisionError)
    return SimpleNamespace(
        wait=lambda references, timeout: (references[:1], references[1:]),
        get=get,
        kill=lambda _: None,
        exceptions=errors,
    )


def test_piece_that_loses_every_worker_ends_with_one_line_after_the_others(tmp_path):
    hired, done = [], []
    crew = Crew(fake_ray(lambda work: work[0] == 1), lambda: Actor(hired), ((n, None) for n in range(5)), 1)
    with pytest.raises(ZooError, match=f"lost {LOSSES + 1} workers while they predicted piece 1"):
        done.extend(number for number, _answer in crew.results())
    assert set(done) <= {0, 2, 3, 4}
    assert len(hired) == LOSSES + 1


def test_workers_that_never_start_end_with_one_line():
    crew = Crew(fake_ray(lambda work: True), lambda: Actor([]), iter([(0, None)]), 2)
    with pytest.raises(ZooError, match=f"lost {LOSSES + 1} workers before they were ready"):
        list(crew.results())


def test_worker_that_sees_other_files_says_where(tmp_path, shards):
    source = open_source([shards], ["bands"])
    worker = Worker([], source, partial(open_source, [shards], ["bands"]), "", tmp_path)
    assert worker.ready() == os.getpid()
    os.utime(shards / "1.parquet", (0, 0))
    with pytest.raises(DataError, match="input: expected the same files on all machines, found others on"):
        worker.ready()
    worker.folder = tmp_path / "none"
    with pytest.raises(DataError, match="none: expected a folder that all machines share"):
        worker.ready()


def test_any_piece_of_a_folder_of_shards_is_read_by_itself(shards):
    source = open_source([shards], ["bands"])
    assert (source.count, source.chunk_objects) == (ROWS, ROWS_PER_CHUNK)
    whole = [chunk.ids.to_pylist() for chunk in source.chunks()]
    assert np.array_equal(np.concatenate(whole), FIRST_ID + np.arange(ROWS))
    for number in (4, 1, 3):
        assert next(source.chunks(number * ROWS_PER_CHUNK)).ids.to_pylist() == whole[number]


def test_reading_from_the_middle_leaves_the_row_groups_before_it_alone(shards, monkeypatch):
    read = []

    class Recorded(pq.ParquetFile):
        def iter_batches(self, size, groups, columns):
            read.append(len(groups))
            return super().iter_batches(size, groups, columns)

    source = open_source([shards], ["bands"])
    monkeypatch.setattr(pq, "ParquetFile", Recorded)
    next(source.chunks(2 * ROWS_PER_CHUNK))
    # Of the second file all but the first of its three row groups, then the third.
    assert read == [2, 3]


def test_shard_with_other_columns_is_named(shards):
    table(3).drop(columns=BANDS[0]).to_parquet(shards / "1.parquet")
    with pytest.raises(OptionError, match=r"modelMag_u is left out: 1\.parquet has no such column"):
        open_source([shards], ["bands"])


def test_prediction_here_goes_on_between_the_pieces_that_ray_has_finished(tmp_path, shards):
    source, output = open_source([shards], ["bands"]), tmp_path / "out.csv"
    with pytest.raises(StopError):
        predict.predict([by_hand()], source, output, engine=stopping(predict.here, 3))
    (tmp_path / "out.csv.pieces" / "000001.parquet").unlink()
    done = predict.predict([by_hand()], source, output)
    assert done.rows == ROWS
    assert np.array_equal(pd.read_csv(output, usecols=["objid"])["objid"], FIRST_ID + np.arange(ROWS))
    assert done.flags["b2r MISSING"] == missing(1) + missing(3) + missing(4)


def test_ray_that_is_not_there_is_one_line(monkeypatch, tmp_path, capsys):
    table(3).to_parquet(tmp_path / "in.parquet")
    monkeypatch.setattr("common.predict.choose.load", lambda *_: by_hand())
    arguments = ["predict", "b2r", "--input", str(tmp_path / "in.parquet"), "--output", str(tmp_path / "out.csv")]
    assert cli.main([*arguments, "--workers", "2"]) == 1
    assert "expected --engine ray with them" in capsys.readouterr().err
    monkeypatch.setattr(ray_engine, "find_spec", lambda name: None)
    assert cli.main([*arguments, "--engine", "ray"]) == 1
    assert capsys.readouterr().err == 'error: --engine ray needs ray; in the repository: pip install -e ".[ray]"\n'
