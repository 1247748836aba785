"""Every kind of file that the zoo reads, and what a reader may make of a damaged one: a clear error, or good values."""

import bz2
import csv
import io
import json
import random
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
from astropy.io import fits as astropy_fits
from astropy.table import Table
from conftest import survey_rows, write_image, write_spectrum, write_survey
from helpers import heavens
from PIL import Image

from common.data.sources.catalogue import catalogue_source
from common.models.described import read_description as description_of
from common.models.described import write_description
from common.models.safe_file import check_description
from common.outputs.flags import NO_PREDICTION
from sdss_gs.build.tables import read_ids
from sdss_gs.decision_tree import KAGGLE, TREES
from sdss_gs.errors import ZooError
from sdss_gs.formats import fits, img, spectra, ssel
from sdss_gs.picture.frames import align, read_frame
from sdss_gs.schema import INPUTS, OUTPUTS, QUANTITIES, WAVELENGTH
from sdss_gs.tables import own
from sdss_gs.tables.catalogue import read_catalogue
from sdss_gs.tables.votes import read_votes

from . import imports
from .limits import bounded
from .mutate import mutate

ROWS = 8
FIXTURE = Path(__file__).resolve().parent.parent / "fixtures" / "b2r"
DESCRIBED = (FIXTURE / "zoo.json").read_text().replace('"format": 1', '"format": 2')


@dataclass(frozen=True)
class Kind:
    """One kind of file: its name in a folder, valid ones, and a function that reads one and asserts what it gives."""

    file: str
    valid: Callable[[Path], list[bytes]]
    read: Callable[[Path], None]


@dataclass
class Tried:
    """What came of damaged files; `faults` are tracebacks with the input that causes them."""

    refused: int = 0
    read: int = 0
    faults: list[tuple[str, bytes]] = field(default_factory=list)

    @property
    def count(self):
        return self.refused + self.read + len(self.faults)


def fuzz(kind, count, folder, seed=0, keep=None):
    """Read so many damaged files of a kind.

    Parameters
    ----------
    kind : str
    count : int
    folder : Path
        To work in.
    seed : int
    keep : Path, optional
        Where each input is written before it is read: what is found there after a crash is its cause.
    """
    one, rng, tried = KINDS[kind], random.Random(f"{kind} {seed}"), Tried()
    valid = one.valid(folder)
    path = keep or folder / one.file
    for _ in range(count):
        content = mutate(rng.choice(valid), valid, rng)
        path.write_bytes(content)
        outcome = attempt(one.read, path)
        if outcome == "":
            tried.read += 1
        elif outcome is None:
            tried.refused += 1
        else:
            tried.faults.append((outcome, content))
    return tried


def attempt(read, path):
    """Read one file: "" if its values are good, None if it is refused, else the traceback."""
    try:
        with bounded():
            read(path)
    except ZooError as error:
        return None if "\n" not in str(error) else f"an error of several lines: {error!r}"
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        return traceback.format_exc(limit=-6)
    return ""


def faults_by_kind(tried):
    """Count faults by the line that raised and the error."""
    return Counter(" | ".join(text.strip().splitlines()[-1:])[:160] for text, _ in tried.faults)


# === Readers, and what they may return ===


def _read_image(path):
    array = img.read(path)
    assert array.shape == (150, 150, 3)
    assert array.dtype == np.uint8


def _read_cutout(path):
    array = fits.read(path)
    assert array.shape == (61, 61, 5)
    _finite(array)


def _read_any_cutout(path):
    array = fits.read_any(path)
    assert array.ndim == 3
    assert array.shape[2] == 5
    _finite(array)


def _finite(array):
    assert array.dtype == np.float32
    assert np.isfinite(array).all()


def _read_spectrum(path):
    array = spectra.read(path)
    assert array.shape == (2, len(WAVELENGTH))
    _whole_columns(array)


def _read_selection(path):
    _whole_columns(ssel.read(path))


def _whole_columns(array):
    """A column is finite from end to end, or lacking from end to end; one of the two is there."""
    assert array.dtype == np.float32
    finite = np.isfinite(array)
    assert finite.all(axis=1).any()
    assert (finite.all(axis=1) | np.isnan(array).all(axis=1)).all()


def _read_frame(path):
    frame = read_frame(path)
    assert frame.pixels.ndim == 2
    assert frame.pixels.dtype == np.float32
    assert align(frame, frame).shape == frame.pixels.shape


def _read_ids(path):
    ids = read_ids(path)
    assert len(set(ids)) == len(ids) > 0
    assert all(isinstance(number, int) and 0 <= number < 2**63 for number in ids)


def _read_model(path):
    check_description(path)


def _read_description(path):
    assert description_of(path.parent) == json.loads(DESCRIBED), "changed, and not noticed"


def _read_data(path):
    catalogue = read_catalogue(path.parent)
    assert len(np.unique(catalogue.objid)) == len(catalogue) > 0
    assert (catalogue.objid >= 0).all()
    for column, values in catalogue.numbers.items():
        quantity = QUANTITIES[column]
        there = values[~np.isnan(values)]
        assert ((there > quantity.low) & (there < quantity.high)).all()
        assert not np.isin(there, quantity.sentinels).any()
    for name, labels in catalogue.labels.items():
        assert ((labels >= -1) & (labels < len(OUTPUTS[name].classes))).all()


def _read_own(path):
    objid = read_catalogue(path.parent).objid
    text = own.read_columns(path, ("subclass",), objid)["subclass"]
    output = own.own_output(path, "subclass", text, "s")
    truth = own.own_truth(output, text)
    assert len(truth) == len(objid)
    assert (truth >= -1).all() or output.kind == "number"


def _read_votes(path):
    votes = read_votes(path.parent, np.array([int(row["objid"]) for row in survey_rows(ROWS)]), (KAGGLE,))
    there = votes.values[np.isfinite(votes.values).all(axis=1)]
    assert ((there >= 0) & (there <= 1)).all()
    assert np.isnan(votes.values).any(axis=1).sum() + len(there) == ROWS
    assert (np.isfinite(votes.totals) & (votes.totals > 0)).all()


def _read_rows(path):
    source = catalogue_source(path)
    for chunk in source.chunks():
        for name in source.inputs:
            item = INPUTS[name]
            loaded = chunk.load(item, item.shape, "")
            assert loaded.values.shape == (len(chunk.ids), *item.shape)
            good = (loaded.flags & int(NO_PREDICTION)) == 0
            for column, values in zip(item.columns, loaded.values[good].T, strict=True):
                assert ((values > QUANTITIES[column].low) & (values < QUANTITIES[column].high)).all()


# === Valid files ===


def _bytes(write, path):
    write(path)
    content = path.read_bytes()
    path.unlink()
    return content


def _images(folder):
    noise = np.random.default_rng(0).integers(0, 255, (150, 150, 3), np.uint8)
    return [
        _bytes(lambda path: write_image(path, 60), folder / "1.jpg"),
        _bytes(lambda path: write_image(path, 90, (120, 200)), folder / "1.jpg"),
        _bytes(lambda path: Image.fromarray(noise).save(path, quality=40, progressive=True), folder / "1.jpg"),
    ]


def _pictures(folder):
    made = []
    for format_name in ("PNG", "TIFF", "WEBP"):
        file = io.BytesIO()
        noise = np.random.default_rng(0).integers(0, 255, (110, 110, 3), np.uint8)
        Image.fromarray(noise).save(file, format_name)
        made.append(file.getvalue())
    return made


def _cutouts(folder):
    array = np.random.default_rng(0).normal(0, 1, (61, 61, 5))
    return [
        _bytes(lambda path, a=a: np.save(path, a), folder / "1.npy")
        for a in (array.astype("f4"), array, np.asfortranarray(array.astype(">f4")))
    ]


STATED = {
    "BANDS": "zirgu", "BUNIT": "nJy", "CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CD1_1": -1.1e-4, "CD2_2": 1.1e-4,
}  # fmt: skip
"""What a cut-out may say of itself."""


def _cubes(folder):
    array = np.random.default_rng(0).normal(0, 1, (5, 64, 64)).astype("f4")
    made = []
    for units in (
        [astropy_fits.PrimaryHDU(array)],
        [astropy_fits.PrimaryHDU(), astropy_fits.ImageHDU(array.astype("f8"))],
        [astropy_fits.PrimaryHDU(), astropy_fits.CompImageHDU(array)],
        [astropy_fits.PrimaryHDU(array[::-1], astropy_fits.Header(STATED))],
        [astropy_fits.PrimaryHDU(), *(astropy_fits.ImageHDU(a, name=b) for a, b in zip(array, "UGRIZ", strict=True))],
    ):
        file = io.BytesIO()
        astropy_fits.HDUList(units).writeto(file)
        made.append(file.getvalue())
    return made


def _frames(folder):
    whole = bz2.decompress(heavens.frame((180.0, 30.0), "r"))
    file = io.BytesIO()
    with astropy_fits.open(io.BytesIO(whole)) as units:
        header, pixels = units[0].header, units[0].data[:40, :40]
        header["CTYPE1"], header["CTYPE2"], header["A_ORDER"], header["B_ORDER"] = "RA---TAN-SIP", "DEC--TAN-SIP", 2, 2
        header["A_2_0"], header["B_0_2"] = 1e-6, 1e-6
        astropy_fits.PrimaryHDU(pixels, header).writeto(file)
    return [whole, file.getvalue()]


def _spectrum_tables(folder):
    wavelength = np.round(10.0 ** (np.arange(36010, 39560) * 1e-4), 3)
    return [_bytes(lambda path: write_spectrum(path, wavelength, wavelength / 1000), folder / "1.csv")]


def _data(folder):
    content = (write_survey(folder, survey_rows(ROWS)) / "data.csv").read_bytes()
    return [content, b"\xef\xbb\xbf" + content.replace(b"\n", b"\r\n"), content.replace(b",", b";")]


def _votes(folder):
    _data(folder)
    tree = TREES[KAGGLE]
    shares = tree.weighted(np.repeat(1.0 / np.repeat(tree.sizes(), tree.sizes())[None], ROWS, axis=0))
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["objid", tree.total, *tree.columns])
    writer.writerows(
        [row["objid"], 40, *(f"{v:.6f}" for v in one)] for row, one in zip(survey_rows(ROWS), shares, strict=True)
    )
    return [file.getvalue().encode()]


def _descriptions(folder):
    write_description(folder, json.loads(DESCRIBED))
    return [(folder / "zoo.json").read_bytes()]


def _columns():
    rows = survey_rows(ROWS)
    columns = {"objid": np.array([int(row["objid"]) for row in rows])}
    names = [name for item in INPUTS.values() for name in item.columns]
    return columns | {name: np.array([float(row[name]) for row in rows]) for name in names}


def _table_csv(folder):
    columns = _columns()
    lines = [",".join(columns), *(",".join(map(str, row)) for row in zip(*columns.values(), strict=True))]
    return ["\n".join(lines).encode(), "\r\n".join(lines).encode(), "\n".join(lines).replace("16.", "=16+").encode()]


def _table_parquet(folder):
    made, columns = [], _columns()
    text = {name: values if name == "objid" else values.astype(str) for name, values in columns.items()}
    for table in (pa.table(columns), pa.table(text)):
        for compression in ("none", "snappy"):
            file = io.BytesIO()
            pa.parquet.write_table(table, file, compression=compression)
            made.append(file.getvalue())
    return made


def _table_fits(folder):
    return [_bytes(lambda path: Table(_columns()).write(path), folder / "1.fits")]


def _table_votable(folder):
    return [
        _bytes(lambda path, f=f: Table(_columns()).write(path, format="votable", tabledata_format=f), folder / "1.vot")
        for f in ("tabledata", "binary", "binary2")
    ]


KINDS = {
    "JPEG image": Kind("1.jpg", _images, _read_image),
    "other image": Kind("1.jpg", _pictures, _read_image),
    "NPY cut-out": Kind("1.npy", _cutouts, _read_cutout),
    "NPY cut-out of any size": Kind("1.npy", _cutouts, _read_any_cutout),
    "FITS cut-out": Kind("1.fits", _cubes, _read_any_cutout),
    "FITS image with coordinates": Kind("1.fits", _frames, _read_frame),
    "CSV spectrum": Kind("1.csv", _spectrum_tables, _read_spectrum),
    "CSV selection of a spectrum": Kind("1.csv", _spectrum_tables, _read_selection),
    "FITS spectrum": Kind("1.fits", lambda folder: [heavens.spectrum()], _read_spectrum),
    "data.csv": Kind("data.csv", _data, _read_data),
    "data.csv, own column": Kind("data.csv", _data, _read_own),
    "votes.csv": Kind("votes.csv", _votes, _read_votes),
    "CSV catalogue": Kind("table.csv", _table_csv, _read_rows),
    "Parquet catalogue": Kind("table.parquet", _table_parquet, _read_rows),
    "FITS catalogue": Kind("table.fits", _table_fits, _read_rows),
    "VOTable catalogue": Kind("table.vot", _table_votable, _read_rows),
    "CSV of identifiers": Kind("ids.csv", _table_csv, _read_ids),
    "Parquet of identifiers": Kind("ids.parquet", _table_parquet, _read_ids),
    "FITS of identifiers": Kind("ids.fits", _table_fits, _read_ids),
    "VOTable of identifiers": Kind("ids.vot", _table_votable, _read_ids),
    "model file": Kind("model.keras", lambda folder: [(FIXTURE / "model.keras").read_bytes()], _read_model),
    "description of a model": Kind("zoo.json", _descriptions, _read_description),
    **{name: Kind(*facts) for name, facts in imports.READERS.items()},
}
