"""The commands about trained models that are there: list, show, compare, promote, export and import them; doctor.

They import what they need themselves, so that ``--help`` answers at once.
"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from common.cli.terminal import PATH, Choice, command
from common.cli.words import ModelName
from common.runs.store_location import REPOSITORY
from sdss_gs.terminal import print_table

MODEL = click.argument("model", type=ModelName(), help="for example i2r, i2r/3, i2r@shipped")


@command("list")
@click.option("--all", "everything", is_flag=True, help="also the model folders without one, and why")
def list_models(everything: bool) -> None:
    """Run ``zoo list``."""
    from common.models.library import champions
    from common.models.shipped import MARK, shipped_models, without_model

    yours, shipped = champions(), shipped_models()
    if yours:
        lines = [(entry.name, entry.version, entry.score, entry.data) for entry in yours]
        print_table([("yours", "version", "test score", "data"), *lines])
    else:
        print("No trained model in this store yet: mlflow run b2r --no-conda trains one in a minute.")
    names = {entry.name for entry in yours}
    if back := [entry for entry in yours if entry.address != entry.name]:
        trials, plain = ", ".join(entry.address for entry in back), ", ".join(entry.name for entry in back)
        print(f"{trials}: learnt from synthetic galaxies, and opened by this name; {plain} alone: shipped")
    if shipped:
        first = {entry.name for entry in yours if entry.address == entry.name}
        lines = [
            (f"{name}{MARK}" if name in first else name, about.score, about.learnt_from, about.licence)
            for name, about in shipped.items()
        ]
        print()
        print_table([("shipped", "test score", "learnt from", "licence"), *lines])
    if everything:
        folders = sorted(path.parent.name for path in REPOSITORY.glob("*/MLproject"))
        if lacking := [name for name in folders if name not in names | set(shipped)]:
            print()
            print_table([("no model", ""), *without_model(lacking)])


@command("info")
@MODEL
def info(model: str) -> None:
    """Run ``zoo info``."""
    from common.models.library import artifact

    print(artifact(model, "card.md").read_text())


@command("report")
@MODEL
@click.option("--open", "show", is_flag=True, help="show it in the browser")
def report(model: str, show: bool) -> None:
    """Run ``zoo report``."""
    from common.models.library import artifact
    from common.runs.store_location import REPORT

    path = artifact(model, REPORT).resolve()
    print(path)
    if show:
        click.launch(path.as_uri())


@command("compare")
@click.option("--output", type=PATH, default=REPOSITORY / "comparison", metavar="FOLDER", help="folder to write")
@click.option("--insert", "page", type=PATH, metavar="FILE", help="Markdown file whose marked part the tables replace")
def compare(output: Path, page: Path | None) -> None:
    """Run ``zoo compare``."""
    from common.judge.compare import insert, write
    from common.runs.store_location import use_store

    use_store()
    text = write(output)
    if page:
        insert(page, text)
    print(f"{text}\n{output}/comparison.html")


@command("export")
@click.argument(
    "models",
    type=ModelName(),
    metavar="MODEL...",
    nargs=-1,
    required=True,
    help="for example i2r, i2r/3; several: a page",
)
@click.argument("folder", type=PATH)
@click.option(
    "--format", "form", type=Choice(["zoo", "onnx", "saved_model", "page"]), default="zoo",
    help="zoo: what zoo import takes; onnx, saved_model: for other programs; page: static files that predict in a "
    "browser",
)  # fmt: skip
@click.option(
    "--onnxruntime-web", "runtime", type=PATH, metavar="FILE", show_default="fetched once from npm's registry",
    help="npm's package for a page, on machines without network",
)  # fmt: skip
def export(models: tuple[str, ...], folder: Path, form: str, runtime: Path | None) -> None:
    """Run ``zoo export``."""
    if form != "zoo":
        from common.elsewhere.export import export_elsewhere

        print(export_elsewhere(models, folder, form, runtime))
        return
    from common.models import library

    if len(models) > 1 or runtime:
        raise click.UsageError("expected one model and no --onnxruntime-web for --format zoo")
    print(library.export(models[0], folder))


@command("import")
@click.argument("folder", type=PATH)
def import_model(folder: Path) -> None:
    """Run ``zoo import``."""
    from common.models import library

    address, said = library.import_model(folder)
    print(address)
    # A script takes the address from stdout.
    print(said, file=sys.stderr)


@command("promote")
@click.argument("model", type=ModelName(), metavar="NAME/VERSION", help="for example b2r/4")
def promote(model: str) -> None:
    """Run ``zoo promote``."""
    from common.models import champion

    print(champion.promote(model))


@command("doctor")
@click.option("--ds", default="", show_default="the usual one", metavar="FOLDER", help="data set")
@click.option("--json", "as_json", is_flag=True, help="print JSON instead of lines")
@click.option("--thorough", is_flag=True, help="also load TensorFlow and open every champion: seconds")
def doctor(ds: str, as_json: bool, thorough: bool) -> int:
    """Run ``zoo doctor``."""
    import json

    from common.cli.doctor import as_data, as_text, broken, examine

    findings = examine(ds, thorough)
    print(json.dumps(as_data(findings), indent=1) if as_json else as_text(findings))
    return 1 if broken(findings) else 0
