"""Distributions in files: what astropy, pyarrow, STILTS and qp read back is what the model says."""

import json
import subprocess
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
from astropy.table import Table
from helpers import needed
from helpers.distributed import distributed_by_hand
from helpers.exported import exported_folder
from helpers.trained import by_hand

from common.cli.command import main
from common.data.sources import chunk, open_source
from common.models.opening import load
from common.outputs.distribution import even_grid, quantiles, rebinned
from common.outputs.kinds import kind_of
from common.predict.choose import with_distributions
from common.predict.combine import Combination
from common.predict.predict import predict
from sdss_gs.errors import OptionError

TABLE = """objid,u,g,r,i,z
1237648720693755918,18.5,17.2,16.5,16.1,15.8
2,19.0,17.7,17.0,16.6,16.3
3,77,77,77,77,77
4,18.0,16.9,16.1,15.8,15.5
"""
FORMATS = {".fits": "fits", ".vot": "votable"}


@pytest.fixture
def galaxies(tmp_path):
    path = tmp_path / "in.csv"
    path.write_text(TABLE)
    return path


def written(model, galaxies, ending, form, name="out"):
    output = galaxies.with_name(name + ending)
    predict([model.with_pdf(form)], open_source([galaxies], ["bands"]), output, overwrite=True)
    return output


def expected(model, galaxies, form):
    """The vectors of a table in memory, and what they stand for."""
    frame = model.predict(galaxies, pdf=form)
    column = {"grid": f"{model.outputs[0].name}_pdf", "quantiles": f"{model.outputs[0].name}_quantiles"}[form]
    axis = frame.attrs["grids"][column] if form == "grid" else frame.attrs["levels"]
    return column, np.stack(frame[column]), np.array(axis), frame[model.outputs[0].name].to_numpy()


@pytest.mark.parametrize("name", ["b2r", "b2sm"])
def test_grid_in_memory_is_a_density_whose_median_is_the_answer(galaxies, name):
    model = distributed_by_hand(name)
    _, density, borders, value = expected(model, galaxies, "grid")
    shares = density * np.diff(borders)
    assert density.dtype == np.float32
    assert np.isnan(density[2]).all()
    good = [0, 1, 3]
    np.testing.assert_allclose(shares[good].sum(axis=1), 1, atol=1e-5)
    scale = kind_of(model.outputs[0]).from_scale(quantiles(shares[good], borders, [0.5]))[:, 0]
    np.testing.assert_allclose(scale, value[good], rtol=1e-4)


@pytest.mark.parametrize("form", ["grid", "quantiles"])
@pytest.mark.parametrize("ending", [".parquet", ".fits", ".vot"])
@pytest.mark.parametrize("name", ["b2r", "b2sm"])
def test_files_hold_every_number_and_say_what_it_stands_for(galaxies, name, ending, form, monkeypatch):
    model = distributed_by_hand(name)
    column, vectors, axis, _ = expected(model, galaxies, form)
    # Pieces of two rows, the second of which has a galaxy without a prediction.
    monkeypatch.setattr(chunk, "ROWS_PER_CHUNK", 2)
    path = written(model, galaxies, ending, form)
    if ending == ".parquet":
        table = pq.read_table(path)
        found = np.stack([np.array(row, float) for row in table[column].to_pylist()])
        said = table.schema.field(column).metadata
        stated = json.loads(said[b"grid" if form == "grid" else b"levels"])
        assert table[column].null_count == 0
    else:
        kind = FORMATS[ending]
        found = np.ma.filled(Table.read(path, 1 if ending == ".fits" else 0, format=kind)[column].astype(float), np.nan)
        about = Table.read(path, 2 if ending == ".fits" else 1, format=kind)
        assert len(about) == vectors.shape[1]
        stated = [*about["low"], about["high"][-1]] if form == "grid" else about["level"]
    np.testing.assert_array_equal(found.astype(np.float32), vectors)
    np.testing.assert_array_equal(np.array(stated), axis)


@pytest.mark.parametrize("ending", [".fits", ".vot"])
def test_stilts_finds_no_fault_and_reads_the_grid(galaxies, ending):
    """STILTS 3.4.7: tasks tcopy and votlint."""
    model = distributed_by_hand()
    path, number = written(model, galaxies, ending, "grid"), {".fits": 2, ".vot": 1}[ending]

    def ask(*words):
        done = subprocess.run([needed.program("stilts"), *words], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    if ending == ".vot":
        assert ask("votlint", f"votable={path}") == ""
    _, vectors, axis, _ = expected(model, galaxies, "grid")
    low = ask("tpipe", f"in={path}#{number}", f"ifmt={FORMATS[ending]}", "cmd=keepcols low", "ofmt=csv").split()[1:]
    assert list(map(float, low)) == axis[:-1].tolist()
    cell = ask(
        "tpipe", f"in={path}", f"ifmt={FORMATS[ending]}", "cmd=addcol x redshift_pdf[60]; keepcols x", "ofmt=csv"
    )
    # Their arrays count from 0.
    assert float(cell.split()[1]) == pytest.approx(float(vectors[0, 60]), rel=1e-6)


def test_command_writes_distributions_by_either_runtime_and_goes_on_after_a_kill(galaxies, tmp_path):
    folder = exported_folder(tmp_path / "b2r", distributed_by_hand())
    for runtime in ("onnxruntime", "keras"):
        tables = []
        for attempt in "ab":
            out = tmp_path / f"{runtime}{attempt}.parquet"
            words = ["--input", str(galaxies), "--output", str(out), "--pdf", "grid", "--runtime", runtime]
            assert main(["predict", folder, *words]) == 0
            tables.append(pq.read_table(out))
        assert tables[0].equals(tables[1])
    column, vectors, _, _ = expected(load(folder, "keras"), galaxies, "grid")
    found = np.stack([np.array(row, float) for row in tables[0][column].to_pylist()])
    np.testing.assert_array_equal(found.astype(np.float32), vectors)


def test_what_cannot_be_written_is_said_in_one_line(galaxies, tmp_path, capsys):
    folder = exported_folder(tmp_path / "b2r", distributed_by_hand())
    plain = exported_folder(tmp_path / "b2c", by_hand("b2c"))
    point = exported_folder(tmp_path / "point", replace(by_hand("b2r"), name="b2r-point"))
    for names, output, form, text in (
        ([folder], "out.csv", "grid", "expected .parquet, .fits, .vot or .xml for distributions, found CSV"),
        ([plain], "out.fits", "grid", "b2c: expected a model that predicts distributions, found class3 without one"),
        ([point], "out.fits", "grid", "found redshift without one; -P head=binned trains one"),
        ([plain, point], "out.fits", "grid", "b2c: expected a model that predicts distributions"),
        ([folder], "out.fits", "qp", "expected --pdf qp with .hdf5 or .h5"),
        ([folder], "out.hdf5", "grid", "expected --pdf qp with .hdf5 or .h5"),
    ):
        words = ["--input", str(galaxies), "--output", str(tmp_path / output), "--pdf", form]
        assert main(["predict", *names, *words]) == 1
        error = capsys.readouterr().err
        assert text in error
        assert error.count("\n") == 1


@pytest.mark.parametrize("way", ["best", "one2one"])
def test_models_that_are_combined_have_no_distribution_together(tmp_path, way):
    models = [distributed_by_hand("b2r")]
    with pytest.raises(OptionError, match=f"pdf: expected models by their names, found {way}, whose models have bins"):
        with_distributions(models, Combination(way), "grid", tmp_path / "out.parquet")


def test_beside_a_model_with_distributions_others_stay_as_they_are_and_a_line_says_so(galaxies, tmp_path, capsys):
    folders = [
        exported_folder(tmp_path / "b2r", distributed_by_hand("b2r")),
        exported_folder(tmp_path / "b2sm", distributed_by_hand("b2sm")),
        exported_folder(tmp_path / "b2c", by_hand("b2c")),
    ]
    out = tmp_path / "out.parquet"
    assert main(["predict", *folders, "--input", str(galaxies), "--output", str(out), "--pdf", "grid"]) == 0
    assert "b2c: no distribution of class3\n" in capsys.readouterr().out
    table = pq.read_table(out)
    for name in ("b2r_redshift_pdf", "b2sm_smass_pdf"):
        assert len(table[name][0].as_py()) == len(json.loads(table.schema.field(name).metadata[b"grid"])) - 1
    alone = distributed_by_hand("b2sm").predict(galaxies, pdf="grid")["smass_pdf"]
    np.testing.assert_allclose(
        np.array(table["b2sm_smass_pdf"].to_pylist()[:2]), np.stack(alone[:2]), rtol=1e-3, atol=1e-4
    )
    assert table["b2c_class3"].null_count == 1


def test_even_bins_hold_what_the_grid_held():
    model = distributed_by_hand()
    grid = model.outputs[0].grid
    borders = even_grid(grid)
    np.testing.assert_allclose(np.diff(borders), borders[1] - borders[0], rtol=1e-9)
    assert borders[0] <= grid[0]
    assert borders[-1] >= grid[-1]
    shares = np.random.default_rng(0).dirichlet(np.ones(len(grid) - 1), 50)
    even = rebinned(shares, grid, borders)
    np.testing.assert_allclose(even.sum(axis=1), 1, atol=1e-6)
    mean = [values @ (np.add(edges[1:], edges[:-1]) / 2) for values, edges in ((shares, grid), (even, borders))]
    np.testing.assert_allclose(*mean, atol=2e-4)


def test_qp_reads_an_ensemble_with_ids_flags_and_the_same_medians(galaxies, monkeypatch):
    qp = needed.package("qp")
    model = distributed_by_hand(components=2)
    monkeypatch.setattr(chunk, "ROWS_PER_CHUNK", 2)
    with pytest.warns(RuntimeWarning, match="non-finite"):
        ensemble = qp.read(str(written(model, galaxies, ".hdf5", "grid")))
    _, density, borders, value = expected(model, galaxies, "grid")
    assert ensemble.npdf == 4
    assert ensemble.gen_class.name == "hist"
    assert ensemble.ancil["objid"].tolist() == [1237648720693755918, 2, 3, 4]
    assert ensemble.ancil["flag"].tolist()[2] == 2
    assert "z: expected" in str(ensemble.ancil["problem"][2])
    np.testing.assert_array_equal(np.isnan(ensemble.ancil["redshift"]), [False, False, True, False])
    good = [0, 1, 3]
    np.testing.assert_allclose(ensemble.median().ravel()[good], value[good], atol=2e-4)
    mean = (density * np.diff(borders)) @ ((borders[1:] + borders[:-1]) / 2)
    np.testing.assert_allclose(ensemble.mean().ravel()[good], mean[good], atol=2e-4)
