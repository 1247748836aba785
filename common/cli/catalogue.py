"""The commands of ``zoo``: where each is, and what its help begins with. Imports nothing, so that the help is quick."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class About:
    """A command.

    Parameters
    ----------
    section : str
        What it is for, in the help of ``zoo``.
    place : str
        Its module beside this one, and its name there.
    summary : str
        A line of the help of ``zoo``: 53 characters at most, so that it stays one in a terminal of 80.
    examples : tuple of str
        Commands that work in the zoo's folder, which has ``examples/``, where ``DS`` is a data set with all inputs.
    more : str
        The rest of what its own help says.
    """

    section: str
    place: str
    summary: str
    examples: tuple[str, ...]
    more: str = ""


FIRST = (
    "zoo predict b2r --input examples/galaxies.csv --output redshifts.csv",
    "zoo list",
    "mlflow run b2r --no-conda",
)
"""The examples in the help of ``zoo``: a prediction with a model that ships, what there is, a training of one's own."""

COMMANDS = {
    "predict": About(
        "predict", "predictions:predict", "Predict galaxies: a row each, with error bars, flags.",
        (
            "zoo predict b2r --input examples/galaxies.csv --output redshifts.csv",
            "zoo predict b2r b2c --input examples/galaxies.csv --output o.fits --pdf grid",
            "zoo predict best --input DS --output best.parquet",
        ),
    ),
    "embed": About(
        "predict", "predictions:embed", "Write what a model sees in each galaxy.",
        ("zoo embed b2r --input DS", "zoo embed b2r --input examples/galaxies.csv --output features.parquet"),
        "These are the features that feed its head.",
    ),
    "similar": About(
        "predict", "predictions:similar", "List the galaxies most like one, as a model sees them.",
        (
            "zoo similar 1237648720693755918 --ds DS --model b2r",
            "zoo similar 1 --embedding features.parquet --n 3",
        ),
    ),
    "serve": About(
        "predict", "serving:serve", "Answer over the network; show a page of galaxies.",
        ("zoo serve", "zoo serve --ds DS --models b2r b2c --port 8001"),
    ),
    "list": About(
        "look", "stored:list_models", "List the trained models: yours, and those that ship.",
        ("zoo list", "zoo list --all"),
    ),
    "info": About(
        "look", "stored:info", "Print a model's card.",
        ("zoo info b2r", "zoo info b2r@shipped"),
    ),
    "report": About(
        "look", "stored:report", "Say where a model's report is.",
        ("zoo report b2r/1", "zoo report b2r/1 --open"),
    ),
    "compare": About(
        "compare", "stored:compare", "Compare your champions: tables and pictures.",
        ("zoo compare", "zoo compare --output comparison"),
        "Each output has a table and a picture.",
    ),
    "shift": About(
        "compare", "shifting:shift", "Say how far to trust a model on another survey.",
        (
            "zoo shift b2r --input examples/galaxies.csv --reference DS",
            "zoo shift b2r/1 --input DS --truth redshift --output page --overwrite",
        ),
        "What moved, and what that does to its scores.",
    ),
    "promote": About(
        "compare", "stored:promote", "Make a version the one that is used.",
        ("zoo promote b2r/1",),
        "It is the champion then, which is used where no version is named.",
    ),
    "export": About(
        "share", "stored:export", "Write a model as a folder, for zoo or others.",
        (
            "zoo export b2r/1 b2r-model",
            "zoo export b2r/1 b2r-onnx --format onnx",
            "zoo export b2r b2c page --format page",
        ),
        "Weights, card, report, checksums.",
    ),
    "import": About(
        "share", "stored:import_model", "Add a folder that zoo export wrote.",
        ("zoo import b2r-model",),
    ),
    "data": About(
        "set up", "data:data", "Download, build, check and pack data sets.",
        (),
    ),
    "doctor": About(
        "set up", "stored:doctor", "Look for what is missing, too old, full or gone.",
        ("zoo doctor", "zoo doctor --ds DS --json"),
        "Says what mends it. Exit code 1 when something is broken.",
    ),
    "completion": About(
        "set up", "completion:completion", "Print what has a shell complete zoo's words.",
        ("zoo completion bash", "zoo completion zsh", "zoo completion fish"),
    ),
}  # fmt: skip
