"""The files that the shipped models learn from, by their sha256."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

from sdss_gs.errors import DataError

SOURCES = {
    "galaxies.parquet": "7cb3e401e3e40627b9f506da5d3bb65edfebb5a9a3799a27208e47f23da0befb",
    "stars_quasars.parquet": "f1ef17ebfe5efdffa3a70697ba360e01f07c39865c9b503d6a32fb91ca98e61b",
    "masses_kcorrect.parquet": "05801d0de8cb80a17f654cd6488d4d193ad61e6d5289b30331c06164bcb1f605",
    "ebv_sample.csv": "ba0d81fe5f3662fe64b41cfa58fd6afacaac6f05b57408cc441b62c35a334883",
    "templates/spEigenGal-53724.fits": "600443a3d903fb33840fbf9f47f586a5e6686d7afb24f7e5b0cc1fae7bc58e61",
    "templates/spEigenGal-55740.fits": "5c13cefc0f936ed4ae00b63e2df31eb671275a6693e374c0ca0e33bbab80d908",
    "templates/spEigenGal-56436.fits": "bf731a24ac3111f9032f37f720cc48d77678e11a9dceeda464d3bb0de0fd2a9f",
    "templates/spEigenQSO-53724.fits": "7313515ff212fc205f3974ae9c5d3a00417712d15da153f10bf9db678db189e1",
    "templates/spEigenQSO-55732.fits": "10c2e10c91a367ce7d44b968822f8177c268dd6bd90a89bd876817d00426477a",
    "templates/spEigenStar-53724.fits": "2aa6ec3a11ddf0ae290fa2de0e3f0a3e5b7a52f5d808d89c45d4cf4191eec91d",
    "templates/spEigenStar-55734.fits": "9fe59628aad2d6bea88b55cc5c0fe2afeea89384312983b295acc3def0e8dc6f",
    "templates/rrtemplate-QSO-HIZ-v1.1.fits": "71124c5bb8c7b7e77d22227e566a44dbb686bc17b0dad519e526c31f2d7c3aa0",
    "templates/rrtemplate-QSO-LOZ-v1.1.fits": "9e375f6d4a658932b3105c9c0102d637fd2fed86930957e594c0d3d06ea593bf",
}


def check_sources(folder: Path, names: Iterable[str], expected: dict[str, str]) -> None:
    """Refuse a folder in which a file is absent or another one than the recipe names.

    Parameters
    ----------
    folder : Path
    names : iterable of str
        Files that are needed.
    expected : dict of str to str
        Their sha256.

    Raises
    ------
    DataError
    """
    for name in names:
        path = folder / name
        if not path.is_file():
            raise DataError(f"{path}: expected a file of weights/recipe.md, found none")
        if (found := sha256(path.read_bytes()).hexdigest()) != expected[name]:
            raise DataError(f"{path}: expected sha256 {expected[name]}, found {found}; see weights/recipe.md")
