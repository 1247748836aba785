"""From whatever a user has to one row per galaxy, in every format, whole after any interruption."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import fits as astropy_fits
from astropy.table import Table
from conftest import FIRST_ID, survey_rows, write_image, write_survey
from helpers.exported import exported_folder
from helpers.trained import MAGNITUDES, by_hand, several_by_hand
from PIL import Image

from common.cli.command import main
from common.data.sources import chunk, open_source
from common.data.sources.folder import dataset_source, open_folder
from common.models.described import DESCRIPTION
from common.models.opening import load
from common.outputs.flags import Flag, words
from common.predict import results
from common.predict.choose import averaging
from common.predict.combine import Combination, combine
from common.predict.predict import predict
from sdss_gs import __version__
from sdss_gs.errors import DataError, OptionError
from sdss_gs.files import sealed, unsealed
from sdss_gs.schema import WAVELENGTH

BANDS = [f"modelMag_{band}" for band in "ugriz"]


def frame(count=10):
    magnitudes = MAGNITUDES + np.linspace(-0.5, 0.5, count)[:, None]
    return pd.DataFrame({"objid": FIRST_ID + np.arange(count), **dict(zip(BANDS, magnitudes.T, strict=True))})


def answers(table):
    return 0.01 * table[BANDS].to_numpy().mean(axis=1)


def write(table, path):
    if path.suffix == ".csv":
        table.to_csv(path, index=False)
    elif path.suffix == ".parquet":
        table.to_parquet(path, index=False)
    elif path.suffix == ".fits":
        Table.from_pandas(table).write(path)
    else:
        Table.from_pandas(table).write(path, format="votable")
    return path


def read(path):
    if path.suffix == ".parquet":
        return pd.read_parquet(path)
    if path.suffix == ".csv":
        return pd.read_csv(path, keep_default_na=False, na_values=[""])
    found = Table.read(path, format="votable" if path.suffix == ".vot" else "fits").to_pandas()
    return found.apply(lambda column: column.str.decode("ascii") if isinstance(column.iloc[0], bytes) else column)


def run(paths, output, model=None, **options):
    model = model or by_hand()
    source = open_source([paths] if not isinstance(paths, list) else paths, [model.inputs[0].name], **options)
    return predict([model], source, output)


@pytest.mark.parametrize("out", [".parquet", ".csv", ".fits", ".vot"])
@pytest.mark.parametrize("into", [".csv", ".parquet", ".fits", ".vot"])
def test_every_format_in_and_out_gives_the_same_rows(tmp_path, into, out):
    table = frame()
    output = tmp_path / f"out{out}"
    assert run(write(table, tmp_path / f"in{into}"), output).rows == 10
    found = read(output)
    assert found["objid"].tolist() == table["objid"].tolist()
    np.testing.assert_allclose(found["redshift"], answers(table), rtol=1e-5)
    assert (found["redshift_low_95"] < found["redshift_low_68"]).all()
    assert (found["redshift_low_68"] < found["redshift"]).all()
    assert (found["redshift"] < found["redshift_high_90"]).all()
    assert found["flag"].tolist() == [0] * 10
    assert set(found["model"]) == {"b2r"}
    assert set(found["weights"]) == {"sha256:000000000000"}
    assert {path.name for path in tmp_path.iterdir()} == {f"in{into}", f"out{out}"}


def test_missing_wrong_and_odd_rows_keep_their_place_and_say_why(tmp_path):
    path = tmp_path / "in.csv"
    lines = ["objid,u,g,r,i,z", "1,18.5,17.2,16.5,16.1,15.8", "2,-9999,17.2,16.5,16.1,15.8", "3,,17.2,16.5,16.1,15.8"]
    lines += ["4,abc,17.2,16.5,16.1,15.8", "5,18.5,17.2,16.5,16.1,70", "6,28.5,9,16.5,16.1,15.8", "7,nan,17,16,16,15"]
    path.write_text("\n".join(lines) + "\n")
    run(path, tmp_path / "out.csv")
    found = read(tmp_path / "out.csv").set_index("objid")
    assert found["flag"].tolist() == [0, Flag.MISSING, Flag.MISSING, Flag.BAD_INPUT, Flag.BAD_INPUT, 8, Flag.MISSING]
    assert found["redshift"].isna().tolist() == [False, True, True, True, True, False, True]
    assert found["problem"][4] == "u: expected a number, found abc"
    assert found["problem"][5] == "z: expected 5 < value < 30, found 70"
    assert words(8 | 1) == [words(1)[0], words(8)[0]]


def test_columns_may_have_other_names(tmp_path):
    table = frame().rename(columns={"modelMag_r": "rmag", "modelMag_u": "U", "objid": "name"})
    path = write(table, tmp_path / "in.csv")
    with pytest.raises(OptionError, match=r"expected columns modelMag_u, .*found name, U, .*--column r=NAME"):
        run(path, tmp_path / "out.csv")
    run(path, tmp_path / "out.csv", columns={"r": "rmag"}, id_column="name")
    found = read(tmp_path / "out.csv")
    assert found["name"].tolist() == frame()["objid"].tolist()
    np.testing.assert_allclose(found["redshift"], answers(frame()), rtol=1e-5)
    with pytest.raises(OptionError, match=r"column r=nope: expected a column of .*in.csv"):
        run(path, tmp_path / "o.csv", columns={"r": "nope"})
    with pytest.raises(OptionError, match="column q: expected one of modelMag_u"):
        run(path, tmp_path / "o.csv", columns={"q": "U"})


def test_ids_that_are_no_numbers_or_not_there(tmp_path):
    table = frame(3)
    table["objid"] = ["a", "b", "c"]
    run(write(table, tmp_path / "a.csv"), tmp_path / "a_out.parquet")
    assert read(tmp_path / "a_out.parquet")["objid"].tolist() == ["a", "b", "c"]
    run(write(table.drop(columns="objid"), tmp_path / "b.csv"), tmp_path / "b_out.parquet")
    assert read(tmp_path / "b_out.parquet")["row"].tolist() == [0, 1, 2]


def test_parquet_says_which_code_source_and_weights_it_is_from(tmp_path):
    first, second = (write(frame(count), tmp_path / f"{count}.csv") for count in (3, 4))
    said = []
    for path in (first, second):
        run(path, tmp_path / f"{path.stem}_out.parquet")
        said.append(json.loads(pq.read_schema(tmp_path / f"{path.stem}_out.parquet").metadata[b"zoo"]))
    assert said[0]["models"] == [["b2r", "1", "0" * 60 + "beef"]]
    assert said[0]["code"].startswith(__version__)
    assert said[0]["source"] != said[1]["source"]


class StopError(Exception):
    """What ends a prediction in its middle."""


def test_killed_prediction_goes_on_and_ends_as_if_nothing_had_happened(tmp_path, monkeypatch):
    monkeypatch.setattr(chunk, "ROWS_PER_CHUNK", 7)
    path = write(frame(50), tmp_path / "in.parquet")
    run(path, tmp_path / "whole.parquet")
    model, original, calls = by_hand(), type(by_hand()).answers, []

    def failing(self, seen, present):
        calls.append(len(present))
        if len(calls) == 4:
            raise StopError
        return original(self, seen, present)

    monkeypatch.setattr(type(model), "answers", failing)
    with pytest.raises(StopError):
        run(path, tmp_path / "out.parquet", model)
    assert not (tmp_path / "out.parquet").exists()
    assert run(path, tmp_path / "out.parquet", model).rows == 50
    # Three chunks were kept: five of eight were left.
    assert calls == [7, 7, 7, 7, 7, 7, 7, 7, 1]
    assert (tmp_path / "out.parquet").read_bytes() == (tmp_path / "whole.parquet").read_bytes()


def test_prediction_killed_while_its_file_is_written_leaves_nothing_beside_it(tmp_path, monkeypatch):
    path, original = write(frame(), tmp_path / "in.csv"), results.WRITERS[".csv"]

    def half(pieces, path):
        path.write_text("half a file")
        raise StopError

    monkeypatch.setitem(results.WRITERS, ".csv", half)
    with pytest.raises(StopError):
        run(path, tmp_path / "out.csv")
    assert {file.name for file in tmp_path.iterdir()} == {"in.csv", "out.csv.pieces"}
    monkeypatch.setitem(results.WRITERS, ".csv", original)
    assert run(path, tmp_path / "out.csv").rows == 10
    assert {file.name for file in tmp_path.iterdir()} == {"in.csv", "out.csv"}


def test_pieces_of_another_prediction_are_not_mixed_in(tmp_path, monkeypatch):
    path = write(frame(), tmp_path / "in.csv")
    pieces = tmp_path / "out.csv.pieces"
    pieces.mkdir()
    (pieces / "plan.json").write_text(json.dumps({"source": "another"}))
    with pytest.raises(OptionError, match=r"holds another prediction .*give --overwrite"):
        run(path, tmp_path / "out.csv")
    source = open_source([path], ["bands"])
    assert predict([by_hand()], source, tmp_path / "out.csv", overwrite=True).rows == 10
    with pytest.raises(OptionError, match="there is such a file already; give --overwrite"):
        run(path, tmp_path / "out.csv")


@pytest.mark.parametrize("output", [".", "folder.csv"])
def test_folder_is_no_output(output, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = write(frame(), tmp_path / "in.csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(OptionError, match=rf"output {re.escape(output)}: expected a file .*, found a folder"):
        run(path, Path(output))


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("in.csv", "", "in.csv: expected a line of column names, found an empty file"),
        ("in.csv", "objid,u,g,r,i,z\n", "in.csv: expected at least one row, found none"),
        ("in.csv", "objid,u,g,r,i,z\n1,2,3\n", "in.csv: expected 6 cells in each row, found 3"),
        ("in.parquet", "junk", "expected a Parquet file"),
        ("in.fits", "junk", "expected a table"),
        ("in.vot", "junk", "expected a table"),
        ("in.doc", "junk", "expected a file that ends in"),
    ],
)
def test_files_that_are_no_catalogue_are_one_clear_error(tmp_path, name, content, expected):
    (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=expected):
        run(tmp_path / name, tmp_path / "out.csv")


def test_survey_folder_is_predicted_in_the_order_of_its_catalogue(tmp_path):
    rows = survey_rows(12)
    rows[3]["modelMag_g"] = "-9999"
    rows[4]["modelMag_g"] = "77"
    folder = write_survey(tmp_path / "ds", rows, ("img",))
    (folder / "img" / f"{rows[5]['objid']}.jpg").write_bytes(b"junk")
    (folder / "img" / f"{rows[6]['objid']}.jpg").unlink()
    models = [by_hand("b2r"), by_hand("i2sm")]
    predict(models, open_source([folder], ["bands", "img"], progress=False), tmp_path / "out.parquet")
    found = read(tmp_path / "out.parquet")
    assert found["objid"].astype(str).tolist() == [row["objid"] for row in rows]
    assert (found["b2r_flag"][[3, 4]] & 3).tolist() == [Flag.MISSING, Flag.BAD_INPUT]
    assert (found["i2sm_flag"][[4, 5, 6]] & 3).tolist() == [0, Flag.BAD_INPUT, Flag.MISSING]
    assert "expected an image" in found["i2sm_problem"][5]
    assert found["i2sm_smass"].isna().tolist() == [number in (5, 6) for number in range(12)]


def test_each_row_of_a_folder_is_predicted_though_an_object_has_several(tmp_path):
    rows = survey_rows(4)
    rows[1]["modelMag_u"] = ""
    second = rows[2] | {"redshift": f"{float(rows[2]['redshift']) + 2e-5:.6f}"}
    other = rows[3] | {"modelMag_r": "20.5"}
    folder = write_survey(tmp_path / "ds", [rows[2], *rows, second, other, rows[0] | {"objid": "none"}])
    source = open_source([folder], ["bands"])
    assert [note[:70] for note in source.notes] == [
        "3 rows of data.csv repeat the objid of another, as of an object with t",
        "1 rows of data.csv have no usable objid and are left out",
    ]
    run(folder, tmp_path / "out.csv", by_hand())
    found = read(tmp_path / "out.csv")
    # What is kept of a data set, as its features are, has each object once.
    assert dataset_source(open_folder(folder, ["bands"], progress=False), repeats=False).count == 4
    expected = [rows[2], *rows, second, other]
    assert found["objid"].astype(str).tolist() == [row["objid"] for row in expected]
    assert found["flag"].tolist() == [0, 0, 1, 0, 2, 0, 2]
    assert found["redshift"][0] == found["redshift"][3] == found["redshift"][5]
    problem = f"modelMag_r: expected rows that agree, found {rows[3]['modelMag_r']} and 20.5: left out"
    assert found["problem"][4].startswith(problem)


def test_folder_of_images_of_any_size_and_state(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    write_image(folder / "a.jpg", 100)
    write_image(folder / "b.JPG", 100, (120, 120))
    write_image(folder / "c.jpeg", 100, (20, 20))
    (folder / "d.jpg").write_bytes((folder / "a.jpg").read_bytes()[:500])
    (folder / "notes.txt").write_text("not an image")
    run(folder, tmp_path / "out.csv", by_hand("i2g", 0.001))
    found = read(tmp_path / "out.csv")
    assert found["id"].tolist() == ["a", "b", "c", "d"]
    assert (found["flag"] & 71).tolist() == [0, Flag.CROPPED, Flag.BAD_INPUT, Flag.BAD_INPUT]
    chances = found.filter(regex="^gz2c_(?!set)").to_numpy()
    np.testing.assert_allclose(chances[:2].sum(axis=1), 1)
    assert np.isnan(chances[2:]).all()
    assert found["gz2c"][0] in found["gz2c_set_90"][0].split("|")


def test_image_of_another_scale_is_resampled_as_told(tmp_path):
    pixels = np.full((75, 75, 3), 90, np.uint8)
    pixels[:, ::2] = 110
    Image.fromarray(pixels).save(tmp_path / "a.png")
    run(tmp_path / "a.png", tmp_path / "out.csv", by_hand("i2r"), image_scale=0.4)
    found = read(tmp_path / "out.csv")
    assert found["flag"][0] & (Flag.RESAMPLED | Flag.CROPPED) == Flag.RESAMPLED
    assert found["redshift"][0] == pytest.approx(1.0, rel=1e-2)


def test_python_is_told_the_scale_and_tells_what_it_passed_over(tmp_path):
    write_image(tmp_path / "a.jpg", 100, (424, 424))
    (tmp_path / "b.gif").write_bytes(b"x")
    found = by_hand("i2r").predict(tmp_path, image_scale=0.1)
    assert found["flag"][0] & (Flag.RESAMPLED | Flag.CROPPED) == Flag.RESAMPLED | Flag.CROPPED
    assert [
        note.partition(": ")[2].startswith("passed over 1 file or folder: b.gif") for note in found.attrs["notes"]
    ] == [True]
    (bad,) = by_hand("i2r").predict(tmp_path)["problem"]
    assert "--image-scale; image_scale" in bad


def test_larger_cut_outs_and_fits_cubes_enter_by_their_centre(tmp_path):
    cube = np.zeros((5, 71, 75), np.float32)
    cube[:, 5:66, 7:68] = np.tile([0.5, 1.5, 1], 21)[:61]
    astropy_fits.writeto(tmp_path / "a.fits", cube)
    np.save(tmp_path / "b.npy", np.moveaxis(cube, 0, 2))
    np.save(tmp_path / "c.npy", np.zeros((60, 61, 5), np.float32))
    np.save(tmp_path / "d.npy", np.full((61, 61, 5), np.nan, np.float32))
    np.save(tmp_path / "e.npy", np.array([{}]), allow_pickle=True)
    paths = [tmp_path / name for name in ("a.fits", "b.npy", "c.npy", "d.npy", "e.npy")]
    run(paths, tmp_path / "out.csv", by_hand("f2r", 0.1))
    found = read(tmp_path / "out.csv")
    np.testing.assert_allclose(found["redshift"][:2], 0.1 * cube[0, 5:66, 7:68].mean(), rtol=1e-4)
    assert (found["flag"] & 71).tolist() == [Flag.CROPPED, Flag.CROPPED, 2, 2, 2]


def test_load_predicts_arrays_and_refuses_other_shapes():
    model = by_hand()
    found = model.predict(MAGNITUDES)
    assert list(found) == model.columns()
    assert found["redshift"][0] == pytest.approx(0.1682, rel=1e-3)
    found = model.predict(np.array([MAGNITUDES, MAGNITUDES * np.nan, MAGNITUDES * 4]))
    assert found["flag"].tolist() == [0, Flag.MISSING, Flag.BAD_INPUT]
    assert found["redshift"].isna().tolist() == [False, True, True]
    with pytest.raises(OptionError, match=r"b2r: expected numbers of shape \(n, 5\), found float64 \(4,\)"):
        model.predict(MAGNITUDES[:4])
    with pytest.raises(OptionError, match="b2r: expected numbers"):
        model.predict(np.array(["a"] * 5))


@pytest.mark.parametrize("ending", [".csv", ".parquet", ".fits", ".vot"])
def test_catalogue_is_never_written_over_even_if_told_to(tmp_path, ending):
    path = write(frame(), tmp_path / f"in{ending}")
    content = path.read_bytes()
    (tmp_path / f"link{ending}").symlink_to(path)
    for output in (path, tmp_path / f"link{ending}"):
        with pytest.raises(OptionError, match="it is the input"):
            predict([by_hand()], open_source([path], ["bands"]), output, overwrite=True)
    assert path.read_bytes() == content
    assert {file.name for file in tmp_path.iterdir()} == {path.name, f"link{ending}"}


def test_predictions_that_cannot_be_are_flagged_alone_and_together(tmp_path):
    models = [by_hand("b2r", -0.02), by_hand("w2r", -0.02)]
    values = {"bands": np.array([MAGNITUDES, -MAGNITUDES]), "wise": np.array([[14.0, 14, 10, 8], [-4, -4, -4, -4]])}
    frames = {model.name: model.predict(values[model.inputs[0].name]) for model in models}
    for found in frames.values():
        assert found["redshift"][0] < -0.01
        assert (found["flag"] & int(Flag.IMPOSSIBLE) > 0).tolist() == [True, False]
    together = combine(models, frames, Combination("one2one"))
    assert (together["redshift_flag"] & int(Flag.IMPOSSIBLE) > 0).tolist() == [True, False]
    assert "outside what the quantity can be" in words(Flag.IMPOSSIBLE)[0]


@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")
def test_network_without_a_finite_answer_gives_none_and_says_so(tmp_path):
    pixels = np.linspace(0.5, 1, 61 * 61 * 5, dtype=np.float32).reshape(61, 61, 5)
    np.save(tmp_path / "a.npy", pixels * np.float32(3e38))
    np.save(tmp_path / "b.npy", pixels)
    for name in ("f2s", "f2r"):
        run([tmp_path / "a.npy", tmp_path / "b.npy"], tmp_path / f"{name}.parquet", by_hand(name, 1e5))
        found = pd.read_parquet(tmp_path / f"{name}.parquet")
        assert found[by_hand(name).outputs[0].name].isna().tolist() == [True, False]
        assert (found["flag"] & int(Flag.BAD_INPUT) > 0).tolist() == [True, False]
        assert found["problem"].tolist() == ["the input, or what the network makes of it, is no finite number", ""]


def test_ids_with_a_null_in_one_chunk_stay_exact_in_python_too(tmp_path, monkeypatch):
    monkeypatch.setattr(chunk, "ROWS_PER_CHUNK", 2)
    for kind, first in (("Int64", 2**60 + 1), ("UInt64", 2**63 + 1)):
        table = frame(6).assign(objid=pd.array([first + n for n in range(6)], kind))
        table.loc[3, "objid"] = pd.NA
        path = tmp_path / f"{kind}.parquet"
        table.to_parquet(path)
        found = by_hand().predict(path)["objid"]
        assert found.dtype == kind
        assert [None if one is pd.NA else one for one in found] == [
            *range(first, first + 3),
            None,
            first + 4,
            first + 5,
        ]


def test_id_that_would_be_taken_for_a_prediction_is_refused(tmp_path):
    path = write(frame().rename(columns={"objid": "Flag"}), tmp_path / "in.csv")
    with pytest.raises(OptionError, match="id Flag: the output has a column flag of its own; rename the id"):
        run(path, tmp_path / "out.csv", id_column="Flag")


def test_input_without_what_the_model_needs_is_one_clear_error(tmp_path):
    write_image(tmp_path / "a.jpg", 100)
    source = open_source([tmp_path / "a.jpg"], ["bands"])
    with pytest.raises(OptionError, match="b2r: expected an input with bands, found img"):
        predict([by_hand()], source, tmp_path / "out.csv")
    with pytest.raises(DataError, match="no such file or folder"):
        open_source([tmp_path / "none"])


def predictions(values, names):
    """What some models say of the same objects."""
    models = [by_hand(name, 0.0, spread) for name, spread in names]
    frames = {}
    for model, value in zip(models, values, strict=True):
        found = model.predict(np.broadcast_to(15, (len(value), *next(iter(model.shapes.values())))))
        missing = np.isnan(value)
        for column in model.columns()[:-1]:
            found[column] = found[column] + value
        found.loc[missing, model.columns()[:-1]] = np.nan
        frames[model.name] = found
    return models, frames


def test_models_together_weigh_by_how_sure_they_are_and_drop_a_wild_one():
    values = np.array([[0.1, 0.1, np.nan], [0.11, 0.1, np.nan], [0.12, 0.9, 0.2]])
    models, frames = predictions(values, [("b2r", 0.01), ("w2r", 0.01), ("i2r", 0.02)])
    found = combine(models, frames, Combination("one2one"))
    weights = np.array([1, 1, 0.25])
    assert found["redshift"][0] == pytest.approx((values[:, 0] * weights).sum() / weights.sum(), abs=2e-3)
    assert found["redshift"][1] == pytest.approx(0.1)
    assert found["redshift_models"].tolist() == ["b2r|w2r|i2r", "b2r|w2r", "i2r"]
    assert found["redshift_flag"].tolist() == [0, Flag.DISAGREEMENT, 0]
    assert (found["redshift_low_68"] < found["redshift"]).all()
    best = combine(models, frames, Combination("best", {"b2r": {"redshift": 0.1}, "i2r": {"redshift": 0.2}}))
    np.testing.assert_allclose(best["redshift"], [0.1, 0.1, 0.2])
    assert best["redshift_models"].tolist() == ["b2r", "b2r", "i2r"]


def test_classes_together_are_mean_probabilities():
    one, other = by_hand("b2s", 0.0), by_hand("w2s", 0.1)
    frames = {"b2s": one.predict(np.full((1, 5), 15.0)), "w2s": other.predict(np.full((1, 4), 15.0))}
    found = combine([one, other], frames, Combination("one2one"))
    column = "subclass_STARFORMING"
    assert found[column][0] == pytest.approx((frames["b2s"][column][0] + frames["w2s"][column][0]) / 2)
    assert found["subclass"][0] == frames["w2s"]["subclass"][0]


def test_each_output_is_of_the_model_that_is_best_in_it():
    several, single = several_by_hand(), by_hand("b2r", 0.02)
    frames = {
        model.name: model.predict({"bands": np.array([MAGNITUDES, MAGNITUDES + 0.1])}) for model in (several, single)
    }
    frames["b2s"] = by_hand("b2s").predict({"bands": np.array([MAGNITUDES, MAGNITUDES + 0.1])})
    costs = {"x2y": {"redshift": 0.3, "subclass": -0.9}, "b2r": {"redshift": 0.1}, "b2s": {"subclass": -0.8}}
    best = combine([several, single, by_hand("b2s")], frames, Combination("best", costs))
    assert best["redshift_models"].tolist() == ["b2r"] * 2
    assert best["subclass_models"].tolist() == ["x2y"] * 2
    np.testing.assert_array_equal(best["redshift"], frames["b2r"]["redshift"])
    np.testing.assert_array_equal(best["subclass_AGN"], frames["x2y"]["subclass_AGN"])


def test_a_galaxy_that_lacks_an_input_is_of_the_model_that_is_best_without_it():
    """With WISE the model of several inputs is the best there is, of the bands alone b2r is."""
    costs = {"bands|wise": {"redshift": 0.05}, "bands": {"redshift": 0.12}}
    several, single = replace(several_by_hand(), costs=costs), by_hand("b2r", 0.02)
    wise = np.array([[14.0, 14.0, 10.0, 8.0], [np.nan] * 4], np.float32)
    bands = np.array([MAGNITUDES, MAGNITUDES])
    frames = {"x2y": several.predict({"bands": bands, "wise": wise}), "b2r": single.predict({"bands": bands})}
    stated = Combination("best", {"x2y": {"redshift": 0.06}, "b2r": {"redshift": 0.1}})
    assert combine([several, single], frames, stated)["redshift_models"].tolist() == ["x2y", "b2r"]
    # What nobody measured without an input is what the model reaches with what objects have.
    known = replace(several, costs={})
    assert combine([known, single], frames, stated)["redshift_models"].tolist() == ["x2y", "x2y"]


def test_model_with_several_inputs_predicts_each_row_from_what_it_has(tmp_path, monkeypatch):
    monkeypatch.setattr(chunk, "ROWS_PER_CHUNK", 2)
    table = frame(6).assign(w1mag=14.0, w2mag=14.0, w3mag=10.0, w4mag=8.0)
    table.loc[:1, ["modelMag_u", "w1mag"]] = np.nan
    table.loc[2, "w3mag"] = -9999
    path, models = write(table, tmp_path / "in.parquet"), [several_by_hand(), by_hand()]
    predict(models, open_source([path], ["bands", "wise"]), tmp_path / "out.parquet")
    found = read(tmp_path / "out.parquet")
    assert found["x2y_inputs"].tolist() == ["", "", "bands", *["bands|wise"] * 3]
    assert found["x2y_redshift"].isna().tolist() == [True, True, *[False] * 4]
    assert (found["x2y_flag"] & 1).tolist() == [1, 1, 0, 0, 0, 0]
    width = found["x2y_redshift_high_68"] - found["x2y_redshift_low_68"]
    assert width[2] > 5 * width[3]
    alone = by_hand().predict(table[[f"modelMag_{band}" for band in "ugriz"]].to_numpy()[3:])
    np.testing.assert_allclose(found["b2r_redshift"][3:], alone["redshift"])
    write_image(tmp_path / "a.jpg", 1)
    only_images = open_source([tmp_path / "a.jpg"], ["img"])
    with pytest.raises(OptionError, match="x2y: expected an input with bands or wise, found img"):
        predict(models[:1], only_images, tmp_path / "none.parquet")


def test_parquet_keeps_types_when_a_piece_has_no_prediction(tmp_path, monkeypatch):
    monkeypatch.setattr(chunk, "ROWS_PER_CHUNK", 2)
    table = frame(4)
    table.loc[:1, "modelMag_u"] = np.nan
    run(write(table, tmp_path / "in.parquet"), tmp_path / "out.parquet", by_hand("b2s"))
    schema = pq.read_schema(tmp_path / "out.parquet")
    assert schema.field("subclass").type == pa.string()
    assert schema.field("flag").type == pa.int32()
    assert read(tmp_path / "out.parquet")["subclass"].isna().tolist() == [True, True, False, False]


@pytest.mark.parametrize("name", ["i2r", "i2sm", "i2s"])
def test_eight_forms_are_averaged_as_the_network_gives_them(name):
    model = by_hand(name)
    (output,) = model.outputs
    head = model.network.get_layer(output.name)
    kernel, bias = head.get_weights()
    # Only what lies at the top of the image counts, so that each form says something else.
    kernel *= 2 * (np.arange(len(kernel)) < len(kernel) // 2)[:, None]
    head.set_weights([kernel, bias])
    images = np.linspace(0, 200, 150, dtype=np.uint8)[None, :, None, None] * np.ones((2, 1, 150, 3), np.uint8)
    turned = [np.rot90(view, turns, axes=(1, 2)) for view in (images, images[:, ::-1]) for turns in range(4)]

    def raw(model, images):
        return model.answers({"img": np.ascontiguousarray(images)}, np.ones((len(images), 1), bool))[output.name]

    one = np.array([raw(model, view) for view in turned])
    assert one.std(axis=0).max() > 1e-3 * np.abs(one).max()
    expected = 10 ** np.log10(one).mean(axis=0) if name == "i2sm" else one.mean(axis=0)
    averaging_model = averaging([model])[0]
    np.testing.assert_allclose(raw(averaging_model, images), expected, rtol=1e-5)
    assert averaging_model.calibrations is model.calibrations
    assert len(raw(averaging_model, images[:0])) == 0


@pytest.mark.parametrize(
    ("origin", "words"),
    [
        ("", []),
        ("sample", ["b2r: learnt from synthetic galaxies, says nothing reliable of real ones"]),
        ("templates", ["b2r: learnt from spectra made of the survey's templates, never from a real one"]),
    ],
)
def test_one_line_says_that_a_model_did_not_learn_from_real_objects(tmp_path, capsys, origin, words):
    folder = exported_folder(tmp_path / "b2r", replace(by_hand(), origin=origin))
    (tmp_path / "in.csv").write_text("objid,u,g,r,i,z\n1,18.5,17.2,16.5,16.1,15.8\n")
    assert main(["predict", folder, "--input", str(tmp_path / "in.csv"), "--output", str(tmp_path / "out.csv")]) == 0
    assert [line for line in capsys.readouterr().out.splitlines() if "learnt from" in line] == words


def test_models_stored_before_there_were_templates_learnt_from_the_sample(tmp_path):
    folder = exported_folder(tmp_path / "b2r", by_hand())
    path = Path(folder) / DESCRIPTION
    description = unsealed(json.loads(path.read_text()))
    description["facts"]["synthetic"] = True
    path.write_text(json.dumps(sealed(description)))
    assert load(folder).origin == "sample"


def test_either_flux_of_a_spectrum_is_looked_at(tmp_path, capsys):
    folder = exported_folder(tmp_path / "s2r", by_hand("s2r"))
    lines = [f"{wave:.3f},{30 + number % 2},{10 + number % 2}" for number, wave in enumerate(WAVELENGTH)]
    (tmp_path / "7.csv").write_text("\n".join(["Wavelength,Flux,BestFit", *lines]))
    options = ["--input", str(tmp_path / "7.csv"), "--output", str(tmp_path / "out.csv"), "--overwrite"]
    found = []
    for chosen in ([], ["--spectrum", "BestFit"], ["--spectrum", "Flux"]):
        assert main(["predict", folder, *options, *chosen]) == 0
        found.append(pd.read_csv(tmp_path / "out.csv")["redshift"][0])
    assert found == pytest.approx([0.105, 0.105, 0.305], abs=1e-4)
    table = exported_folder(tmp_path / "b2r", by_hand())
    assert main(["predict", table, *options, "--spectrum", "Flux"]) == 1
    assert "spectrum: expected a model of spectra, found b2r" in capsys.readouterr().err


def test_only_images_have_eight_forms():
    image, table = by_hand("i2r"), by_hand("b2r")
    assert [model.tta for model in averaging([image, table])] == [True, False]
    with pytest.raises(OptionError, match="tta: expected a model of images, found b2r"):
        averaging([table])
