"""Several processes see together what one would see, batch by batch."""

import time

import numpy as np
import pytest

from common.data.batches import EpochOrder, Share, make_batches
from common.training import processes as spread


@pytest.mark.parametrize(("count", "left_out"), [(60, 0), (70, 1), (71, 2), (5, 2)])
def test_parts_of_all_processes_are_each_batch_once(count, left_out):
    positions = np.random.default_rng(0).permutation(count)
    parts = [Share(3, rank).of(positions, 12) for rank in range(3)]
    assert len({len(part) for part in parts}) == 1
    for first in range(0, len(parts[0]), 4):
        batch = np.concatenate([part[first : first + 4] for part in parts])
        assert set(batch) <= set(positions[3 * first : 3 * first + 12])
    seen = np.concatenate(parts)
    assert len(set(seen)) == len(seen) == count - left_out


def test_two_processes_feed_together_what_one_feeds():
    values = np.arange(50, dtype=np.float32)

    def fed(share):
        order = EpochOrder(0, 50)
        found = make_batches(lambda index: (values[index],), lambda bands: (bands,), 50, 16, order, share)
        elements = [bands for (bands,) in found.as_numpy_iterator()]
        assert int(found.cardinality()) == len(elements)
        return elements

    whole, parts = fed(Share()), [fed(Share(2, rank)) for rank in (0, 1)]
    for batch, *both in zip(whole, *parts, strict=True):
        assert np.array_equal(np.concatenate(both), batch)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["none"], "model: expected a model folder of the repository, such as b2r, found 'none'"),
        (["b2r", "--processes", "0"], "processes: expected at least 1, found 0"),
        (["b2r", "--rank", "2", "--coordinator", "a:1"], "rank: expected 0 to 1, found 2"),
        (["b2r", "--rank", "1"], "coordinator: expected HOST:PORT with --rank, found none"),
        (["b2r", "-P", "epochs"], "P: expected NAME=VALUE, found 'epochs'"),
    ],
)
def test_wrong_commands_are_one_line(monkeypatch, capsys, arguments, expected):
    monkeypatch.setattr(spread, "find_spec", lambda name: True)
    assert spread.main(arguments) == 1
    assert capsys.readouterr().err == f"error: {expected}\n"


def test_without_jax_one_line_says_how_to_get_it(monkeypatch, capsys):
    monkeypatch.setattr(spread, "find_spec", lambda name: None)
    assert spread.main(["b2r"]) == 1
    assert capsys.readouterr().err == 'error: several processes need jax; in the repository: pip install -e ".[jax]"\n'


def test_when_one_process_fails_the_others_are_stopped(monkeypatch, tmp_path):
    (tmp_path / "b2r").mkdir()
    script = f"import os, sys, time\nif os.environ['{spread.RANK}'] == '1': sys.exit(3)\ntime.sleep(60)\n"
    (tmp_path / "b2r" / "train.py").write_text(script)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(spread, "find_spec", lambda name: True)
    began = time.monotonic()
    assert spread.main(["b2r", "--processes", "2"]) == 3
    assert time.monotonic() - began < 30
