"""What is to be predicted: an SDSS-GS folder, a catalogue, a folder of files, or single files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from common.data.sources.catalogue import catalogue_source
from common.data.sources.chunk import Chunk, Loaded, Source
from common.data.sources.files import files_source, folder_files
from common.data.sources.folder import dataset_source, open_folder
from common.data.sources.formats import ENDINGS as CATALOGUES
from common.data.sources.formats import shards
from sdss_gs.errors import DataError
from sdss_gs.schema import INPUTS, PIXEL_SCALE

__all__ = ["Chunk", "Loaded", "Source", "open_source"]


def open_source(
    paths: Sequence[str | Path],
    inputs: Sequence[str] = tuple(INPUTS),
    *,
    columns: Mapping[str, str] | None = None,
    id_column: str = "",
    image_scale: float | None = None,
    progress: bool = True,
) -> Source:
    """Open what is to be predicted.

    Parameters
    ----------
    paths : sequence of path-like
        An SDSS-GS folder; a catalogue (``.csv``, ``.parquet``, ``.fits``, ``.vot``, a folder of ``.parquet`` files);
        a folder of images, cut-outs or spectra; or such files one by one.
    inputs : sequence of str
        Inputs that will be asked for. They decide what a ``.csv`` or ``.fits`` file is: a spectrum or cut-out where
        only file inputs are wanted, else a catalogue.
    columns : mapping of str to str, optional
        Name in the catalogue by name in the zoo.
    id_column : str
        The catalogue's column of ids.
    image_scale : float, optional
        Arcsec per pixel of the images, where it is known; another one than 0.2 has them resampled.
    progress : bool
        Show a progress bar while an SDSS-GS folder is packed.

    Raises
    ------
    ZooError
        If there is nothing there, or it is none of these.
    """
    files = [Path(path) for path in paths]
    for path in files:
        if not path.exists():
            raise DataError(f"{path}: no such file or folder")
    tables = any(INPUTS[name].columns for name in inputs)
    if len(files) == 1 and files[0].is_dir():
        if (files[0] / "data.csv").is_file():
            return dataset_source(open_folder(files[0], inputs, image_scale or PIXEL_SCALE, progress))
        if tables and shards(files[0]):
            return catalogue_source(files[0], columns, id_column)
        paths_inside, notes = folder_files(files[0])
        return files_source(paths_inside, image_scale, notes)
    if len(files) == 1 and files[0].suffix.lower() in CATALOGUES and tables:
        return catalogue_source(files[0], columns, id_column)
    return files_source(files, image_scale)
