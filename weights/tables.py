"""Tables of real objects as data sets that the shipped models learn from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from sdss_gs.schema import BANDS, PER_EBV, SUBCLASSES

FIRST_ID = 1_000_000_000_000_000
"""Added to the number of a galaxy: rows of the same galaxy have one id, and so stand in one part of the split."""
SEED = 0
SOURCES_OF = {
    "LM": "SkyServer DR17 exports, errors below 0.1 mag (lifemannequin/Star_QSO_Galaxy, CC0)",
    "A1": "SDSS main sample cut at u ≤ 19.6, g ≤ 20 (sdss_galaxy_colors.npy, MIT)",
    "KC": "SDSS main sample (test data of kcorrect 5.1.9, BSD-3)",
    "HV": "SDSS galaxies of HubbleVision (MIT)",
    "A2": "SDSS galaxies of CurtinIDS (CC BY 4.0)",
    "A3": "SDSS galaxies of MLZ (NCSA)",
}
"""What the column ``source`` of the tables means."""
RAW, DEREDDENED = "raw", "dereddened"


def redshifts(sources: Path) -> pd.DataFrame:
    """Galaxies with magnitudes, errors and spectroscopic redshifts; with SDSS's photometric ones where it has some."""
    galaxies = _once(_galaxies(sources))
    return _photometry(galaxies, sources).assign(redshift_published=galaxies["photoz_sdss"].to_numpy())


def masses(sources: Path) -> pd.DataFrame:
    """Galaxies with stellar masses: of CurtinIDS (MPA-JHU-like) and by kcorrect, which agree."""
    galaxies, fitted = _galaxies(sources), pd.read_parquet(sources / "masses_kcorrect.parquet")
    known = galaxies["group"].map(fitted.drop_duplicates("group").set_index("group")["logm_kc"])
    logarithm = galaxies["logm"].fillna(galaxies["logm_kc"]).fillna(known)
    galaxies = _once(galaxies.assign(logarithm=logarithm)[logarithm.notna()])
    return _photometry(galaxies, sources).assign(stellarmass=10.0 ** galaxies["logarithm"].to_numpy(np.float64))


def subclasses(sources: Path) -> pd.DataFrame:
    """Galaxies to which SDSS gives one of its four sub-classes."""
    galaxies = _galaxies(sources)
    galaxies = _once(galaxies[galaxies["subclass"].isin(SUBCLASSES)])
    return _photometry(galaxies, sources).assign(subclass=galaxies["subclass"].to_numpy())


def classes(sources: Path) -> pd.DataFrame:
    """Stars, galaxies and quasars."""
    others = pd.read_parquet(sources / "stars_quasars.parquet")
    everything = _once(pd.concat([_galaxies(sources), others[~others["odd_colour"]]], ignore_index=True))
    table = _photometry(everything, sources)
    return _alike(table, (everything["cls"] == "GALAXY").to_numpy()).assign(**{"class": everything["cls"].to_numpy()})


def _alike(table: pd.DataFrame, galaxy: np.ndarray) -> pd.DataFrame:
    """Redden stars and quasars, and take their errors, where a galaxy as bright is raw or has none.

    All of them are dereddened and have errors, and galaxies of some tables are not: a network would learn that.

    Parameters
    ----------
    table : DataFrame
        From `_photometry`.
    galaxy : ndarray of bool, shape (n,)
    """
    galaxies = table[galaxy].sort_values("modelMag_r", kind="stable")
    others = table[~galaxy]
    near = np.searchsorted(galaxies["modelMag_r"], others["modelMag_r"]).clip(max=len(galaxies) - 1)
    like = galaxies.iloc[near].set_axis(others.index)
    raw, unmeasured = like["photometry"] == RAW, like["modelMagErr_r"].isna()
    magnitudes, errors = ([f"{kind}_{band}" for band in BANDS] for kind in ("modelMag", "modelMagErr"))
    dust = np.outer(others["ebv"].where(raw, 0), list(PER_EBV.values()))
    changed = (others[magnitudes] + dust).round(5).join(others[errors].mask(unmeasured))
    changed = changed.assign(photometry=like["photometry"], ebv=others["ebv"].mask(raw & like["ebv"].isna()))
    return table.assign(**{name: table[name].where(galaxy, changed[name].reindex(table.index)) for name in changed})


def _galaxies(sources: Path) -> pd.DataFrame:
    galaxies = pd.read_parquet(sources / "galaxies.parquet")
    return galaxies[~galaxies["odd_colour"]]


def _once(objects: pd.DataFrame) -> pd.DataFrame:
    """Keep one row of each object that stands in several tables: the one with errors, where there is one."""
    order = objects["err_r"].isna().sort_values(kind="stable").index
    return objects.loc[order].drop_duplicates("group").sort_index()


def _photometry(objects: pd.DataFrame, sources: Path) -> pd.DataFrame:
    """Return the columns of ``data.csv`` that say what a model sees, the redshift, and where the object is from."""
    dereddened = (objects["phot"] == "dered").to_numpy()
    columns = {"objid": FIRST_ID + objects["group"].to_numpy(np.int64)}
    columns |= {f"modelMag_{band}": objects[band].to_numpy(np.float64).round(5) for band in BANDS}
    columns |= {f"modelMagErr_{band}": objects[f"err_{band}"].to_numpy(np.float64).round(6) for band in BANDS}
    ebv = objects["ebv"].to_numpy(np.float64)
    # Of dereddened magnitudes it tells only by how much others of that kind may be reddened: any direction will do.
    drawn = np.random.default_rng(SEED).choice(pd.read_csv(sources / "ebv_sample.csv")["ebv"].to_numpy(), len(objects))
    return pd.DataFrame(columns).assign(
        photometry=np.where(dereddened, DEREDDENED, RAW), ebv=np.where(dereddened & np.isnan(ebv), drawn, ebv).round(5),
        redshift=objects["redshift"].to_numpy(), source=objects["source"].to_numpy(),
    )  # fmt: skip


def by_source(table: pd.DataFrame) -> list[dict]:
    """Say of each of the `SOURCES_OF` a data set's table what was taken of it.

    Parameters
    ----------
    table : DataFrame
        As the functions above make it.

    Returns
    -------
    list of dict
        ``name``, ``photometry``, ``objects``, and in words ``r_magnitude`` and ``redshift``, from the value that 1 %
        lie below to that of 99 %; the largest source first.
    """
    found = []
    for (source, photometry), rows in table.groupby(["source", "photometry"]):
        spans = {
            name: f"{low:.3g}–{high:.3g}"
            for name, column in (("r_magnitude", "modelMag_r"), ("redshift", "redshift"))
            for low, high in [rows[column].quantile([0.01, 0.99])]
        }
        found.append({"name": SOURCES_OF[source], "photometry": photometry, "objects": len(rows)} | spans)
    return sorted(found, key=lambda one: -one["objects"])
