"""The programs that the pages call, in this process; each takes the words of a command and the `Shell`."""

import json
import os

import numpy as np

from commands import dry, training
from common.cli.command import main as zoo_main
from sdss_gs.__main__ import main as sdss_gs_main
from sdss_gs.locate import ENVIRONMENT

HASTE = ["--rate", "10000", "--query-rate", "10000", "--pause", "0.01", "--attempts", "1"]
"""For servers that are played."""
FEWER = {"sample": ("--n", "6"), "spectra": ("--n", "6")}
ALONE = ("download", "verify", "pack", "sample")
"""Commands that would start processes for a handful of files."""


def zoo(words, shell):
    """Run ``zoo``; a service stays until the world ends."""
    if words[1:2] == ["data"]:
        return sdss_gs(words[2:], shell)
    if words[1:2] == ["serve"]:
        dry.zoo(words)
        # Loopback is all that a test may listen at, and any port that is free.
        options = [word for word in words[2:] if word not in ("--host", "0.0.0.0")]
        shell.world.said["SERVER"] = shell.world.serve(*options, here=shell.here)
        return 0
    # Of machines elsewhere there are none.
    if "ray" in words and (not shell.whole or "--address" in words):
        return dry.zoo(words, shell)
    if words[-2:] == ["--format", "page"]:
        if not shell.world.tarball.is_file():
            return dry.zoo(words, shell)
        words = [*words, "--onnxruntime-web", str(shell.world.tarball)]
    if words[1:2] == ["compare"]:
        words = [*words, "--output", "comparison"]
    if shell.world.said.get(tuple(words)) == 0:
        # Exported before any page was read, and there.
        return 0
    folder = str(shell.world.folder / "b2r-folder")
    code = zoo_main([folder if word == "b2r/" else word for word in words[1:]])
    # The verdict is the answer.
    return 0 if "--fail" in words and code == 1 and list(shell.here.glob("*-on-*.html")) else code


def sdss_gs(words, shell):
    """Run ``python -m sdss_gs``; what it would ask of servers elsewhere it asks of played ones."""
    name, *rest = words
    # What the page says must be right before anything is added to it.
    dry.sdss_gs(words)
    if name == "download" and "--from" not in rest:
        rest = [*rest, "--mirror", shell.world.zenodo]
        shell.how.append("played")
    if name == "download":
        os.environ[ENVIRONMENT] = str(shell.home / "sdss-gs")
    if name == "build":
        url = shell.world.skyserver
        rest = [*rest, "--skyserver", url, "--sas", f"{url}/sas", "--ps1", f"{url}/ps1", *HASTE]
        shell.how.append("played")
    rest += FEWER.get(name, ())
    rest += ["--processes", "1"] * (name in ALONE)
    try:
        return sdss_gs_main([name, *rest])
    finally:
        os.environ[ENVIRONMENT] = str(shell.world.folder / "DS")


def python(words, shell):
    """Run ``python``: the zoo's modules, and ``train.py``."""
    if words[1:3] == ["-m", "sdss_gs"]:
        return sdss_gs(words[3:], shell)
    if words[1] == "train.py":
        return _train(shell, shell.here.resolve(), words[2:])
    return dry.python(words, shell)


def mlflow(words, shell):
    """Run ``mlflow``: a model folder, or a prediction; what serves is only parsed."""
    if words[1] == "run":
        return _train(shell, *training.resolve(words[2:], shell.here))
    if words[1:3] == ["models", "predict"]:
        output = shell.here / "predictions.json"
        training.mlflow_cli.main([*words[1:], "-o", str(output)], standalone_mode=False)
        return 0 if np.isfinite(json.loads(output.read_text())["predictions"]).all() else 1
    return dry.mlflow(words, shell)


def _train(shell, folder, arguments):
    """Train, unless the very same has been done."""
    done = (folder, *arguments)
    whole = (shell.whole and not training.fetches(arguments)) or training.looks(folder, arguments)
    if shell.world.said.get(done) == 0:
        return 0
    code = training.run(folder, arguments, shell.here, whole)
    if whole:
        shell.world.said[done] = code
    else:
        shell.how.append("begun")
    return code


def curl(words, shell):
    """Ask a service that really runs; an answer that reports a problem is one."""
    text = " ".join(dry.quoted(word) for word in words[1:])
    address = shell.world.said.get("SERVER") if "SERVER:8000" in text else shell.world.serve()
    for name in ("http://127.0.0.1:8000", "http://SERVER:8000"):
        text = text.replace(name, address)
    return shell.sh(f"curl --silent --show-error --fail-with-body {text}")


def change_folder(words, shell):
    """Change the folder for what follows."""
    shell.here = (shell.here / words[1]).resolve()
    return 0 if shell.here.is_dir() else 1


def clone(words, shell):
    """Clone the repository, which is here."""
    return shell.sh(" ".join(["git", words[1], "--quiet", "--shared", "--no-checkout", *words[2:]]))


def nothing(words, shell):
    """Leave what would change the reader's own shell."""
    shell.how.append("dry")
    return 0


PROGRAMS = {
    "zoo": zoo, "python": python, "python3": python, "mlflow": mlflow, "curl": curl, "cd": change_folder, "git": clone,
    "make": dry.make, "pip": dry.pip, "ray": dry.ray, "export": nothing, ".": nothing, "pytest": nothing,
    "ruff": nothing,
}  # fmt: skip
