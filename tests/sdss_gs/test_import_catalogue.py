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
