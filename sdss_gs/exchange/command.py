"""``python -m sdss_gs import``: options; the work is done in the modules beside this one."""

from __future__ import annotations

import argparse
from pathlib import Path

# The command imports what it needs itself, so that --help answers at once.


def add_parser(commands) -> None:
    """Add ``import`` to a parser's sub-commands."""
    text = "bring a data set of another project into the SDSS-GS layout; run again, it does only what is missing"
    command = commands.add_parser(
        "import", help=text, description=text, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    command.set_defaults(command=_import)
    command.add_argument("source", choices=("kaggle", "tree", "galaxy10"), help="tree: one folder of images per class")
    command.add_argument("path", metavar="IN", help="folder, or the HDF5 file of Galaxy10 DECaLS")
    command.add_argument("ds", metavar="DS", help="SDSS-GS folder to make")
    command.add_argument("--target", default="label", help="column for the class names of a tree")
    command.add_argument("--crop", type=int, help="side of the middle square to keep, pixels of the source")
    command.add_argument("--size", type=int, help="side after resampling, pixels (150 where resampling is needed)")


def _import(options) -> int:
    from .importing import import_set

    taken, refused = import_set(
        options.source, Path(options.path), Path(options.ds), options.target, options.crop, options.size
    )
    print(f"{options.ds}: {taken:,} objects, {refused:,} refused (rejects.csv)")
    return 0
