"""The command ``zoo``: use trained models without writing a line of Python."""

from __future__ import annotations

import argparse
import functools
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from common.cli.options import SIMILAR_MODEL, parser_of
from common.runs.failures import report
from sdss_gs import logs
from sdss_gs.errors import OptionError


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return its exit code."""
    options = parser_of(RUNS).parse_args(arguments)
    try:
        logs.set_up(options)
        code = options.run(options)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        # The reader, head for instance, has seen enough; Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        return report(error)
    except KeyboardInterrupt:
        print("\ninterrupted; what is finished is kept, the same command goes on", file=sys.stderr)
        return 130


def _list(_options: argparse.Namespace) -> int:
    from common.models.library import champions

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
    from common.models.library import artifact

    print(artifact(options.model, "card.md").read_text())
    return 0


def _report(options: argparse.Namespace) -> int:
    from common.models.library import artifact
    from common.runs.record import REPORT

    path = artifact(options.model, REPORT).resolve()
    print(path)
    if options.open:
        import webbrowser

        webbrowser.open(path.as_uri())
    return 0


def _export(options: argparse.Namespace) -> int:
    from common.models.library import export

    print(export(options.model, options.folder))
    return 0


def _import(options: argparse.Namespace) -> int:
    from common.models.library import take_in

    print(take_in(options.folder))
    return 0


def _predict(options: argparse.Namespace) -> int:
    from common.predict.choose import averaging, choose_models
    from common.predict.predict import predict

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
    from common.data.sources import open_source

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
    from common.predict.ray_engine import on_ray

    again = functools.partial(opened, progress=False)
    return functools.partial(on_ray, opened=again, address=options.address, workers=options.workers)


def _embed(options: argparse.Namespace) -> int:
    from common.data.sources.folder import open_folder
    from common.models.opening import load
    from common.predict.embed import embed, embedding_of

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
    from common.predict.similar import find_similar

    _print_table(find_similar(options.objid, options.n, options.model, options.ds, options.embedding, SIMILAR_MODEL))
    return 0


def _serve(options: argparse.Namespace) -> int:
    from common.serve.service import serve

    limits = {
        "megabytes": options.max_mb, "rows": options.max_rows, "at_once": options.at_once,
        "waiting": options.waiting, "seconds": options.seconds, "per_minute": options.per_minute,
    }  # fmt: skip
    say = functools.partial(print, flush=True)
    serve(options.host, options.port, options.ds, options.models, limits, options.mlflow, say, options.token_file)
    return 0


def _doctor(options: argparse.Namespace) -> int:
    import json

    from common.cli.doctor import as_data, as_text, broken, examine

    findings = examine(options.ds, options.thorough)
    print(json.dumps(as_data(findings), indent=1) if options.json else as_text(findings))
    return 1 if broken(findings) else 0


def _assignment(text: str) -> tuple[str, str]:
    key, sign, value = text.partition("=")
    if not (key and sign and value):
        raise OptionError(f"column: expected ZOO=FILE such as r=rmag, found {text!r}")
    return key, value


RUNS = {
    "list": _list, "info": _info, "report": _report, "predict": _predict, "embed": _embed, "similar": _similar,
    "serve": _serve, "export": _export, "import": _import, "doctor": _doctor,
}  # fmt: skip

if __name__ == "__main__":
    sys.exit(main())
