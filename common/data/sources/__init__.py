"""What is to be predicted: an SDSS-GS folder, a catalogue, a folder of files, single files, or a table in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from common.data.sources.catalogue import catalogue_source, table_source
from common.data.sources.chunk import Chunk, Loaded, Source
from common.data.sources.files import files_source, folder_files
from common.data.sources.folder import dataset_source, open_folder
from sdss_gs.errors import DataError, OptionError
from sdss_gs.schema import INPUTS, PIXEL_SCALE
from sdss_gs.tables.columns import NO_EXTRAS, Extras, choose_columns, no_columns
from sdss_gs.tables.readers import OpenTable, is_table, shards, split_number

__all__ = ["Chunk", "Loaded", "Source", "open_source", "open_table_source", "refuse_extras"]


def open_source(
    paths: Sequence[str | Path],
    inputs: Sequence[str] = tuple(INPUTS),
    *,
    columns: Mapping[str, str] | None = None,
    id_column: str = "",
    table: str = "",
    photometry: Mapping[str, str] | None = None,
    image_scale: float | None = None,
    progress: bool = True,
    extras: Extras = NO_EXTRAS,
) -> Source:
    """Open what is to be predicted.

    Parameters
    ----------
    paths : sequence of path-like
        An SDSS-GS folder; a catalogue (whatever `sdss_gs.tables.readers` opens, also a folder of Parquet files, and
        ``stars.fits[2]``); a folder of images, cut-outs or spectra; or such files one by one.
    inputs : sequence of str
        Inputs that will be asked for. They decide what a ``.csv`` or ``.fits`` file is: a spectrum or cut-out where
        only file inputs are wanted, else a catalogue.
    columns : mapping of str to str, optional
        Name in the catalogue by name in the zoo.
    id_column : str
        The catalogue's column of ids; ``none`` numbers the rows.
    table : str
        Which table of a file that has several.
    photometry : mapping of str to str, optional
        Kind of magnitudes that is preferred, by input.
    image_scale : float, optional
        Arcsec per pixel of the images, where it is known; another one than 0.2 has them resampled.
    progress : bool
        Show a progress bar while an SDSS-GS folder is packed.
    extras : Extras
        What the models can use beyond whole rows of magnitudes.

    Raises
    ------
    ZooError
        If there is nothing there, or it is none of these.
    """
    numbered = [split_number(Path(path)) for path in paths]
    files = [path for path, _table in numbered]
    for path in files:
        if not path.exists():
            raise DataError(f"{path}: no such file or folder")
    wanted = [name for name in inputs if INPUTS[name].columns]
    path, chosen = numbered[0]
    if len(files) == 1:
        if (path / "data.csv").is_file():
            refuse_extras(path, extras)
            return _of(files, dataset_source(open_folder(path, inputs, image_scale or PIXEL_SCALE, progress)))
        if wanted and (shards(path) if path.is_dir() else is_table(path)):
            source = catalogue_source(path, wanted, columns, id_column, table or chosen, photometry, extras)
            return _of(files, source)
        if path.is_dir():
            paths_inside, notes = folder_files(path, inputs)
            return _of(files, files_source(paths_inside, image_scale, notes))
    if len(files) > 1 and all(is_table(path) for path in files) and len(wanted) == len(inputs):
        raise OptionError(
            f"input: expected one catalogue, found {len(files)}; join them, or predict one after the other"
        )
    return _of(files, files_source(files, image_scale))


def refuse_extras(path: Path, extras: Extras) -> None:
    """Refuse what is said of a catalogue where a data set is read, which says it itself.

    Raises
    ------
    OptionError
    """
    found = f"the data set {path}; name its data.csv"
    if extras.limits:
        raise OptionError(f"limits: expected a catalogue, found {found}")
    if extras.stated:
        raise OptionError(f"photometry: expected a catalogue with {extras.stated}, found {found}")


def _of(files: list[Path], source: Source) -> Source:
    return replace(source, paths=tuple(files))


def open_table_source(
    table: OpenTable,
    inputs: Sequence[str],
    photometry: Mapping[str, str] | None = None,
    extras: Extras = NO_EXTRAS,
) -> Source:
    """Take the rows of a table in memory.

    Parameters
    ----------
    table : OpenTable
    inputs : sequence of str
        Those that will be asked for.
    photometry : mapping of str to str, optional
        Kind of magnitudes that is preferred, by input.
    extras : Extras
        What the models can use beyond whole rows of magnitudes.

    Raises
    ------
    ZooError
        If it has no column of magnitudes that is known.
    """
    choice = choose_columns(table, [name for name in inputs if INPUTS[name].columns], None, photometry, extras)
    if not choice.columns:
        raise OptionError(no_columns(table))
    return table_source(table, choice, extras=extras)
