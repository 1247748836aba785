import numpy as np
import pytest

from common.data.batches import EpochOrder, batches, steps_per_execution

COUNT = 103


def gather(index):
    return np.stack([index, index], axis=1).astype(np.float32), index[:, None].astype(np.float32) * 10


def epoch(feed):
    return [np.asarray(target)[:, 0] / 10 for _, target in feed]


def test_every_object_comes_once_and_the_last_batch_is_smaller():
    order = EpochOrder(0, COUNT)
    found = epoch(batches(gather, "bands", COUNT, 32, order))
    assert [len(batch) for batch in found] == [32, 32, 32, 7]
    assert sorted(np.concatenate(found)) == list(range(COUNT))


def test_order_depends_on_seed_and_epoch_alone():
    def order_of(seed, number):
        order = EpochOrder(seed, COUNT)
        order.on_epoch_begin(number)
        return np.concatenate(epoch(batches(gather, "bands", COUNT, 32, order))).tolist()

    assert order_of(1, 4) == order_of(1, 4)
    assert order_of(1, 4) != order_of(1, 5)
    assert order_of(1, 4) != order_of(2, 4)


def test_one_feed_changes_its_order_with_the_epoch():
    order = EpochOrder(0, COUNT)
    feed = batches(gather, "bands", COUNT, 32, order)
    first = np.concatenate(epoch(feed)).tolist()
    order.on_epoch_begin(1)
    assert np.concatenate(epoch(feed)).tolist() != first
    order.on_epoch_begin(0)
    assert np.concatenate(epoch(feed)).tolist() == first


def test_without_order_objects_come_as_they_are_with_their_input():
    feed = batches(gather, "bands", COUNT, 50)
    assert np.concatenate(epoch(feed)).tolist() == list(range(COUNT))
    for inputs, target in feed:
        assert list(inputs) == ["bands"]
        np.testing.assert_array_equal(np.asarray(inputs["bands"])[:, 0] * 10, np.asarray(target)[:, 0])
    assert int(feed.cardinality()) == 3


@pytest.mark.parametrize(
    ("batch_bytes", "steps", "expected"),
    [(32 * 20, 458, 128), (32 * 20, 5, 5), (32 * 67500, 44, 1), (32 * 14088, 99, 9)],
)
def test_short_steps_are_bundled_and_long_ones_are_not(batch_bytes, steps, expected):
    assert steps_per_execution(batch_bytes, steps) == expected
