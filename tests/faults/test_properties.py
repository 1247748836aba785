"""What must hold whatever the numbers are."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from common.outputs.kinds import kind_of
from sdss_gs.decision_tree import TREES
from sdss_gs.errors import BadFileError
from sdss_gs.formats.fits import read
from sdss_gs.packing.pack import pack
from sdss_gs.packing.packed import Packed, packed_folder
from sdss_gs.schema import OUTPUTS
from sdss_gs.split import SHARES, fold_split, limited, split

# The same examples in every run, as few as the suite has time for.
FEW = settings(
    max_examples=25, deadline=None, derandomize=True, database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
ids = st.lists(st.integers(0, 2**63 - 1), min_size=1, max_size=200, unique=True).map(lambda n: np.array(n, np.int64))


@FEW
@given(ids, st.randoms(use_true_random=False))
def test_objects_keep_their_part_when_the_set_grows_or_changes_its_order(objid, random):
    part_of = {number: name for name, rows in split(objid).items() for number in objid[rows].tolist()}
    assert sorted(part_of) == sorted(objid.tolist())
    fewer = objid.tolist()[: len(objid) // 2 + 1]
    random.shuffle(fewer)
    fewer = np.array(fewer, np.int64)
    for name, rows in split(fewer).items():
        assert all(part_of[number] == name for number in fewer[rows].tolist())


@FEW
@given(st.integers(0, 2**62), st.sampled_from([1, 2, 7, 4096, 2**20]))
def test_shares_of_the_parts_are_within_binomial_limits(first, step):
    objid = first + step * np.arange(4000)
    for name, rows in split(objid).items():
        share = SHARES[name]
        assert abs(len(rows) / 4000 - share) < 5 * np.sqrt(share * (1 - share) / 4000)


@FEW
@given(ids, st.integers(3, 10), st.data())
def test_folds_are_disjoint_and_complete(objid, count, data):
    parts = fold_split(objid, count, data.draw(st.integers(0, count - 1)))
    assert sorted(np.concatenate([*parts.values()]).tolist()) == list(range(len(objid)))


@FEW
@given(ids, st.integers(1, 200))
def test_a_larger_limit_keeps_the_objects_of_a_smaller_one(objid, limit):
    few, more = (set(limited(objid, n).tolist()) for n in (limit, limit + 10))
    assert few <= more
    assert len(few) == min(limit, len(objid))


@settings(FEW, max_examples=8)
@given(arrays(np.float32, (3, 4), elements=st.floats(width=32, allow_nan=False, allow_infinity=False)))
def test_every_finite_number_comes_out_of_the_packed_array_as_it_went_in(tmp_path_factory, corner):
    folder = tmp_path_factory.mktemp("ds")
    (folder / "fits").mkdir()
    objid = np.arange(1, 4)
    cutouts = np.zeros((3, 61, 61, 5), np.float32)
    cutouts[:, 0, 0, :4] = corner
    cutouts[:, 1, 1] = 1
    for number, cutout in zip(objid.tolist(), cutouts, strict=True):
        np.save(folder / "fits" / f"{number}.npy", cutout)
    pack(folder, "fits", objid, progress=False)
    packed = Packed(packed_folder(folder) / "fits")
    rows, _ = packed.locate(objid[::-1])
    assert packed.take(rows).tobytes() == cutouts[::-1].tobytes()


@FEW
@given(
    arrays(
        np.float64,
        array_shapes(min_dims=3, max_dims=3, max_side=8),
        elements=st.floats(width=64) | st.sampled_from([1e308, -1e308, 5e-324, np.nan, np.inf]),
    )
)
def test_cutout_is_finite_or_refused(tmp_path_factory, array):
    path = tmp_path_factory.mktemp("one") / "1.npy"
    whole = np.zeros((61, 61, 5))
    whole[-1, -1] = 1
    whole[: array.shape[0], : array.shape[1], : min(5, array.shape[2])] = array[:, :, :5]
    np.save(path, whole)
    try:
        assert np.isfinite(read(path)).all()
    except BadFileError:
        with np.errstate(over="ignore"):
            assert not np.isfinite(whole.astype(np.float32)).all()


@pytest.mark.parametrize("tree", TREES.values(), ids=TREES)
def test_votes_of_any_shares_sum_to_what_they_must(tree):
    @FEW
    @given(arrays(np.float64, (4, len(tree.columns)), elements=st.floats(0, 1)))
    def check(raw):
        firsts = [question.first for question in tree.questions]
        sums = np.repeat(np.add.reduceat(raw + 1e-9, firsts, axis=1), tree.sizes(), axis=1)
        values = tree.weighted((raw + 1e-9) / sums)
        np.testing.assert_allclose(tree.sums(values), tree.expected_sums(values), atol=1e-9)
        assert not tree.inconsistent(values).any()
        assert ((values >= 0) & (values <= 1 + 1e-9)).all()
        shares = tree.conditional(values)
        there = np.isfinite(shares)
        np.testing.assert_allclose(np.add.reduceat(np.where(there, shares, 0), firsts, axis=1)[tree.reached(values)], 1)
        leaves = tree.leaf_probabilities(values)
        assert ((leaves >= 0) & (leaves <= 1 + 1e-9)).all()

    check()


@settings(FEW, max_examples=12)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from(["normal", "standard_cauchy", "exponential", "constant"]),
    st.floats(1e-4, 0.1),
)
def test_intervals_hold_as_many_exchangeable_truths_as_they_say(seed, shape, width):
    rng = np.random.default_rng(seed)
    count, predicted = 3000, rng.uniform(0.01, 0.5, 6000)
    error = np.zeros(6000) if shape == "constant" else getattr(rng, shape)(size=6000)
    truth = predicted + np.clip(error, -30, 30) * width * (1 + predicted)
    output = OUTPUTS["redshift"]
    fitted = kind_of(output).fit_calibration(truth[:count], predicted[:count])
    for row in kind_of(output).coverage(fitted, truth[count:], predicted[count:]):
        level = row["level"]
        # Both halves are samples: five of their standard errors, and what rounding does in ten bins.
        limit = 5 * np.sqrt(2 * level * (1 - level) / count) + 0.01
        assert level - limit < row["coverage"]
        assert shape == "constant" or row["coverage"] < level + limit


@settings(FEW, max_examples=12)
@given(st.integers(0, 2**32 - 1), st.floats(0.2, 5))
def test_class_sets_hold_as_many_exchangeable_truths_as_they_say(seed, sharpness):
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, sharpness, (6000, 4))
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    truth = (rng.uniform(size=(6000, 1)) > probabilities.cumsum(axis=1)).sum(axis=1).clip(0, 3)
    fitted = kind_of(OUTPUTS["subclass"]).fit_calibration(truth[:3000], probabilities[:3000])
    for row in kind_of(OUTPUTS["subclass"]).coverage(fitted, truth[3000:], probabilities[3000:]):
        assert row["coverage"] > row["level"] - 5 * np.sqrt(2 * row["level"] * (1 - row["level"]) / 3000) - 0.01
