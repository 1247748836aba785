import zlib

import numpy as np
import pytest

from sdss_gs.errors import DataError, OptionError
from sdss_gs.split import Split, fold_split, folds, limited, parse_split, split, split_as_named

IDS = 1237648720693755918 + 13 * np.arange(20000)
EXPECTED_PARTS = {
    "train": [1, 1237648720693755918],
    "validation": [1237668296598683803, 9223372036854775807],
    "test": [2],
}


def test_shares_are_seventy_fifteen_fifteen_and_nothing_is_lost():
    parts = split(IDS)
    assert sorted(np.concatenate(list(parts.values())).tolist()) == list(range(len(IDS)))
    for name, share in (("train", 0.70), ("validation", 0.15), ("test", 0.15)):
        assert len(parts[name]) / len(IDS) == pytest.approx(share, abs=0.01)


def test_an_object_is_in_the_same_part_in_every_set():
    whole = {int(IDS[k]): name for name, chosen in split(IDS).items() for k in chosen}
    some = np.random.default_rng(0).permutation(IDS)[:500]
    assert all(whole[int(some[k])] == name for name, chosen in split(some).items() for k in chosen)


def test_the_parts_of_known_ids_never_change():
    """A change here would leak the test objects of every model that has been trained so far."""
    ids = np.array([1, 2, 1237648720693755918, 1237668296598683803, 9223372036854775807])
    parts = {name: ids[chosen].tolist() for name, chosen in split(ids).items()}
    assert parts == EXPECTED_PARTS


def test_folds_are_even_and_independent_of_the_split():
    numbers = folds(IDS, 5)
    counts = np.bincount(numbers, minlength=5)
    assert counts.sum() == len(IDS)
    np.testing.assert_allclose(counts / len(IDS), 0.2, atol=0.01)
    in_test = numbers[split(IDS)["test"]]
    np.testing.assert_allclose(np.bincount(in_test, minlength=5) / len(in_test), 0.2, atol=0.03)


def test_one_fold_is_refused():
    with pytest.raises(OptionError, match="folds: expected at least 2, found 1"):
        folds(IDS, 1)


def test_a_larger_limit_keeps_the_smaller_ones_objects():
    few, many = limited(IDS, 100), limited(IDS, 1000)
    assert len(few) == 100
    assert set(few.tolist()) < set(many.tolist())
    assert len(limited(IDS[:5], 100)) == 5


def test_each_object_is_tested_in_one_fold_and_never_trains_there():
    tested = np.zeros(len(IDS), int)
    for fold in range(5):
        parts = fold_split(IDS, 5, fold)
        assert sorted(np.concatenate(list(parts.values())).tolist()) == list(range(len(IDS)))
        assert len(parts["train"]) / len(IDS) == pytest.approx(0.6, abs=0.02)
        tested[parts["test"]] += 1
    assert (tested == 1).all()


def test_the_fold_after_the_tested_one_validates():
    for fold in range(3):
        parts = fold_split(IDS[:300], 3, fold)
        assert list(parts) == ["train", "validation", "test"]
        assert set(folds(IDS[:300], 3)[parts["test"]]) == {fold}
        assert set(folds(IDS[:300], 3)[parts["validation"]]) == {(fold + 1) % 3}


def test_two_folds_are_enough_to_number_and_three_to_train():
    assert set(folds(IDS, 2)) == {0, 1}
    assert len(fold_split(IDS, 3, 0)["train"]) > 0


def test_parts_folds_and_limits_of_many_ids_never_change():
    """As for the parts of known ids: what was judged or resumed before must mean the same objects."""
    found = {name: zlib.crc32(chosen.astype("<i8").tobytes()) for name, chosen in split(IDS).items()}
    assert found == {"train": 3323845645, "validation": 3559760070, "test": 4277003960}
    assert zlib.crc32(folds(IDS, 5).astype("<i8").tobytes()) == 2821265690
    assert limited(IDS, 6).tolist() == [1365, 6799, 8079, 11601, 16432, 18120]


def test_two_folds_leave_nothing_to_train_on():
    with pytest.raises(OptionError, match="folds: expected at least 3, found 2"):
        fold_split(IDS, 2, 0)


def test_shares_divide_by_the_same_hash_and_a_share_of_none_gets_none():
    by_share = split(IDS, {"train": 0.5, "validation": 0.5, "test": 0.0})
    assert len(by_share["train"]) / len(IDS) == pytest.approx(0.5, abs=0.01)
    assert not len(by_share["test"])
    assert sorted(np.concatenate(list(by_share.values())).tolist()) == list(range(len(IDS)))
    assert set(by_share["train"]) < set(split(IDS)["train"])
    # What rounding leaves of a sum of shares is nobody's.
    assert not len(split(IDS, {"train": 0.5, "validation": 0.4, "test": 0.0})["test"])


@pytest.mark.parametrize(
    "text", ["", "Hash", "1", ".5,.5", ".5,.5,.1", ".9,.1,-.0001", "0,.5,.5", ".5,0,.5", "nan,.5,.5"]
)
def test_what_is_no_split_is_refused(text):
    with pytest.raises(OptionError, match="split: expected hash, all, column, column:NAME, or shares"):
        parse_split(text)


def test_shares_of_seventy_fifteen_fifteen_are_the_usual_split():
    assert parse_split(".7,.15,.15") == parse_split("hash") == Split()
    assert not Split().may_lack_test
    assert parse_split("all").may_lack_test
    assert parse_split("column:part").may_lack_test


def test_named_parts_are_taken_as_people_call_them_and_nothing_else_is():
    parts = split_as_named(["Training", "VAL", "test", "", "valid", "testing"], "data.csv: column fold")
    assert {name: chosen.tolist() for name, chosen in parts.items()} == {
        "train": [0], "validation": [1, 4], "test": [2, 5],
    }  # fmt: skip
    with pytest.raises(
        DataError, match=r"data.csv: column fold: expected train, validation, test or nothing, found 'hold"
    ):
        split_as_named(["train", "hold-out"], "data.csv: column fold")
