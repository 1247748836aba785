"""The command ``zoo``: use trained models without writing a line of Python."""

from __future__ import annotations

import argparse
import functools
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from sdss_gs import logs
from sdss_gs.errors import OptionError, ZooError
from sdss_gs.schema import PIXEL_SCALE

from .flags import MEANING

SIMILAR_MODEL = "i2r"
"""With which zoo similar looks when it is not told."""


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return its exit code."""
    options = _parser().parse_args(arguments)
    try:
        logs.set_up(options)
        code = options.run(options)
        sys.stdout.flush()
        return code
    except ZooError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # The reader, head for instance, has seen enough; Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print("\ninterrupted; what is finished is kept, the same command goes on", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="zoo",
        description="Use trained models: redshifts, stellar masses, sub-classes and morphologies, with error bars.",
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add(commands, "list", _list, "list the trained models")
    _add(commands, "info", _info, "print a model's card").add_argument("model", help="for example i2r, or i2r/3")
    report = _add(commands, "report", _report, "say where a model's report is")
    report.add_argument("model")
    report.add_argument("--open", action="store_true", help="show it in the browser")
    _add_predict(commands)
    _add_embed(commands)
    _add_similar(commands)
    _add_serve(commands)
    export = _add(commands, "export", _export, "write a model as a folder: weights, card, report, checksums")
    export.add_argument("model")
    export.add_argument("folder", type=Path)
    doctor = _add(commands, "doctor", _doctor, "look for what is missing, too old, full or gone; say what mends it")
    doctor.epilog = "exit code 1 when something is broken"
    doctor.add_argument("--ds", default="", metavar="FOLDER", help="data set (default: the usual one)")
    doctor.add_argument("--json", action="store_true", help="print JSON instead of lines")
    doctor.add_argument("--thorough", action="store_true", help="also load TensorFlow and open every champion: seconds")
    _add(commands, "import", _import, "add a folder that zoo export wrote to the store").add_argument(
        "folder", type=Path
    )
    logs.add_options(parser, *commands.choices.values())
    return parser


def _add(commands, name: str, run, text: str, **options) -> argparse.ArgumentParser:
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


def _add_predict(commands) -> None:
    flags = "\n".join(f"  {int(bit):>3}  {bit.name}: {meaning}" for bit, meaning in MEANING.items())
    predict = _add(
        commands, "predict", _predict, "predict galaxies, one row each, with error bars and flags",
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


def _add_embed(commands) -> None:
    embed = _add(commands, "embed", _embed, "write what a model sees in each galaxy: the features that feed its head")
    embed.add_argument("model", help="for example i2r, i2r/3, or an exported folder")
    _add_input(embed)
    embed.add_argument(
        "--output", type=Path, metavar="Y",
        help=".parquet; not needed for an SDSS-GS folder: beside its packed arrays, where zoo similar and zoo serve "
        "look",
    )  # fmt: skip
    embed.add_argument("--overwrite", action="store_true", help="replace an output that is there")


def _add_similar(commands) -> None:
    similar = _add(commands, "similar", _similar, "list the galaxies that are most like one, as a model sees them")
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


def _add_serve(commands) -> None:
    serve = _add(commands, "serve", _serve, "answer predictions over the network, and show a page to look at galaxies")
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


# === Commands ===


def _list(_options: argparse.Namespace) -> int:
    from .library import champions

    found = champions()
    if not found:
        print("No trained model in this store yet: mlflow run b2r --no-conda trains one in a minute.")
        return 0
    _print_table([("model", "version", "test score", "data"), *((e.name, e.version, e.score, e.data) for e in found)])
    return 0


def _print_table(lines: Sequence[Sequence[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _info(options: argparse.Namespace) -> int:
    from .library import artifact

    print(artifact(options.model, "card.md").read_text())
    return 0


def _report(options: argparse.Namespace) -> int:
    from .library import artifact
    from .tracking import REPORT

    path = artifact(options.model, REPORT).resolve()
    print(path)
    if options.open:
        import webbrowser

        webbrowser.open(path.as_uri())
    return 0


def _export(options: argparse.Namespace) -> int:
    from .library import export

    print(export(options.model, options.folder))
    return 0


def _import(options: argparse.Namespace) -> int:
    from .library import take_in

    print(take_in(options.folder))
    return 0


def _predict(options: argparse.Namespace) -> int:
    from .choose import averaging, choose_models
    from .predict import predict

    models, together = choose_models(options.model)
    models = averaging(models) if options.tta else models
    opened = _opened(options, models)
    source = _noted(opened())
    if together:
        models = [model for model in models if model.inputs[0].name in source.inputs]
    done = predict(
        models, source, options.output, overwrite=options.overwrite, together=together, engine=_engine(options, opened)
    )
    print(f"{options.output}: {done.rows:,} rows in {done.seconds:.1f} s ({done.rows / done.seconds:,.0f}/s)")
    for name, count in done.flags.items():
        if count:
            print(f"  {name}: {count:,}")
    return 0


def _opened(options: argparse.Namespace, models: Sequence) -> functools.partial:
    """Return what opens the input, once or, in another process, again."""
    from .sources import open_source

    columns = dict(_assignment(text) for text in options.column)
    inputs = list(dict.fromkeys(item.name for model in models for item in model.inputs))
    # Another process may have another current folder.
    paths = [Path(path).absolute() for path in options.input]
    return functools.partial(
        open_source, paths, inputs, columns=columns, id_column=options.id, image_scale=options.image_scale
    )


def _noted(source):
    for note in source.notes:
        print(note)
    return source


def _engine(options: argparse.Namespace, opened: functools.partial):
    if options.engine == "local":
        if options.address or options.workers:
            raise OptionError("address, workers: expected --engine ray with them, found --engine local")
        return None
    from .ray_engine import on_ray

    again = functools.partial(opened, progress=False)
    return functools.partial(on_ray, opened=again, address=options.address, workers=options.workers)


def _embed(options: argparse.Namespace) -> int:
    from .embed import embed, embedding_of
    from .opening import load
    from .sources.folder import open_folder

    model = load(options.model)
    output = options.output
    if output is not None:
        rows = embed(model, _noted(_opened(options, [model])()), output, overwrite=options.overwrite)
        print(f"{output}: {rows:,} rows")
        return 0
    folder = Path(options.input[0])
    if len(options.input) > 1 or not (folder / "data.csv").is_file():
        raise OptionError("output: expected a file that ends in .parquet, since the input is no SDSS-GS folder")
    data = open_folder(folder, tuple(model.shapes), options.image_scale)
    print(embedding_of(model, data, overwrite=options.overwrite))
    return 0


def _similar(options: argparse.Namespace) -> int:
    from .similar import find_similar

    _print_table(find_similar(options.objid, options.n, options.model, options.ds, options.embedding, SIMILAR_MODEL))
    return 0


def _serve(options: argparse.Namespace) -> int:
    from .serve import serve

    limits = {
        "megabytes": options.max_mb, "rows": options.max_rows, "at_once": options.at_once,
        "waiting": options.waiting, "seconds": options.seconds, "per_minute": options.per_minute,
    }  # fmt: skip
    say = functools.partial(print, flush=True)
    serve(options.host, options.port, options.ds, options.models, limits, options.mlflow, say, options.token_file)
    return 0


def _doctor(options: argparse.Namespace) -> int:
    import json

    from .doctor import as_data, as_text, broken, examine

    findings = examine(options.ds, options.thorough)
    print(json.dumps(as_data(findings), indent=1) if options.json else as_text(findings))
    return 1 if broken(findings) else 0


def _assignment(text: str) -> tuple[str, str]:
    key, sign, value = text.partition("=")
    if not (key and sign and value):
        raise OptionError(f"column: expected ZOO=FILE such as r=rmag, found {text!r}")
    return key, value


if __name__ == "__main__":
    sys.exit(main())
