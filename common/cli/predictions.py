"""The commands that run models over galaxies: ``zoo predict``, ``zoo embed`` and ``zoo similar``."""

from __future__ import annotations

import functools
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from common.cli.inputs import OVERWRITE, RUNTIME, Open, input_opener, open_input, with_input
from common.cli.terminal import PATH, Choice, Command, arrow_without_pandas, command
from common.cli.words import ModelName
from common.outputs.column import PDF_FORMS
from common.outputs.flags import MEANING, Flag
from sdss_gs.errors import OptionError
from sdss_gs.schema import PIXEL_SCALE, SPECTRUM_COLUMNS
from sdss_gs.terminal import YELLOW, paint, print_table

STDOUT = "-"
SIMILAR_MODEL = "i2r"
"""With which zoo similar looks when it is not told."""


class _Predict(Command):
    """Its help ends with what the column flag says."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Bits of the column flag"):
            formatter.write_dl([(f"{int(bit):>3} {bit.name}", meaning) for bit, meaning in MEANING.items()])


@command("predict", cls=_Predict)
@click.argument(
    "names", type=ModelName(ways=True), metavar="MODEL...", nargs=-1, required=True,
    help="one or several trained models (b2r, b2r/3, an exported folder); one2one: all trained models that the input "
    "serves (without any, all that ship), and their mean; best: for each galaxy the best of them that has a prediction",
)  # fmt: skip
@with_input
@click.option(
    "--output", type=PATH, required=True, metavar="Y",
    help=".parquet, .csv, .fits, .vot or .xml; .hdf5 of qp; - prints CSV, and all else on stderr",
)  # fmt: skip
@click.option(
    "--pdf", type=Choice(PDF_FORMS),
    help="distributions beside the other columns: the density on the model's grid, 21 quantiles, or all as a qp.hist "
    "ensemble for RAIL (extra rail)",
)  # fmt: skip
@click.option(
    "--limits", is_flag=True,
    help="a magnitude of 99 whose column of errors has a magnitude is fainter than that limit (BPZ, RAIL, LSST); "
    "-99 is not observed",
)  # fmt: skip
@click.option(
    "--spectrum", type=Choice(list(SPECTRUM_COLUMNS)), show_default="the one that the model learnt from",
    help="which flux of a spectrum is looked at, the survey's best fit or the observed one",
)  # fmt: skip
@click.option(
    "--tta", is_flag=True,
    help="turn and mirror each image into its eight forms and average: eight times the work, a little less error "
    "(error bars stay those without)",
)  # fmt: skip
@RUNTIME
@OVERWRITE
@click.option(
    "--engine", type=Choice(["local", "ray"]), default="local",
    help="where it runs: in this process, or in many of this machine or a cluster",
)  # fmt: skip
@click.option(
    "--address", default="", show_default="$RAY_ADDRESS, else Ray starts here", metavar="A",
    help="Ray cluster; auto: the one this machine is part of",
)  # fmt: skip
@click.option(
    "--workers", type=click.IntRange(1, 100_000), show_default="one per GPU, without any one per core",
    help="processes of --engine ray",
)  # fmt: skip
def predict(
    names: Sequence[str], output: Path, pdf: str | None, limits: bool, spectrum: str | None, tta: bool,
    runtime: str | None, overwrite: bool, engine: str, address: str, workers: int | None, **source_options: object,
) -> None:  # fmt: skip
    """Run ``zoo predict``."""
    given = (list(names), pdf, limits, spectrum, tta, runtime, overwrite, engine, address, workers, source_options)
    if str(output) != STDOUT:
        _predict(output, str(output), *given)
        return
    if pdf:
        raise OptionError(f"--output -: expected a file for --pdf {pdf}, found stdout, on which rows are CSV")
    with TemporaryDirectory(prefix="zoo-predict-") as folder:
        written = Path(folder) / "predictions.csv"
        with redirect_stdout(sys.stderr):
            _predict(written, "stdout", *given)
        sys.stdout.write(written.read_text(encoding="utf-8"))


def _predict(
    output: Path, shown: str, names: list[str], pdf: str | None, limits: bool, spectrum: str | None, tta: bool,
    runtime: str | None, overwrite: bool, engine: str, address: str, workers: int | None, source_options: dict,
) -> None:  # fmt: skip
    """Predict into a file; `shown` is what its line calls it."""
    arrow_without_pandas()
    from common.models.model import left_out, origin_notes
    from common.predict.choose import averaging, choose_models, looking_at, with_distributions, without_distributions
    from common.predict.predict import predict as run

    models, together = choose_models(names, runtime or "")
    models = looking_at(models, spectrum) if spectrum else models
    models = with_distributions(averaging(models) if tta else models, together, pdf or "", output)
    opener = input_opener(models, limits=limits, **source_options)
    source = open_input(opener)
    if together.way:
        models = [model for model in models if {item.name for item in model.inputs} & set(source.inputs)]
    of_photometry = [note for model in models for note in model.notes(source)]
    if together.way:
        print(f"{together.way}: {', '.join(f'{model.name} ({model.version})' for model in models)}")
    for note in filter(None, (*origin_notes(models), *without_distributions(models), *of_photometry)):
        print(note)
    runner = _engine(engine, opener, address, workers)
    done = run(models, source, output, overwrite=overwrite, together=together, engine=runner)
    print(f"{shown}: {done.rows:,} rows in {done.seconds:.1f} s ({done.rows / done.seconds:,.0f}/s)")
    for name, count in done.flags.items():
        if count:
            print(f"  {paint(name, YELLOW)}: {count:,}")
    for model in models:
        for note in left_out(model, done.flags.get(f"{model.name} {Flag.MISSING.name}", 0)):
            print(note)


def _engine(name: str, opener: Open, address: str, workers: int | None):
    if name == "local":
        if address or workers:
            raise OptionError("address, workers: expected --engine ray with them, found --engine local")
        return None
    from common.predict.ray_engine import on_ray

    again = functools.partial(opener, progress=False)
    return functools.partial(on_ray, opened=again, address=address, workers=workers or 0)


@command("embed")
@click.argument("name", type=ModelName(), metavar="MODEL", help="for example i2r, i2r/3, or an exported folder")
@with_input
@click.option(
    "--output", type=PATH, metavar="Y",
    help=".parquet; not needed for an SDSS-GS folder: beside its packed arrays, where zoo similar and zoo serve look",
)  # fmt: skip
@RUNTIME
@OVERWRITE
def embed(name: str, output: Path | None, runtime: str | None, overwrite: bool, **source_options) -> None:
    """Run ``zoo embed``."""
    arrow_without_pandas()
    from common.data.sources import refuse_extras
    from common.data.sources.folder import open_folder
    from common.models.opening import load
    from common.predict.embed import embed as write_features
    from common.predict.embed import embedding_of
    from sdss_gs.tables.columns import extras_of

    model = load(name, runtime or "")
    if output is not None:
        source = open_input(input_opener([model], **source_options))
        for note in model.notes(source):
            print(note)
        rows = write_features(model, source, output, overwrite=overwrite)
        print(f"{output}: {rows:,} rows")
        return
    folder, *others = source_options["paths"]
    if others or not (folder / "data.csv").is_file():
        raise OptionError("output: expected a file that ends in .parquet, since the input is no SDSS-GS folder")
    refuse_extras(folder, extras_of([], stated=source_options["stated"] or ""))
    data = open_folder(folder, tuple(model.shapes), source_options["image_scale"] or PIXEL_SCALE)
    print(embedding_of(model, data, overwrite=overwrite))


@command("similar")
@click.argument("objid", help="a galaxy of the data set or the embedding")
@click.option(
    "--model", type=ModelName(), show_default=f"{SIMILAR_MODEL}, or that of the embedding", help="trained model"
)
@click.option("--n", type=click.IntRange(1), default=12, help="galaxies")
@click.option(
    "--ds", default="", show_default="without --embedding the usual one", metavar="DS",
    help="SDSS-GS folder, for the true values too",
)  # fmt: skip
@click.option(
    "--embedding", type=PATH, show_default="computed for the data set, and kept", metavar="Y",
    help="what zoo embed wrote",
)  # fmt: skip
@RUNTIME
def similar(objid: str, model: str | None, n: int, ds: str, embedding: Path | None, runtime: str | None) -> None:
    """Run ``zoo similar``."""
    arrow_without_pandas()
    from common.predict.similar import find_similar

    print_table(find_similar(objid, n, model, ds, embedding, SIMILAR_MODEL, runtime or ""))
