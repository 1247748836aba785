"""A small piece of sky as the survey's servers hold it: frames, spectra, pictures and a catalogue, all generated."""

import bz2
import csv
import io
from urllib.parse import parse_qs

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS
from PIL import Image

from sdss_gs.build import zoo
from sdss_gs.build.addresses import Addresses
from sdss_gs.build.identity import Field, fibre_of, field_of
from sdss_gs.sample.catalogue import object_id
from sdss_gs.schema import BANDS

WIDTH, HEIGHT = 230, 200
OFFSETS = {"u": (2.84, 5.83), "g": (1.80, 11.45), "r": (0.0, 0.0), "i": (-2.01, 3.47), "z": (-1.43, 7.79)}
"""By how many pixels the bands of a real field (3918-3-213) lie off r."""
SIGMA = 1.6
FLUX = {"u": 40.0, "g": 90.0, "r": 150.0, "i": 200.0, "z": 230.0}
PLACES = {1: (110.0, 95.0), 2: (60.3, 70.6), 3: (12.0, 95.0), 4: (115.0, 160.0)}
"""Pixels in r by number of the object: 3 is too near the edge, 4 so in g alone."""
FIELDS = {(1992, 1, 87): (162.9, 1.4), (3918, 3, 213): (229.54, 42.76)}
RUN2D = "26"


def frame_wcs(centre, band):
    """Sky of a frame, with the orientation and scale of a real one."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval = ["RA---TAN", "DEC--TAN"], centre
    dx, dy = OFFSETS[band]
    wcs.wcs.crpix = [WIDTH / 2 + dx, HEIGHT / 2 + dy]
    wcs.wcs.cd = [[6.12245e-5, 9.14089e-5], [9.13920e-5, -6.12101e-5]]
    return wcs


def frame(centre, band, seed=0):
    """Make a frame: four round sources of known flux on noise; the bytes of the survey's file."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    pixels = np.random.default_rng([seed, BANDS.index(band)]).normal(0, 0.01, (HEIGHT, WIDTH))
    wcs = frame_wcs(centre, band)
    for place in PLACES.values():
        sx, sy = wcs.all_world2pix(*frame_wcs(centre, "r").all_pix2world(*place, 0), 0)
        pixels += FLUX[band] / (2 * np.pi * SIGMA**2) * np.exp(-((x - sx) ** 2 + (y - sy) ** 2) / (2 * SIGMA**2))
    header = wcs.to_header()
    for name in [name for name in header if name.startswith("PC") or name.startswith("CDELT")]:
        del header[name]
    for (row, column), value in np.ndenumerate(wcs.wcs.cd):
        header[f"CD{row + 1}_{column + 1}"] = value
    # As the survey writes it: big-endian, and a keyword that FITS has renamed.
    header["BUNIT"], header["RADECSYS"] = "nanomaggy", "ICRS"
    del header["RADESYS"]
    file = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(pixels.astype(">f4"), header)]).writeto(file)
    return bz2.compress(file.getvalue())


def spectrum(first=35800, last=39650, kind="GALAXY", source="GALAXY", level=10.0):
    """Make a lite spec file between two places of the survey's grid."""
    loglam = np.arange(first, last + 1) * 1e-4
    model = level * (1 + 0.2 * np.sin(loglam * 300))
    columns = {"flux": model + 0.5 * bool(level), "loglam": loglam, "sky": 5 + 0 * model, "model": model}
    table = [fits.Column(name, "E", array=values) for name, values in columns.items()]
    about = {"CLASS": kind, "SOURCETYPE": source}
    units = [
        fits.PrimaryHDU(),
        fits.BinTableHDU.from_columns(table, name="COADD"),
        fits.BinTableHDU.from_columns([fits.Column(k, "12A", array=[v]) for k, v in about.items()], name="SPECOBJ"),
    ]
    file = io.BytesIO()
    fits.HDUList(units).writeto(file)
    return file.getvalue()


def picture(black_from=None, size=150):
    """Make a noisy colour picture; black from some column on, as beyond the edge of the survey."""
    pixels = np.random.default_rng(1).normal(25, 8, (size, size, 3)).clip(1, 255).astype(np.uint8)
    pixels[60:90, 60:90] = 180
    if black_from is not None:
        pixels[:, black_from:] = 0
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=90)
    return file.getvalue()


def specobjid(plate, mjd, fibre):
    """Compose an identifier of the SDSS spectrograph's pipeline."""
    return plate << 50 | fibre << 38 | (mjd - 50000) << 24 | int(RUN2D) << 10


def rows():
    """Catalogue of all objects, by objid."""
    found = {}
    for number, ((run, camcol, field), centre) in enumerate(FIELDS.items()):
        for place, (x, y) in PLACES.items():
            ra, dec = (float(value) for value in frame_wcs(centre, "r").all_pix2world(x, y, 0))
            keys = {"objid": object_id(run, camcol, field, place), "mjd": 53433, "plate": 1678 + number, "tile": 9}
            keys |= {"fiberid": place, "run": run, "rerun": 301, "camcol": camcol, "field": field}
            values = {"ra": repr(ra), "dec": repr(dec), "class": "GALAXY", "subclass": "STARBURST"}
            values |= {f"modelMag_{band}": f"{17 + n / 10:.3f}" for n, band in enumerate(BANDS)}
            values |= {"redshift": "0.0402719", "stellarmass": "2.5e+10", "w1mag": "13.1", "w2mag": "12.8"}
            values |= {"w3mag": "9.2", "w4mag": "null" if place == 2 else "7.1"}
            values["specobjid"] = specobjid(1678 + number, 53433, place)
            found[keys["objid"]] = {key: str(value) for key, value in (keys | values).items()}
    return found


def votes(number):
    """Shares of votes of a barred spiral with two arms, or of an elliptical."""
    shares = dict.fromkeys(zoo.COLUMNS, 0.1)
    chosen = ["a02_features", "a05_no", "a06_bar", "a08_spiral", "a11_just", "a15_no", "a29_medium", "a32_2"]
    for column in shares:
        if any(f"_{answer}" in column for answer in (chosen if number % 2 else ["a01_smooth", "a17_in", "a15_no"])):
            shares[column] = 0.9
    return {"objid": str(number)} | {column: str(value) for column, value in shares.items()}


def table(items):
    """Write rows as SkyServer answers."""
    file = io.StringIO("#Table1\n")
    file.seek(0, io.SEEK_END)
    if items:
        writer = csv.DictWriter(file, list(items[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(items)
    return file.getvalue().encode()


def answer(query):
    """Answer the queries of the build as SkyServer would."""
    sql, known = parse_qs(query)["cmd"][0], rows()
    if "fGetNearestObjIdEq" in sql:
        places = [part.split("(")[1].split(")")[0].split(",") for part in sql.split("UNION ALL")]
        ids = [
            next((k for k, row in known.items() if abs(float(row["ra"]) - float(ra)) < 1e-6), 0) for ra, *_ in places
        ]
        numbers = [int(part.split()[1]) for part in sql.split("UNION ALL ")]
        return table([{"number": n, "objid": k} for n, k in zip(numbers, ids, strict=True)])
    wanted = set(known)
    if " IN (" in sql:
        wanted = {int(text) for text in sql.split(" IN (")[1].split(")")[0].split(",")} & set(known)
    if "zoo2MainSpecz" in sql:
        return table([votes(number) for number in sorted(wanted) if number % 4])
    # SkyServer's own spelling, where the query gives none.
    return table([{("modelMag_U" if k == "modelMag_u" else k): v for k, v in known[n].items()} for n in sorted(wanted)])


def fill(server):
    """Give a server the whole sky; return the addresses at which it plays."""
    addresses = Addresses(server.url, f"{server.url}/sas", f"{server.url}/ps1")

    def put(url, content):
        server.files[url.removeprefix(server.url)] = content

    for key, centre in FIELDS.items():
        for band in BANDS:
            put(addresses.frame(Field(*key), band), frame(centre, band))
    for row in rows().values():
        put(addresses.spectra(fibre_of(int(row["specobjid"])))[0], spectrum())
    put(addresses.query("").partition("?")[0], answer)
    put(addresses.picture(0, 0).partition("?")[0], lambda query: picture())
    server.kinds[addresses.picture(0, 0).removeprefix(server.url).partition("?")[0]] = "image/jpeg"
    assert all(field_of(objid)[:3] in FIELDS for objid in rows())
    return addresses
