"""``python -m sdss_gs``: look at, check, generate and pack data sets."""

from __future__ import annotations

import argparse
import sys

from .errors import ZooError
from .exchange.command import add_parser as add_import_parser
from .picture.command import add_parser as add_image_parser
from .schema import INPUTS, PIXEL_SCALE

# The commands import what they need themselves, so that --help answers at once.


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return the exit code: 0, 1 for a reported problem, 2 for a wrong option."""
    options = _parser().parse_args(arguments)
    try:
        return options.command(options)
    except ZooError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; the same command goes on where it was", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sdss_gs", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name, function, text):
        command = commands.add_parser(
            name, help=text, description=text, formatter_class=argparse.ArgumentDefaultsHelpFormatter
        )
        command.set_defaults(command=function)
        return command

    info = add("info", _info, "count what a data set holds")
    info.add_argument("ds", metavar="DS", help="SDSS-GS folder")
    info.add_argument("--json", action="store_true", help="print JSON instead of a table")

    check = add("verify", _verify, "read every file and list what is wrong; exit code 1 when something is")
    check.add_argument("ds", metavar="DS", help="SDSS-GS folder")

    make = add("sample", _sample, "generate synthetic galaxies in the SDSS-GS layout")
    make.add_argument("ds", metavar="DS", help="folder to create")
    make.add_argument("--n", type=int, default=2000, help="number of galaxies")
    make.add_argument("--seed", type=int, default=0, help="another seed gives other galaxies")

    packing = add("pack", _pack, "turn raw files into memory-mapped arrays; only new and changed files are read")
    packing.add_argument("ds", metavar="DS", help="SDSS-GS folder")
    packing.add_argument(
        "--inputs", default="all", help=f"comma-separated: {', '.join(n for n, i in INPUTS.items() if i.suffix)}"
    )

    add_image_parser(commands)
    add_import_parser(commands)

    for command in (check, packing):
        command.add_argument(
            "--image-scale", type=float, default=PIXEL_SCALE, metavar="ARCSEC",
            help=f"scale of the img files per pixel; another one than {PIXEL_SCALE} has them resampled",
        )  # fmt: skip
    for command in (check, packing, make):
        command.add_argument("--processes", type=int, default=None, help="worker processes (None: one per core)")
    return parser


def _info(options) -> int:
    import json

    from .info import as_text, summarise

    summary = summarise(options.ds)
    print(json.dumps(summary, indent=1) if options.json else as_text(summary))
    return 0


def _verify(options) -> int:
    from .check import verify

    problems, notes = verify(options.ds, image_scale=options.image_scale, processes=options.processes)
    for note in notes:
        print(note)
    width = max((len(problem.where) for problem in problems), default=0)
    for problem in problems:
        print(f"{problem.where:<{width}}  {problem.item:<12}  {problem.text}")
    print(f"{len(problems)} problems" if problems else "every file and value is good")
    return 1 if problems else 0


def _sample(options) -> int:
    from .sample import write_sample

    print(write_sample(options.ds, options.n, options.seed, options.processes))
    return 0


def _pack(options) -> int:
    from .dataset import open_catalogue
    from .errors import OptionError
    from .pack import pack
    from .packed import packed_folder
    from .raw import list_paths, served_by

    files = [name for name, item in INPUTS.items() if item.suffix]
    names = files if options.inputs == "all" else options.inputs.split(",")
    for name in names:
        if name not in files:
            raise OptionError(f"--inputs {name}: expected some of {', '.join(files)}")
    catalogue = open_catalogue(options.ds)
    for name in dict.fromkeys(served_by(options.ds, name) for name in names):
        if not list_paths(options.ds, name):
            continue
        manifest = pack(
            options.ds, name, catalogue.objid,
            image_scale=options.image_scale, processes=options.processes, thorough=True,
        )  # fmt: skip
        print(f"{name}: {manifest.available:,} packed, {len(manifest.rejects):,} refused")
    print(packed_folder(options.ds))
    return 0


if __name__ == "__main__":
    sys.exit(main())
