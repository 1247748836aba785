"""``python -m sdss_gs``: download, build, look at, check, generate and pack data sets; say how to cite them."""

from __future__ import annotations

import functools
import os
import sys

from sdss_gs import logs
from sdss_gs.arguments import HelpWithDefaults, Parser, add_command, with_examples
from sdss_gs.build import command as build
from sdss_gs.errors import OptionError, did_you_mean, user_message
from sdss_gs.examples import FIRST
from sdss_gs.exchange.command import add_parsers as add_exchange_parsers
from sdss_gs.picture.command import add_parser as add_image_parser
from sdss_gs.schema import INPUTS, PIXEL_SCALE
from sdss_gs.terminal import print_error, print_lines

PROGRAM = "python -m sdss_gs"
FILE_INPUTS = [name for name, item in INPUTS.items() if item.suffix]

# The commands import what they need themselves, so that --help answers at once.


def main(arguments: list[str] | None = None, program: str = PROGRAM) -> int:
    """Run one command; return the exit code: 0, 1 for a reported problem, 2 for a wrong option."""
    parser = make_parser(program)
    given = sys.argv[1:] if arguments is None else arguments
    # Without a command there is nothing but its help to be wanted.
    options = parser.parse_args(given or ["--help"])
    try:
        logs.set_up(getattr(options, "amount", logs.USUAL))
        code = options.command(options)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        # The reader, head for instance, has seen enough; Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print("interrupted; the same command goes on where it was", file=sys.stderr)
        return 130
    except Exception as error:
        if not (line := user_message(error)):
            raise
        print_error(line)
        return 1


def make_parser(program: str = PROGRAM) -> Parser:
    """Make the parser of the command line; the help and the completion of a shell ask it too."""
    text = "Download, build, look at, check, generate and pack data sets; say how to cite them."
    parser = Parser(prog=program, description=with_examples(text, program, FIRST), formatter_class=HelpWithDefaults)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    add = functools.partial(add_command, commands)

    fetch = add("download", _download, "download the SDSS Galaxy Subset from Zenodo; the same command continues")
    fetch.add_argument(
        "ds", metavar="DIR", nargs="?", default=None,
        help="folder to fill (None: $SDSS_GS, else sdss-gs beside the repository)",
    )  # fmt: skip
    fetch.add_argument("--version", help="name, record number or DOI of a version (None: the newest)")
    fetch.add_argument("--inputs", default="all", help=f"comma-separated: {', '.join(FILE_INPUTS)}")
    fetch.add_argument(
        "--from", dest="archives", nargs="+", default=[], metavar="FILE", help="archives on disk: nothing is fetched"
    )
    fetch.add_argument("--mirror", default="https://zenodo.org", metavar="URL", help="server that answers like Zenodo")
    fetch.add_argument("--at-once", type=int, default=3, metavar="N", help="files fetched at a time")
    fetch.add_argument("--keep", action="store_true", help="keep the archives, in DIR/archives")

    info = add("info", _info, "count what a data set holds")
    info.add_argument("ds", metavar="DS", help="SDSS-GS folder")
    info.add_argument("--json", action="store_true", help="print JSON instead of a table")

    check = add("verify", _verify, "read every file and list what is wrong; exit code 1 when something is")
    check.add_argument("ds", metavar="DS", help="SDSS-GS folder")

    make = add("sample", _sample, "generate synthetic galaxies in the SDSS-GS layout")
    make.add_argument("ds", metavar="DS", help="folder to create")
    make.add_argument("--n", type=int, default=2000, help="number of galaxies")
    make.add_argument("--seed", type=int, default=0, help="another seed gives other galaxies")

    made = add("spectra", _spectra, "make spectra of the survey's own templates, which you have, in the SDSS-GS layout")
    made.add_argument("ds", metavar="DS", help="folder to create")
    made.add_argument(
        "--templates", required=True, metavar="DIR",
        help="folder with spEigen{Gal,QSO,Star}-*.fits (SDSS's idlspec2d) or rrtemplate-*.fits (redrock)",
    )  # fmt: skip
    made.add_argument("--n", type=int, default=10_000, help="number of spectra")
    made.add_argument("--seed", type=int, default=0, help="another seed gives other spectra")
    made.add_argument("--classes", default="GALAXY", help="comma-separated, in turn: STAR, GALAXY, QSO")
    made.add_argument(
        "--noisy", type=float, default=0.0, metavar="SHARE",
        help="share of the spectra whose best fit is as noisy as the flux: what learns from them reads both",
    )  # fmt: skip

    packing = add("pack", _pack, "turn raw files into memory-mapped arrays; only new and changed files are read")
    packing.add_argument("ds", metavar="DS", help="SDSS-GS folder")
    packing.add_argument("--inputs", default="all", help=f"comma-separated: {', '.join(FILE_INPUTS)}")

    text = "build a data set of any selection of SDSS objects"
    build.add_options(add("build", build.run, text, build.DESCRIPTION))
    cite = add("cite", _cite, "say whom to name when the zoo and its data are used")
    cite.add_argument("--bibtex", action="store_true", help="print BibTeX only")

    look = add("explore", _explore, "draw what a data set holds on one HTML page")
    look.add_argument("ds", metavar="DS", help="SDSS-GS folder")
    look.add_argument("--output", default="explore.html", metavar="FILE", help="page to write")
    look.add_argument("--floor", type=int, default=10, help="votes that a question needs for an example")

    add_image_parser(commands)
    add_exchange_parsers(commands)
    logs.add_options(parser, *commands.choices.values())

    for command in (check, packing):
        command.add_argument(
            "--image-scale", type=float, default=PIXEL_SCALE, metavar="ARCSEC",
            help=f"scale of the img files per pixel; another one than {PIXEL_SCALE} has them resampled",
        )  # fmt: skip
    for command in (fetch, check, packing, make):
        command.add_argument("--processes", type=int, default=None, help="worker processes (None: one per core)")
    return parser


def _chosen_inputs(options) -> list[str]:
    names = FILE_INPUTS if options.inputs == "all" else options.inputs.split(",")
    for name in names:
        if name not in FILE_INPUTS:
            meant = did_you_mean(name, FILE_INPUTS)
            raise OptionError(f"--inputs {name}: expected some of {', '.join(FILE_INPUTS)}{meant}")
    return names


def _download(options) -> int:
    from sdss_gs.download import download
    from sdss_gs.locate import default_folder

    folder = default_folder() if options.ds is None else options.ds
    inputs = _chosen_inputs(options)
    if options.at_once < 1:
        raise OptionError(f"--at-once {options.at_once}: expected at least 1")
    if not download(
        folder, version=options.version, inputs=inputs, archives=options.archives,
        host=options.mirror, at_once=options.at_once, keep=options.keep,
    ):  # fmt: skip
        return 0
    from sdss_gs.check import verify
    from sdss_gs.info import as_text, summarise

    problems, notes = verify(folder, processes=options.processes)
    print("", *notes, as_text(summarise(folder)), "", sep="\n")
    # What is wrong in the published files is left out by every command; nothing of it is wrong with the download.
    print(f"{len(problems)} problems; zoo data verify {folder} lists them" if problems else "verified")
    return 0


def _info(options) -> int:
    import json

    from sdss_gs.info import as_text, summarise

    summary = summarise(options.ds)
    if options.json:
        print(json.dumps(summary, indent=1))
    else:
        print_lines(as_text(summary))
    return 0


def _verify(options) -> int:
    from sdss_gs.check import verify

    problems, notes = verify(options.ds, image_scale=options.image_scale, processes=options.processes)
    for note in notes:
        print(note)
    width = max((len(problem.where) for problem in problems), default=0)
    for problem in problems:
        print_lines(f"{problem.where:<{width}}  {problem.item:<12}  {problem.text}")
    print(f"{len(problems)} problems" if problems else "every file and value is good")
    return 1 if problems else 0


def _explore(options) -> int:
    from sdss_gs.explore import explore

    print(explore(options.ds, options.output, options.floor))
    return 0


def _sample(options) -> int:
    from sdss_gs.sample import write_sample

    print(write_sample(options.ds, options.n, options.seed, options.processes))
    return 0


def _spectra(options) -> int:
    from sdss_gs.eigenspectra import write_spectra

    kinds = options.classes.split(",")
    print(write_spectra(options.ds, options.templates, options.n, options.seed, kinds, options.noisy))
    return 0


def _pack(options) -> int:
    from sdss_gs.dataset import open_catalogue
    from sdss_gs.formats.raw import list_paths, served_by
    from sdss_gs.packing.pack import pack
    from sdss_gs.packing.packed import packed_folder

    names = _chosen_inputs(options)
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


def _cite(options) -> int:
    from sdss_gs.cite import as_text, bibtex

    print(bibtex() if options.bibtex else f"{as_text()}\n\nzoo data cite --bibtex prints the entries.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
