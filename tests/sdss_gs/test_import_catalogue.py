"""A user's catalogue becomes the data.csv of a set that models train on."""

import numpy as np
import pytest
from astropy.table import Table

from sdss_gs.__main__ import main
from sdss_gs.errors import OptionError
from sdss_gs.exchange.catalogues import import_catalogue
from sdss_gs.exchange.importing import objid_of
from sdss_gs.tables.catalogue import read_catalogue

ID = 1237648721249206513


def fluxes(tmp_path, **more):
    columns = {"TARGETID": [ID, ID + 1], "z_spec": [0.1, 0.2]} | {f"{b}_cModelFlux": [3630.78, -5.0] for b in "ugriz"}
    table = Table(columns | more)
    for band in "ugriz":
        table[f"{band}_cModelFlux"].unit = "nJy"
    table.write(tmp_path / "in.fits")
    return tmp_path / "in.fits"


def test_fluxes_and_truths_are_what_models_learn_from(tmp_path):
    path = fluxes(tmp_path)
    rows, notes = import_catalogue(path, tmp_path / "ds", id_name="TARGETID", columns={"redshift": "z_spec"})
    assert rows == 2
    assert any("nJy, as AB magnitudes" in note for note in notes)
    catalogue = read_catalogue(tmp_path / "ds")
    assert catalogue.objid.tolist() == [ID, ID + 1]
    np.testing.assert_allclose(catalogue.numbers["modelMag_r"], [22.5, np.nan], atol=1e-3)
    np.testing.assert_allclose(catalogue.numbers["redshift"], [0.1, 0.2])
    assert catalogue.photometry == {"bands": "cmodel"}
    with pytest.raises(OptionError, match=r"data\.csv: expected none yet"):
        import_catalogue(path, tmp_path / "ds")


def test_errors_go_with_their_magnitudes_in_magnitudes(tmp_path):
    path = fluxes(tmp_path, **{f"{band}_cModelFluxErr": [363.078, 1.0] for band in "ugriz"})
    table = Table.read(path)
    for band in "ugriz":
        table[f"{band}_cModelFluxErr"].unit = "s" if band == "z" else "uJy" if band == "i" else "nJy"
    table.write(path, overwrite=True)
    _, notes = import_catalogue(path, tmp_path / "ds", id_name="TARGETID")
    assert "errors are read from u_cModelFluxErr" in "; ".join(notes)
    assert "z_cModelFluxErr is not read as the error of modelMag_z (unit 's'): taken to be unknown" in notes
    catalogue = read_catalogue(tmp_path / "ds")
    np.testing.assert_allclose(catalogue.numbers["modelMagErr_r"], [0.108574, np.nan], rtol=1e-4)
    # As large in another unit: a thousand times as large.
    assert np.isnan(catalogue.numbers["modelMagErr_i"][0]) or catalogue.numbers["modelMagErr_i"][0] > 1
    assert np.isnan(catalogue.numbers["modelMagErr_z"]).all()
    assert "z_cModelFluxErr" not in (tmp_path / "ds" / "data.csv").read_text()


def test_errors_are_found_by_what_the_user_says(tmp_path):
    lines = ["id,u,g,r,i,z,noise", "1,18.5,17.2,16.5,16.1,15.8,0.25"]
    (tmp_path / "in.csv").write_text("\n".join(lines))
    command = ["import", "catalogue", str(tmp_path / "in.csv"), str(tmp_path / "ds"), "--column", "err_r=noise"]
    assert main(command) == 0
    numbers = read_catalogue(tmp_path / "ds").numbers
    assert (numbers["modelMagErr_r"].tolist(), np.isnan(numbers["modelMagErr_u"]).tolist()) == ([0.25], [True])


def test_rows_without_usable_ids_are_numbered_and_names_are_kept(tmp_path):
    lines = ["id;u;g;r;i;z;redshift"] + [f"1,23765E+18;18,5;17,2;16,5;16,1;15,{n};0,1" for n in range(3)]
    (tmp_path / "in.csv").write_text("\n".join(lines))
    command = ["import", "catalogue", str(tmp_path / "in.csv"), str(tmp_path / "ds"), "--id", "none"]
    assert main(command) == 0
    assert read_catalogue(tmp_path / "ds").objid.tolist() == [1, 2, 3]
    (tmp_path / "names.csv").write_text("name,u,g,r,i,z\nNGC 1300,18.5,17.2,16.5,16.1,15.8\n")
    import_catalogue(tmp_path / "names.csv", tmp_path / "other")
    assert read_catalogue(tmp_path / "other").objid.tolist() == [objid_of("NGC 1300")]
    assert "NGC 1300" in (tmp_path / "other" / "data.csv").read_text()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--id", "no"], "id no: expected a column"), (["--table", "9"], "table 9: expected one of"),
        (["--column", "redshift=no"], "column redshift=no: expected a column"),
    ],
)  # fmt: skip
def test_mistakes_are_one_line(tmp_path, capsys, options, expected):
    path = fluxes(tmp_path)
    assert main(["import", "catalogue", str(path), str(tmp_path / "ds"), *options]) != 0
    assert expected in capsys.readouterr().err
    assert not (tmp_path / "ds" / "data.csv").exists()
