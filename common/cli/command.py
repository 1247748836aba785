"""The command ``zoo``: use trained models without writing a line of Python.

The commands import what they need themselves, so that ``--help`` answers at once.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from common.cli.terminal import AMOUNT, PATH, amount_options, command, print_table
from common.runs.failures import report
from common.runs.store_location import REPOSITORY
from sdss_gs import logs

MODEL = click.argument("model", help="for example i2r, i2r/3, i2r@shipped")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code: 0, 1 for an error, 2 for a wrong option, 130 when interrupted."""
    logs.set_up()
    try:
        # Not zoo.main(), which has exit codes of its own for a closed pipe and for an interruption.
        given = list(sys.argv[1:] if arguments is None else arguments)
        # The object that commands share says whether this process is theirs alone.
        with zoo.make_context("zoo", given, obj=arguments is None) as context:
            code = zoo.invoke(context)
        sys.stdout.flush()
        return code or 0
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except BrokenPipeError:
        # The reader, head for instance, has seen enough; Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        return report(error)
    except KeyboardInterrupt:
        print("\ninterrupted; what is finished is kept, the same command goes on", file=sys.stderr)
        return 130


@command("list")
@click.option("--all", "everything", is_flag=True, help="also the model folders without one, and why")
def _list(everything: bool) -> None:
    """List the trained models: yours, and those that come with the zoo."""
    from common.models.library import champions
    from common.models.shipped import MARK, shipped_models, without_model

    yours, shipped = champions(), shipped_models()
    if yours:
        lines = [(entry.name, entry.version, entry.score, entry.data) for entry in yours]
        print_table([("yours", "version", "test score", "data"), *lines])
    else:
        print("No trained model in this store yet: mlflow run b2r --no-conda trains one in a minute.")
    names = {entry.name for entry in yours}
    if shipped:
        lines = [
            (f"{name}{MARK}" if name in names else name, about.score, about.learnt_from, about.licence)
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
def _info(model: str) -> None:
    """Print a model's card."""
    from common.models.library import artifact

    print(artifact(model, "card.md").read_text())


@command("report")
@MODEL
@click.option("--open", "show", is_flag=True, help="show it in the browser")
def _report(model: str, show: bool) -> None:
    """Say where a model's report is."""
    from common.models.library import artifact
    from common.runs.store_location import REPORT

    path = artifact(model, REPORT).resolve()
    print(path)
    if show:
        click.launch(path.as_uri())


@command("compare")
@click.option("--output", type=PATH, default=REPOSITORY / "comparison", metavar="FOLDER", help="folder to write")
@click.option("--insert", "page", type=PATH, metavar="FILE", help="Markdown file whose marked part the tables replace")
def _compare(output: Path, page: Path | None) -> None:
    """Compare the champions of all models. Each output has a table and a picture."""
    from common.judge.compare import insert, write
    from common.runs.store_location import use_store

    use_store()
    text = write(output)
    if page:
        insert(page, text)
    print(f"{text}\n{output}/comparison.html")


@command("export")
@click.argument("models", metavar="MODEL...", nargs=-1, required=True, help="for example i2r, i2r/3; several: a page")
@click.argument("folder", type=PATH)
@click.option(
    "--format", "form", type=click.Choice(["zoo", "onnx", "saved_model", "page"]), default="zoo",
    help="zoo: what zoo import takes; onnx, saved_model: for other programs; page: static files that predict in a "
    "browser",
)  # fmt: skip
@click.option(
    "--onnxruntime-web", "runtime", type=PATH, metavar="FILE", show_default="fetched once from npm's registry",
    help="npm's package for a page, on machines without network",
)  # fmt: skip
def _export(models: tuple[str, ...], folder: Path, form: str, runtime: Path | None) -> None:
    """Write a model as a folder: weights, card, report, checksums. Or for other programs."""
    if form != "zoo":
        from common.elsewhere.export import export_elsewhere

        print(export_elsewhere(models, folder, form, runtime))
        return
    from common.models.library import export

    if len(models) > 1 or runtime:
        raise click.UsageError("expected one model and no --onnxruntime-web for --format zoo")
    print(export(models[0], folder))


@command("import")
@click.argument("folder", type=PATH)
def _import(folder: Path) -> None:
    """Add a folder that zoo export wrote to the store."""
    from common.models.library import import_model

    address, said = import_model(folder)
    print(address)
    # A script takes the address from stdout.
    print(said, file=sys.stderr)


@command("promote")
@click.argument("model", metavar="NAME/VERSION")
def _promote(model: str) -> None:
    """Make a version, such as b2r/4, the champion: the one that is used where none is named."""
    from common.models.champion import promote

    print(promote(model))


@command("doctor", epilog="Exit code 1 when something is broken.")
@click.option("--ds", default="", show_default="the usual one", metavar="FOLDER", help="data set")
@click.option("--json", "as_json", is_flag=True, help="print JSON instead of lines")
@click.option("--thorough", is_flag=True, help="also load TensorFlow and open every champion: seconds")
def _doctor(ds: str, as_json: bool, thorough: bool) -> int:
    """Look for what is missing, too old, full or gone. Says what mends it."""
    import json

    from common.cli.doctor import as_data, as_text, broken, examine

    findings = examine(ds, thorough)
    print(json.dumps(as_data(findings), indent=1) if as_json else as_text(findings))
    return 1 if broken(findings) else 0


@click.command(
    "data", add_help_option=False, context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False}
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def _data(context: click.Context, arguments: Sequence[str]) -> int:
    """Download, build, check and pack data sets: python -m sdss_gs."""
    from sdss_gs.__main__ import main as data

    amount = [context.meta[AMOUNT]] if AMOUNT in context.meta else []
    return data([*amount, *arguments], "zoo data")


class Zoo(click.Group):
    """All of the commands; those that run models are imported when one of them, or the help, is asked for."""

    def _add_others(self) -> None:
        from common.cli.predictions import embed, predict, similar
        from common.cli.serving import serve
        from common.cli.shifting import shift

        for other in (predict, embed, similar, shift, serve):
            self.add_command(other)

    def list_commands(self, context: click.Context) -> list[str]:
        """List the names of the commands, as the help shows them."""
        self._add_others()
        return super().list_commands(context)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        """Return a command by its name."""
        if name not in self.commands:
            self._add_others()
        return super().get_command(context, name)


zoo = Zoo(
    "zoo",
    help="Use trained models: redshifts, stellar masses, sub-classes and morphologies, with error bars.",
    params=amount_options(),
    commands=[_list, _info, _report, _compare, _export, _import, _promote, _doctor, _data],
    no_args_is_help=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120, "show_default": True},
)

if __name__ == "__main__":
    sys.exit(main())
