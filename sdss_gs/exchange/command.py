"""``zoo data import`` and ``export``: options; the work is done in the modules beside this one."""

from __future__ import annotations

from pathlib import Path

from sdss_gs.arguments import add_command
from sdss_gs.exchange import FORMATS
from sdss_gs.schema import INPUTS, PIXEL_SCALE

# The command imports what it needs itself, so that --help answers at once.


def add_parsers(commands) -> None:
    """Add ``import`` and ``export`` to a parser's sub-commands."""
    _add_import(commands)
    _add_export(commands)


def _add_import(commands) -> None:
    text = "bring a data set of another project into the SDSS-GS layout; run again, it does only what is missing"
    command = add_command(commands, "import", _import, text)
    command.add_argument(
        "source", choices=("catalogue", "kaggle", "gz2", "tree", "labels", "galaxy10"),
        help="catalogue: magnitudes and truths in a table of any kind; "
        "kaggle: the Galaxy Zoo challenge; gz2: as the package galaxy-datasets has it; tree: a folder per class; "
        "labels: images and a table labels.csv",
    )  # fmt: skip
    command.add_argument(
        "path", metavar="IN", help="folder; the catalogue; the Parquet file of gz2; the HDF5 file of Galaxy10 DECaLS"
    )
    command.add_argument("ds", metavar="DS", help="SDSS-GS folder to make")
    command.add_argument("--id", default="", help="column of a catalogue's ids (none: number the rows)")
    command.add_argument(
        "--table", default="", help="number or name of a catalogue's table, where its file has several"
    )
    command.add_argument(
        "--column", action="append", default=[], metavar="ZOO=FILE",
        help="a column of a catalogue by its name there: r=rmag, redshift=z_spec (repeat it for each)",
    )  # fmt: skip
    command.add_argument("--target", default="label", help="column for the class names of a tree")
    command.add_argument("--images", metavar="FOLDER", help="images of gz2 or labels (None: beside the table)")
    command.add_argument("--crop", type=int, help="side of the middle square to keep, pixels of the source")
    command.add_argument("--size", type=int, help="side after resampling, pixels (150 where resampling is needed)")
    command.add_argument(
        "--image-scale", type=float, metavar="ARCSEC", help="scale of the source per pixel: the zoo's field is cut out"
    )


def _add_export(commands) -> None:
    text = "write a data set in a format of other tools; run again, it writes only what is missing"
    command = add_command(commands, "export", _export, text)
    command.add_argument("ds", metavar="DS", help="SDSS-GS folder")
    command.add_argument("out", metavar="OUT", help="folder to make")
    command.add_argument(
        "--format", choices=FORMATS, default="parquet",
        help="parquet: tables; hats: for LSDB, by place on the sky; webdataset: tar files, for training elsewhere",
    )  # fmt: skip
    files = ", ".join(name for name, item in INPUTS.items() if item.suffix)
    command.add_argument("--inputs", help=f"comma-separated: {files} (None: all that DS has)")
    command.add_argument("--shard-mb", type=float, default=256, metavar="MB", help="size of a file at most, 10^6 bytes")
    command.add_argument("--complete", action="store_true", help="leave out objects that lack one of the inputs")
    command.add_argument(
        "--image-scale", type=float, default=PIXEL_SCALE, metavar="ARCSEC",
        help="scale of the img files per pixel; they are exported as they are",
    )  # fmt: skip


def _import_catalogue(options) -> int:
    from sdss_gs.exchange.catalogues import import_catalogue

    columns = dict(text.partition("=")[::2] for text in options.column)
    rows, notes = import_catalogue(
        Path(options.path), Path(options.ds), id_name=options.id, table=options.table, columns=columns
    )
    for note in notes:
        print(note)
    print(f"{options.ds}: {rows:,} objects")
    return 0


def _import(options) -> int:
    if options.source == "catalogue":
        return _import_catalogue(options)
    from sdss_gs.exchange.entry import Entry
    from sdss_gs.exchange.importing import import_set

    taken, refused, notes = import_set(
        options.source,
        Path(options.path),
        Path(options.ds),
        target=options.target,
        images=options.images and Path(options.images),
        entry=Entry(options.crop, options.size, options.image_scale),
    )
    for note in notes:
        print(note)
    print(f"{options.ds}: {taken:,} objects, {refused:,} refused (rejects.csv)")
    return 0


def _export(options) -> int:
    from sdss_gs.exchange.export import export_set

    inputs = None if options.inputs is None else [name.strip() for name in options.inputs.split(",")]
    manifest = export_set(
        Path(options.ds), Path(options.out), options.format, inputs,
        shard_mb=options.shard_mb, complete=options.complete, image_scale=options.image_scale,
    )  # fmt: skip
    counts = "".join(f", {count:,} with {name}" for name, count in manifest["with_input"].items())
    size = sum(entry["bytes"] for entry in manifest["files"]) / 1e6
    print(f"{options.out}: {manifest['objects']:,} objects{counts}; {len(manifest['files']):,} files, {size:,.1f} MB")
    return 0
