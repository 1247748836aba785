import numpy as np
import pytest

from sdss_gs import schema
from sdss_gs.errors import OptionError


def test_grid_is_sdss_log_grid_between_4000_and_9000():
    exponents = np.arange(35000, 40000)
    grid = 10 ** (exponents / 10000)
    expected = grid[(grid >= 4000) & (grid <= 9000)]
    np.testing.assert_allclose(schema.WAVELENGTH, expected, rtol=1e-12)
    assert len(schema.WAVELENGTH) == 3522 == schema.INPUTS["spectra"].shape[0]


def test_ssel_windows_select_1423_points_at_the_published_offsets():
    index = schema.SSEL_INDEX
    assert len(index) == 1423 == schema.INPUTS["ssel"].shape[0]
    starts = index[np.flatnonzero(np.diff(index, prepend=-2) > 1)]
    assert starts.tolist() == [
        0, 465, 525, 639, 792, 1101, 1177, 1232, 1293, 1535, 1596, 1670, 1714, 1896, 2109, 2430, 2730,
    ]  # fmt: skip
    assert index[-1] == 2843


def test_windows_tell_the_point_just_outside_with_three_decimals():
    assert not schema.in_windows(np.array([5415.019]))[0]
    assert schema.in_windows(np.array([5387.0, 5415.0])).all()


@pytest.mark.parametrize(
    ("name", "item", "output"),
    [
        ("i2r", "img", "redshift"),
        ("ss2sm", "ssel", "smass"),
        ("s2s", "spectra", "subclass"),
        ("i2c-shape", "img", "class3"),
    ],
)
def test_model_names_say_input_and_output(name, item, output):
    assert [part.name for part in schema.parse_model_name(name)] == [item, output]


@pytest.mark.parametrize("name", ["", "i2", "2r", "x2r", "i2q", "ir", "i2r2r"])
def test_other_names_are_refused_with_the_codes(name):
    with pytest.raises(OptionError, match=r"expected <input>2<output>.*ss.*sm"):
        schema.parse_model_name(name)


def test_each_model_has_a_name_of_its_own():
    names = [f"{i.code}2{o.code}" for i in schema.INPUTS.values() for o in schema.OUTPUTS.values()]
    assert len({schema.parse_model_name(name) for name in names}) == len(names) >= 24
