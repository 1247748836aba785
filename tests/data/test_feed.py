import numpy as np

from common.data.batches import EpochOrder, make_batches

COUNT = 103


def gather(index):
    return np.stack([index, index], axis=1).astype(np.float32), index[:, None].astype(np.float32) * 10


def element(values, *truths):
    return ({"bands": values}, *truths)


def epoch(feed):
    return [np.asarray(target)[:, 0] / 10 for _, target in feed]


def test_every_object_comes_once_and_the_last_batch_is_smaller():
    order = EpochOrder(0, COUNT)
    found = epoch(make_batches(gather, element, COUNT, 32, order))
    assert [len(batch) for batch in found] == [32, 32, 32, 7]
    assert sorted(np.concatenate(found)) == list(range(COUNT))


def test_order_depends_on_seed_and_epoch_alone():
    def order_of(seed, number):
        order = EpochOrder(seed, COUNT)
        order.on_epoch_begin(number)
        return np.concatenate(epoch(make_batches(gather, element, COUNT, 32, order))).tolist()

    assert order_of(1, 4) == order_of(1, 4)
    assert order_of(1, 4) != order_of(1, 5)
    assert order_of(1, 4) != order_of(2, 4)


def test_one_feed_changes_its_order_with_the_epoch():
    order = EpochOrder(0, COUNT)
    feed = make_batches(gather, element, COUNT, 32, order)
    first = np.concatenate(epoch(feed)).tolist()
    order.on_epoch_begin(1)
    assert np.concatenate(epoch(feed)).tolist() != first
    order.on_epoch_begin(0)
    assert np.concatenate(epoch(feed)).tolist() == first


def test_without_order_objects_come_as_they_are_with_their_input():
    feed = make_batches(gather, element, COUNT, 50)
    assert np.concatenate(epoch(feed)).tolist() == list(range(COUNT))
    for inputs, target in feed:
        assert list(inputs) == ["bands"]
        np.testing.assert_array_equal(np.asarray(inputs["bands"])[:, 0] * 10, np.asarray(target)[:, 0])
    assert int(feed.cardinality()) == 3
