"""Options that several commands share: what their galaxies are, what runs the models; and how that input is opened."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from common.cli.terminal import PATH, Choice, Several
from common.models.running import RUNTIMES
from sdss_gs.errors import OptionError
from sdss_gs.schema import PIXEL_SCALE
from sdss_gs.tables.names import STATEMENTS

if TYPE_CHECKING:
    from common.data.sources.chunk import Source
    from common.models.model import Model

Open = Callable[..., "Source"]
RUNTIME = click.option(
    "--runtime", type=Choice(RUNTIMES), show_default=f"{RUNTIMES[0]} where a model has a light form",
    help="what runs the network",
)  # fmt: skip
OVERWRITE = click.option("--overwrite", is_flag=True, help="replace an output that is there")


def _check_scale(_context: click.Context, _option: click.Parameter, value: float | None) -> float | None:
    if value is not None and not 1e-3 <= value <= 1e3:
        raise click.BadParameter(f"expected arcsec per pixel from 0.001 to 1000, found {value:g}")
    return value


def with_input(function):
    """Give a command the options that say what its galaxies are; they go to `input_opener`."""
    for option in (
        click.option(
            "--image-scale", type=float, callback=_check_scale, show_default=str(PIXEL_SCALE), metavar="ARCSEC",
            help=f"arcsec per pixel of the images; another scale is resampled to {PIXEL_SCALE}, then the centre is cut "
            "out or the edge repeated",
        ),
        click.option(
            "--photometry", "stated", type=Choice(list(STATEMENTS)),
            show_default="as the names of the columns say",
            help="whether magnitudes u g r i z are corrected for the Galaxy's extinction",
        ),
        click.option(
            "--id", "id_column", default="", show_default="objid, id, source_id, …", metavar="COLUMN",
            help="the catalogue's ids; none: number the rows",
        ),
        click.option(
            "--table", default="", show_default="the one with magnitudes", metavar="N",
            help="number or name of the table, where a FITS file or VOTable has several (or: --input stars.fits[2])",
        ),
        click.option(
            "--column", "columns", multiple=True, metavar="ZOO=FILE",
            help="a column of the catalogue by its name there: r=rmag, w1=W1mag (repeat it for each)",
        ),
        click.option(
            "--input", "paths", cls=Several, type=PATH, required=True, metavar="X...",
            help="an SDSS-GS folder; a catalogue (CSV and other text, Parquet file or folder, FITS, VOTable, ECSV, "
            "IPAC; also compressed); a folder of images, cut-outs or spectra; or such files",
        ),
    ):  # fmt: skip
        function = option(function)
    return function


def input_opener(
    models: Sequence[Model], paths: Sequence[Path], columns: Sequence[str], id_column: str, table: str,
    image_scale: float | None, stated: str | None, limits: bool = False,
) -> Open:  # fmt: skip
    """Return what opens the input, once or, in another process, again.

    Parameters
    ----------
    models : sequence of Model
        That are to look at it.
    paths, columns, id_column, table, image_scale, stated
        From the options of `with_input`.
    limits : bool
        As for `Model.predict`.
    """
    from common.data.sources import open_source
    from sdss_gs.tables.columns import extras_of

    inputs = list(dict.fromkeys(item.name for model in models for item in model.inputs))
    photometry = {name: kind for model in reversed(models) for name, kind in model.photometry().items()}
    # Another process may have another current folder.
    return functools.partial(
        open_source, [path.absolute() for path in paths], inputs, columns=dict(map(_assignment, columns)),
        id_column=id_column, table=table, photometry=photometry, image_scale=image_scale,
        extras=extras_of([item for model in models for item in model.inputs], limits, stated or ""),
    )  # fmt: skip


def _assignment(text: str) -> tuple[str, str]:
    key, sign, value = text.partition("=")
    if not (key and sign and value):
        raise OptionError(f"column: expected ZOO=FILE such as r=rmag, found {text!r}")
    return key, value


def open_input(opener: Open) -> Source:
    """Open what a command is to look at, and say what should be known of it."""
    source = opener()
    for note in (*source.notes, *source.counted()):
        print(note)
    return source
