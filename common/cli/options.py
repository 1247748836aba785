"""The options of the command ``zoo``; what it does with them is in `common.cli.command`."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path

from common.outputs.flags import MEANING
from sdss_gs import logs
from sdss_gs.schema import PIXEL_SCALE

Run = Callable[[argparse.Namespace], int]
SIMILAR_MODEL = "i2r"
"""With which zoo similar looks when it is not told."""


def parser_of(runs: Mapping[str, Run]) -> argparse.ArgumentParser:
    """Make the parser of ``zoo``; what it parses has the command's function as ``run``.

    Parameters
    ----------
    runs : mapping of str to callable
        What each command does with its options; it returns an exit code.
    """
    parser = argparse.ArgumentParser(
        prog="zoo",
        description="Use trained models: redshifts, stellar masses, sub-classes and morphologies, with error bars.",
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add(commands, "list", runs["list"], "list the trained models")
    _add(commands, "info", runs["info"], "print a model's card").add_argument("model", help="for example i2r, or i2r/3")
    report = _add(commands, "report", runs["report"], "say where a model's report is")
    report.add_argument("model")
    report.add_argument("--open", action="store_true", help="show it in the browser")
    _add_predict(commands, runs)
    _add_embed(commands, runs)
    _add_similar(commands, runs)
    _add_serve(commands, runs)
    export = _add(commands, "export", runs["export"], "write a model as a folder: weights, card, report, checksums")
    export.add_argument("model")
    export.add_argument("folder", type=Path)
    doctor = _add(
        commands, "doctor", runs["doctor"], "look for what is missing, too old, full or gone; say what mends it"
    )
    doctor.epilog = "exit code 1 when something is broken"
    doctor.add_argument("--ds", default="", metavar="FOLDER", help="data set (default: the usual one)")
    doctor.add_argument("--json", action="store_true", help="print JSON instead of lines")
    doctor.add_argument("--thorough", action="store_true", help="also load TensorFlow and open every champion: seconds")
    _add(commands, "import", runs["import"], "add a folder that zoo export wrote to the store").add_argument(
        "folder", type=Path
    )
    logs.add_options(parser, *commands.choices.values())
    return parser


def _add(commands, name: str, run: Run, text: str, **options) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        name,
        help=text,
        description=f"{text[0].upper()}{text[1:]}.",
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        **options,
    )
    parser.set_defaults(run=run)
    return parser


def _add_predict(commands, runs: Mapping[str, Run]) -> None:
    flags = "\n".join(f"  {int(bit):>3}  {bit.name}: {meaning}" for bit, meaning in MEANING.items())
    predict = _add(
        commands, "predict", runs["predict"], "predict galaxies, one row each, with error bars and flags",
        epilog=f"bits of the column flag:\n{flags}",
    )  # fmt: skip
    predict.add_argument(
        "model", nargs="+",
        help="one or several trained models (b2r, b2r/3, an exported folder); one2one: all trained models that the "
        "input serves, and their mean; best: for each galaxy the best of them that has a prediction",
    )  # fmt: skip
    _add_input(predict)
    predict.add_argument("--output", type=Path, required=True, metavar="Y", help=".parquet, .csv, .fits, .vot or .xml")
    predict.add_argument(
        "--tta", action="store_true",
        help="turn and mirror each image into its eight forms and average: eight times the work, a little less error "
        "(error bars stay those without)",
    )  # fmt: skip
    predict.add_argument("--overwrite", action="store_true", help="replace an output that is there")
    predict.add_argument(
        "--engine", choices=("local", "ray"), default="local",
        help="where it runs: in this process, or in many of this machine or a cluster (default: %(default)s)",
    )  # fmt: skip
    predict.add_argument(
        "--address", default="", metavar="A",
        help="Ray cluster; auto: the one this machine is part of (default: $RAY_ADDRESS, else Ray starts here)",
    )  # fmt: skip
    predict.add_argument(
        "--workers", type=_whole(1, 100_000), default=0, metavar="N",
        help="processes of --engine ray (default: one per GPU, without any one per core)",
    )  # fmt: skip


def _add_input(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--input", nargs="+", required=True, metavar="X",
        help="an SDSS-GS folder; a catalogue (.csv, .parquet, .fits, .vot, a folder of .parquet files); a folder of "
        "images, cut-outs or spectra; or such files",
    )  # fmt: skip
    parser.add_argument(
        "--column", action="append", default=[], metavar="ZOO=FILE",
        help="a column of the catalogue by its name there: r=rmag, w1=W1mag (repeat it for each)",
    )  # fmt: skip
    parser.add_argument("--id", default="", metavar="COLUMN", help="the catalogue's ids (default: objid, else id)")
    parser.add_argument(
        "--image-scale", type=_scale, default=PIXEL_SCALE, metavar="ARCSEC",
        help="arcsec per pixel of the images; another scale is resampled to %(default)s, then the centre is cut out or "
        "the edge repeated (default: %(default)s)",
    )  # fmt: skip


def _add_embed(commands, runs: Mapping[str, Run]) -> None:
    embed = _add(
        commands, "embed", runs["embed"], "write what a model sees in each galaxy: the features that feed its head"
    )
    embed.add_argument("model", help="for example i2r, i2r/3, or an exported folder")
    _add_input(embed)
    embed.add_argument(
        "--output", type=Path, metavar="Y",
        help=".parquet; not needed for an SDSS-GS folder: beside its packed arrays, where zoo similar and zoo serve "
        "look",
    )  # fmt: skip
    embed.add_argument("--overwrite", action="store_true", help="replace an output that is there")


def _add_similar(commands, runs: Mapping[str, Run]) -> None:
    similar = _add(
        commands, "similar", runs["similar"], "list the galaxies that are most like one, as a model sees them"
    )
    similar.add_argument("objid", help="a galaxy of the data set or the embedding")
    similar.add_argument("--model", help=f"trained model (default: {SIMILAR_MODEL}, or that of the embedding)")
    similar.add_argument("--n", type=_whole(1), default=12, help="galaxies (default: %(default)s)")
    similar.add_argument(
        "--ds", default="", metavar="DS",
        help="SDSS-GS folder, for the true values too (default without --embedding: the usual one)",
    )  # fmt: skip
    similar.add_argument(
        "--embedding",
        type=Path,
        metavar="Y",
        help="what zoo embed wrote (default: computed for the data set, and kept)",
    )


def _add_serve(commands, runs: Mapping[str, Run]) -> None:
    serve = _add(
        commands, "serve", runs["serve"], "answer predictions over the network, and show a page to look at galaxies"
    )
    serve.add_argument(
        "--host", default="127.0.0.1", help="address to listen at (default: %(default)s: this machine only)"
    )
    serve.add_argument(
        "--port", type=_whole(0, 65535), default=8000, help="0 takes any that is free (default: %(default)s)"
    )
    serve.add_argument("--ds", default="", metavar="FOLDER", help="data set to show (default: the usual one, if any)")
    serve.add_argument("--models", nargs="+", metavar="MODEL", help="trained models (default: all champions)")
    serve.add_argument(
        "--mlflow", default="http://127.0.0.1:5000", metavar="URL", help="where mlflow ui answers, for links to runs "
        "(default: %(default)s)",
    )  # fmt: skip
    serve.add_argument("--max-mb", type=_whole(1, 4096), default=32, help="of a request's body (default: %(default)s)")
    serve.add_argument("--max-rows", type=_whole(1), default=1000, help="objects of a request (default: %(default)s)")
    serve.add_argument("--at-once", type=_whole(1, 64), default=2, help="predictions that run (default: %(default)s)")
    serve.add_argument("--waiting", type=_whole(0), default=64, help="predictions that wait (default: %(default)s)")
    serve.add_argument("--seconds", type=_whole(1), default=30, help="to receive, to predict (default: %(default)s)")
    serve.add_argument(
        "--per-minute", type=_whole(0), default=0, metavar="N", help="requests of a client address; 0: any number "
        "(default: %(default)s)",
    )  # fmt: skip
    serve.add_argument(
        "--token-file", type=Path, metavar="FILE", help="file with a token that clients must send (default: the "
        "variable ZOO_TOKEN; without it, anybody who reaches the port may ask)",
    )  # fmt: skip


def _whole(low: int, high: int = 10**9):
    def whole(text: str) -> int:
        if not (text.isascii() and text.isdigit() and len(text) < 11 and low <= int(text) <= high):
            raise argparse.ArgumentTypeError(f"expected a whole number from {low} to {high}, found {text!r}")
        return int(text)

    return whole


def _scale(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 1e-3 <= value < 1e3:
        raise argparse.ArgumentTypeError(f"expected arcsec per pixel above 0.001, found {text!r}")
    return value
