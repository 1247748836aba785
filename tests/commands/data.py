"""The data that the pages name: small sets, tables, pictures, frames and archives, all generated."""

import csv
import shutil

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
from astropy.io import fits
from astropy.table import Table
from conftest import survey_rows, write_image, write_survey
from helpers import heavens
from helpers.ballots import ballots, write_votes
from helpers.zenodo import zipped

from sdss_gs.build.identity import Field
from sdss_gs.decision_tree import TREES
from sdss_gs.schema import BANDS, MORPHOLOGIES, SPECTRAL_CLASSES

OBJID = "1237666588838068227"
"""The galaxy that the pages ask for."""
OBJECTS, FEWER = 110, 40


def survey(folder, count, inputs=(), seed=0):
    """Write a data set with every column that a page trains on."""
    rows = survey_rows(count, seed)
    rows[0]["objid"] = OBJID
    for number, row in enumerate(rows):
        row["class"] = SPECTRAL_CLASSES[number % 3]
    write_survey(folder, rows, inputs)
    table = pa.csv.read_csv(folder / "data.csv", convert_options=pa.csv.ConvertOptions(strings_can_be_null=True))
    number, redshift = np.arange(count), table["redshift"].to_numpy()
    more = {
        "ra": 150 + 0.01 * number, "dec": 2 + 0.01 * number, "z_spec": redshift,
        "shape": np.array(["smooth", "disc"])[(redshift > 0.15).astype(int)], "velocity": 150.5 + 500 * redshift,
        "morph10": np.array(MORPHOLOGIES)[number % len(MORPHOLOGIES)],
    }  # fmt: skip
    for name, values in more.items():
        table = table.append_column(name, pa.array(values))
    pa.csv.write_csv(table, folder / "data.csv")
    write_votes(folder, [row["objid"] for row in rows], ballots(count))
    return table


def tables(folder, table):
    """Write tables of magnitudes as the pages call them."""
    columns = [f"modelMag_{band}" for band in BANDS]
    pa.csv.write_csv(table.select(["objid", *columns, "redshift"]), folder / "catalogue.csv")
    shutil.copyfile(folder / "catalogue.csv", folder / "galaxies.csv")
    pa.csv.write_csv(table.select(columns), folder / "magnitudes.csv")
    mine = table.select([*columns, "modelMag_r", "modelMag_i", "z_spec"])
    pa.csv.write_csv(mine.rename_columns([*BANDS, "my_r", "my_i", "z_spec"]), folder / "mine.csv")
    Table.read(folder / "catalogue.csv").write(folder / "others.fits")
    (folder / "shards").mkdir()
    for number, start in enumerate((0, 20)):
        pq.write_table(table.select(["objid", *columns]).slice(start, 20), folder / "shards" / f"{number}.parquet")


def pictures(folder):
    """Write images, alone, by class, with labels, and in the forms of other projects."""
    (folder / "images").mkdir()
    for number in range(12, 24):
        write_image(folder / "images" / f"galaxy-{number}.jpg", 5 * number)
    labels = [f"galaxy-{number}.jpg,{'smooth' if number % 2 else 'disc'}\n" for number in range(12, 24)]
    (folder / "images" / "labels.csv").write_text("filename,shape\n" + "".join(labels))
    shutil.copyfile(folder / "images" / "galaxy-17.jpg", folder / "galaxy.jpg")
    for kind in ("ring", "disc"):
        (folder / "in" / "tree" / kind).mkdir(parents=True)
        write_image(folder / "in" / "tree" / kind / f"{kind}.jpg", 60)
    (folder / "in" / "labels").mkdir()
    write_image(folder / "in" / "labels" / "a.jpg", 60)
    (folder / "in" / "labels" / "labels.csv").write_text("filename,shape,votes\na.jpg,ring,3\n")
    kaggle = folder / "in" / "kaggle"
    (kaggle / "images_training_rev1").mkdir(parents=True)
    write_image(kaggle / "images_training_rev1" / "100008.jpg", 60, (424, 424))
    shares = ballots(1)[0]
    lines = [["GalaxyID", *TREES["kaggle"].columns], ["100008", *(f"{share:.6f}" for share in shares)]]
    (kaggle / "training_solutions_rev1.csv").write_text("\n".join(map(",".join, lines)) + "\n")
    tree = TREES["gz2"]
    columns = {"id_str": ["587722981741363294"], "file_loc": ["/gz2/images/galaxy-12.jpg"], tree.total: [40]}
    for question in tree.questions:
        for number, column in enumerate(tree.columns[question.slice]):
            columns[column.removesuffix("_fraction")] = [20 if number < 2 else 0]
    pq.write_table(pa.table(columns), folder / "gz2_train_catalog.parquet")
    with h5py.File(folder / "Galaxy10_DECals.h5", "w") as file:
        file["images"] = np.kron([[[[20], [200]], [[200], [20]]]], np.ones((1, 128, 128, 3))).astype(np.uint8)
        for name, value in {"ans": 5, "ra": 150.1, "dec": 2.2, "redshift": 0.05, "pxscale": 0.262}.items():
            file[name] = np.array([value])


def sky(folder):
    """Write a survey's frames, and tables that name its objects."""
    (folder / "frames").mkdir()
    for key, centre in heavens.FIELDS.items():
        for band in BANDS:
            path = folder / "frames" / Field(*key).frame(band).rpartition("/")[2]
            path.write_bytes(heavens.frame(centre, band))
            if key == (3918, 3, 213):
                shutil.copyfile(path, folder / path.name)
    rows = heavens.rows()
    (folder / "mine.txt").write_text("".join(f"{number}\n" for number in rows))
    (folder / "mine.sql").write_text("SELECT objid, ra, dec FROM SpecPhoto\n")
    with open(folder / "frames.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, list(next(iter(rows.values()))))
        writer.writeheader()
        writer.writerows(rows.values())
    Table.read(folder / "frames.csv").write(folder / "mine.fits")


def templates(folder):
    """Write spectra to make others of."""
    folder.mkdir()
    rest = 10 ** (2.9 + 1e-4 * np.arange(11_000))
    line = 0.5 + 9 * np.exp(-0.5 * ((rest - 6564.6) / 8) ** 2)
    vectors = [1 + 0 * rest, line, np.sin(rest / 700), np.cos(rest / 300)]
    for kind, name in (("GALAXY", "Gal"), ("STAR", "Star"), ("QSO", "QSO")):
        unit = fits.PrimaryHDU(np.array(vectors, np.float32))
        unit.header.update({"OBJECT": kind, "COEFF0": 2.9, "COEFF1": 1e-4})
        unit.writeto(folder / f"spEigen{name}-00001.fits")


def everything(folder):
    """Write all of it."""
    table = survey(folder / "DS", OBJECTS, ("img", "fits", "spectra", "ssel"))
    survey(folder / "OTHER", 2 * OBJECTS, seed=1)
    survey(folder / "FEW", FEWER, ("img", "fits", "spectra", "ssel"), seed=2)
    tables(folder, table)
    pictures(folder)
    sky(folder)
    templates(folder / "templates")
    halves = {"a.zip": ("data.csv", "img"), "b.zip": ("spectra", "fits", "ssel")}
    for name, only in halves.items():
        (folder / name).write_bytes(zipped(folder / "FEW", "", only))
