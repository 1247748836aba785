"""Where the commands of the pages are typed: a repository, a store with models, data, and servers on loopback."""

import ast
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from functools import cached_property
from pathlib import Path

import mlflow
from conftest import ROOT
from helpers import heavens
from helpers.exported import exported_folder
from helpers.misbehaving import MisbehavingServer
from helpers.trained import by_hand, several_by_hand
from helpers.zenodo import Zenodo, zipped
from mlflow import MlflowClient

from commands import data
from commands.runner import Shell
from common.elsewhere import web_runtime
from common.models.library import import_model
from sdss_gs.schema import INPUTS, parse_model_name

BIN = Path(sys.executable).parent
OF_REPOSITORY = ("Makefile", "setup.py", "requirements-predict.txt", "examples", "docs", "weights", "benchmarks")
BY_HAND = ("i2r", "i2g", "i2c")
TARBALL = web_runtime.RUNTIME.cached()
"""npm's package for pages, where it was fetched once; asked before the world has a cache of its own."""
TRAINED = ("mlflow run b2r --no-conda", "mlflow run i2c -P ds=DS -P target=shape --no-conda")
EXPORTED = (
    "zoo export b2r b2r-onnx --format onnx", "zoo export b2r b2r-tf --format saved_model", "zoo export b2r b2r-folder"
)  # fmt: skip
"""What is there before a page is read; a page that says the same is not tried again."""
SMALL_PICTURE = "keras.layers.Dense(4)(keras.layers.GlobalAveragePooling2D()(x))"
SMALL_SPECTRUM = "keras.layers.Dense(4)(x)"
"""Features of images, cut-outs and spectra that cost nothing: what is tried is the command, not the network."""


class World:
    """All that the pages name, made once; `close` ends its servers.

    Parameters
    ----------
    folder : Path
        Empty.
    """

    def __init__(self, folder):
        self.folder, self.repository = folder, folder / "zoo"
        self.store = f"sqlite:///{self.repository}/mlflow.db"
        self.services, self.servers, self.said, self.tarball = {}, [], {}, TARBALL
        data.everything(folder)
        self._write_repository()

    def environment(self):
        """The variables of whoever types the commands."""
        named = {"MLFLOW_TRACKING_URI": self.store, "SDSS_GS": str(self.folder / "DS"), "HOME": str(self.folder)}
        named |= {"XDG_CACHE_HOME": str(self.folder / "cache"), "MLFLOW_DISABLE_TELEMETRY": "true"}
        return named | {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}

    def _write_repository(self):
        self.repository.mkdir()
        for name in OF_REPOSITORY:
            (self.repository / name).symlink_to(ROOT / name)
        shutil.copy(ROOT / "conda.yaml", self.repository)
        for path in ROOT.glob("*/MLproject"):
            folder = self.repository / path.parent.name
            folder.mkdir()
            shutil.copy(path, folder)
            (folder / "train.py").write_text(small(path.with_name("train.py")))

    def fill_store(self):
        """Train a model of magnitudes, three versions of it, and one of a label; others are made by hand."""
        mlflow.set_tracking_uri(self.store)
        shell = Shell(self, self.place("first"), whole=True)
        for command in TRAINED:
            outcome = shell.type(command)
            assert outcome.code == 0, outcome.text
        client = MlflowClient()
        first = client.get_model_version("b2r", "1")
        for _ in range(2):
            mlflow.register_model(first.source, "b2r", tags=first.tags)
        for model in [*(by_hand(name) for name in BY_HAND), several_by_hand()]:
            import_model(Path(exported_folder(self.folder / "exported" / model.name, model)))
        for command in EXPORTED:
            assert shell.type(command).code == 0
            self.said[tuple(command.split())] = 0
        for path in [*shell.here.glob("b2r*/b2r.onnx"), *shell.here.glob("b2r-*")]:
            path.rename(self.folder / path.name)

    def place(self, name):
        """Make a folder to type in: the repository's, with all files that a page may name."""
        here = self.folder / "typed" / name
        here.mkdir(parents=True)
        for path in [*self.repository.iterdir(), *self.folder.iterdir()]:
            wanted = path.is_file() or path.parent == self.repository or path.name in ("images", "shards", "b2r-tf")
            if wanted and not path.name.startswith((".", "mlflow.db", "mlruns")):
                (here / path.name).symlink_to(path)
        return here

    @cached_property
    def zenodo(self):
        """The address of a Zenodo that has one version."""
        server, survey = Zenodo(), self.folder / "FEW"
        archives = {"data.csv": (survey / "data.csv").read_bytes()}
        archives |= {f"sdss-gs_{name}.zip": zipped(survey, "", [name]) for name in INPUTS if (survey / name).is_dir()}
        self.servers.append(server.__enter__())
        return server.publish(6393488, "1.0", archives).url

    @cached_property
    def skyserver(self):
        """The address of the survey's servers."""
        server = MisbehavingServer()
        self.servers.append(server.__enter__())
        heavens.fill(server)
        return server.url

    def serve(self, *options, here=None):
        """Start ``zoo serve``, unless it runs with these options; return its address."""
        if options not in self.services:
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                port = probe.getsockname()[1]
            command = [sys.executable, "-m", "common.cli.command", "serve", *options, "--port", str(port)]
            with open(self.folder / f"service-{port}.txt", "w") as log:
                process = subprocess.Popen(
                    command, cwd=here or self.folder, env=self.environment(), stdout=log, stderr=log
                )
            address = f"http://127.0.0.1:{port}"
            _wait(address, process, Path(log.name))
            self.services[options] = (address, process)
        return self.services[options][0]

    def close(self):
        """End what was started."""
        for _, process in self.services.values():
            process.terminate()
            process.wait(timeout=30)
        for server in self.servers:
            server.__exit__(None, None, None)


def _wait(address, process, log):
    deadline = time.monotonic() + 60
    while True:
        try:
            urllib.request.urlopen(f"{address}/models", timeout=20).close()
            return
        except urllib.error.HTTPError as error:
            # Whoever has no token is told so: it runs.
            error.close()
            return
        except OSError:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)


def small(path):
    """The text of a train.py with the same functions; those that see images, cut-outs or spectra are small."""
    text, name = path.read_text(), path.parent.name
    if name == "x2y" or parse_model_name(name)[0].columns:
        return text
    tree, body = ast.parse(text), SMALL_PICTURE if len(parse_model_name(name)[0].shape) == 3 else SMALL_SPECTRUM
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            node.body = ast.parse(f"x = {node.args.args[0].arg}\nreturn {body}").body
    tree.body.insert(1, ast.parse("from common.backend import keras").body[0])
    return ast.unparse(tree)
