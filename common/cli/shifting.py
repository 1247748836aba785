"""The command ``zoo shift``: how far a trained model can be trusted on another survey."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from common.cli.inputs import OVERWRITE, RUNTIME, input_opener, open_input, with_input
from common.cli.terminal import PATH, command
from common.cli.words import ModelName
from sdss_gs.errors import OptionError


@command("shift", epilog="docs/howto/fine_tune.md says how to read the page, and what the JSON holds.")
@click.argument("name", type=ModelName(), metavar="MODEL", help="for example b2r, b2r/3, or an exported folder")
@with_input
@click.option(
    "--truth", multiple=True, metavar="COLUMN", show_default="the output's own column, where there is one",
    help="true values: a column of the catalogue, or of data.csv; of a model with several outputs redshift=COLUMN",
)  # fmt: skip
@click.option(
    "--reference", type=PATH, metavar="FOLDER", show_default="the sample that is stored with the model",
    help="data set of the survey that the model learnt from: its validation and test objects",
)  # fmt: skip
@click.option(
    "--output", type=PATH, metavar="PREFIX", show_default="MODEL-on-X",
    help="PREFIX.html and PREFIX.json are written",
)  # fmt: skip
@click.option("--limits", is_flag=True, help="as for zoo predict")
@click.option("--fail", is_flag=True, help="exit code 1 unless the verdict is: use")
@RUNTIME
@OVERWRITE
def shift(
    name: str, truth: Sequence[str], reference: Path | None, output: Path | None, limits: bool, fail: bool,
    runtime: str | None, overwrite: bool, **source_options,
) -> int:  # fmt: skip
    """Run ``zoo shift``."""
    from common.models.opening import load
    from common.shift.diagnose import diagnose, stored_reference
    from common.shift.labels import read_truths
    from common.shift.report import as_data, as_text, write
    from common.shift.survey import look_at

    paths = source_options["paths"]
    prefix = output or Path(f"{name.replace('/', '-').strip('-')}-on-{paths[0].resolve().name.partition('.')[0]}")
    written = [Path(f"{prefix}{ending}") for ending in (".html", ".json")]
    if not overwrite and (there := [path for path in written if path.exists()]):
        raise OptionError(f"output {there[0]}: expected a new file, found one; --overwrite replaces it")
    model = load(name, runtime or "")
    if reference is None:
        sample = stored_reference(model)
    else:
        from common.shift.from_folder import reference_of_folder

        sample = reference_of_folder(model, reference)
    source = open_input(input_opener([model], limits=limits, **source_options))
    survey = look_at(model, source, sample.basis)
    truths, notes = read_truths(model, survey.count, paths, truth, source_options["table"])
    notes = [*model.notes(source), *notes]
    for note in notes:
        print(note)
    found = diagnose(model, sample, survey, truths)
    start = f"{model.name}/{model.version}" if model.version.isdecimal() and not Path(name).is_dir() else name
    data = as_data(found, start, str(paths[0]), notes)
    print(as_text(data))
    for path in write(found, data, prefix):
        print(path)
    return int(fail and found.verdict.level > 0)
