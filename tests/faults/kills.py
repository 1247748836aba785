"""Commands that are killed at random moments and begun again: in the end all is as if nothing had happened."""

import hashlib
import json
import os
import random
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

import heavens
import numpy as np
import pandas as pd
from conftest import ROOT, survey_rows, write_survey
from misbehaving import MisbehavingServer
from test_download import Zenodo, zipped

from common import results
from common.sources import chunk, open_source
from sdss_gs import pack as packing
from sdss_gs.__main__ import main as sdss_gs
from sdss_gs.catalogue import read_catalogue
from sdss_gs.download import download
from sdss_gs.errors import OptionError
from sdss_gs.packed import Packed, packed_folder
from sdss_gs.raw import list_paths, probe_layout, read_file
from sdss_gs.remote import Client
from sdss_gs.schema import INPUTS

FIXTURE = Path(__file__).resolve().parent.parent / "fixtures" / "b2r"
LONGEST = 300
"""Seconds after which a command that was begun again is given up."""


@dataclass(frozen=True)
class Command:
    """Something to be killed.

    Parameters
    ----------
    prepare : callable
        Takes an empty folder and makes in it what the command needs.
    act : callable
        Takes the folder.
    state : callable
        Takes the folder and returns what a user gets, comparable; asserts that nothing else is left.
    """

    prepare: Callable[[Path], None]
    act: Callable[[Path], None]
    state: Callable[[Path], object]


@dataclass
class Killed:
    """How many runs were killed and how many of those survived; what went wrong."""

    kills: int = 0
    too_late: int = 0
    faults: list[str] = field(default_factory=list)


def kill_often(command, kills, folder, seed=0):
    """Kill a command so many times, one to three times in a row, and compare the end with an uninterrupted run.

    Parameters
    ----------
    command : Command
    kills : int
    folder : Path
        To work in.
    """
    rng, done = random.Random(seed), Killed()
    (folder / "original").mkdir(parents=True)
    command.prepare(folder / "original")
    whole = _fresh(folder, "whole")
    began = time.monotonic()
    code = _run(command.act, whole, None)
    seconds = time.monotonic() - began
    assert code == 0, f"the uninterrupted run ended with {code}"
    expected = command.state(whole)
    while done.kills < kills:
        here = _fresh(folder, "killed")
        moments = []
        for _ in range(rng.choice((1, 1, 2, 3))):
            moments.append(rng.uniform(0, 0.95 * seconds))
            if _run(command.act, here, moments[-1]) == -signal.SIGKILL:
                done.kills += 1
            else:
                done.too_late += 1
        code = _run(command.act, here, LONGEST)
        try:
            assert code == 0, f"the run after the kill ended with {code}"
            found = command.state(here)
            others = [key for key in found if found[key] != expected.get(key)] if isinstance(found, dict) else []
            others += [key for key in expected if key not in found] if isinstance(expected, dict) else []
            assert found == expected, f"the result differs from the uninterrupted one {others[:5]}"
        except Exception:
            done.faults.append(f"killed after {moments} of {seconds:.2f} s: {traceback.format_exc(limit=-1)}")
    return done


def _fresh(folder, name):
    shutil.rmtree(folder / name, ignore_errors=True)
    shutil.copytree(folder / "original", folder / name)
    return folder / name


def _run(act, folder, seconds):
    """Run in a process of its own, killed after so many seconds; return its exit code, negative for a signal."""
    sys.stdout.flush()
    child = os.fork()
    if not child:
        code = 1
        try:
            quiet = os.open(os.devnull, os.O_WRONLY)
            os.dup2(quiet, 1)
            if "FAULTS_SHOW" not in os.environ:
                os.dup2(quiet, 2)
            code = int(act(folder) or 0)
        except BaseException:
            traceback.print_exc()
        os._exit(code)
    end = None if seconds is None else time.monotonic() + seconds
    while True:
        found, status = os.waitpid(child, os.WNOHANG if end else 0)
        if found:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > end:
            os.kill(child, signal.SIGKILL)
            return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        time.sleep(0.0005)


def _hashes(folder, without=()):
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name not in without:
            found[str(path.relative_to(folder))] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


# === Pack ===


def _make_set(folder):
    write_survey(folder / "ds", survey_rows(48), ("img", "fits"))
    (folder / "ds" / "img" / f"{survey_rows(1)[0]['objid']}.jpg").write_bytes(b"no image")


def _pack(folder):
    with patch.object(packing, "SMALLEST_SHARD", 6 * 61 * 61 * 5 * 4):
        return sdss_gs(["pack", str(folder / "ds")])


def _packed(folder):
    found = {}
    objid = read_catalogue(folder / "ds").objid
    for name in ("img", "fits"):
        target = packed_folder(folder / "ds") / name
        packed = Packed(target)
        rows, _ = packed.locate(objid)
        paths = list_paths(folder / "ds", name)
        layout = probe_layout(name, list(paths.values()))
        for number, array in zip(objid[rows >= 0].tolist(), packed.take(rows[rows >= 0]), strict=True):
            assert np.array_equal(array, read_file(name, paths[number], layout)), f"{name} {number} differs"
        named = {"lock", "manifest.json", packed.manifest.index, *(shard for shard, _ in packed.manifest.shards)}
        left = {path.name for path in target.iterdir()} - named
        assert not left, f"left over: {left}"
        found[name] = (rows >= 0).tolist(), sorted(packed.manifest.rejects)
    assert not list(packed_folder(folder / "ds").glob("*.part")), "left over beside the inputs"
    return found


# === Predict ===


def _make_table(folder):
    rng = np.random.default_rng(0)
    names = [name for item in INPUTS.values() for name in item.columns]
    columns = {"objid": np.arange(3000)} | {name: rng.uniform(12, 20, 3000) for name in names}
    pd.DataFrame(columns).to_parquet(folder / "in.parquet")


def _predict(ending):
    def act(folder):
        item = INPUTS["bands"]

        def work(pieces):
            for number, objects in results.unfinished(source, pieces):
                values = objects.load(item, item.shape, "").values.astype(np.float64)
                rows = pd.DataFrame({"objid": objects.ids.to_pandas().to_numpy(), "redshift": values.mean(axis=1)})
                pieces.add(number, rows)
                yield len(rows)

        with patch.object(chunk, "ROWS_PER_CHUNK", 100):
            source = open_source([folder / "in.parquet"], ["bands"])
            results.write_in_pieces(source, folder / f"out{ending}", {"model": "mean"}, work, "predicting")

    return act


def _predicted(ending):
    def state(folder):
        found = {path.name for path in folder.iterdir()}
        assert found == {"in.parquet", f"out{ending}"}, f"left over: {found}"
        return _hashes(folder, ("in.parquet",))

    return state


def _act_again(act):
    """Predict; a command that was killed after its last step may say that its output is there."""

    def again(folder):
        try:
            act(folder)
        except OptionError as error:
            if "there is such a file already" not in str(error):
                raise

    return again


# === Download and build, from servers of their own process ===


def serving(server):
    """Let a server answer in a process of its own until `stop` is called; forked before this one has threads."""
    child = os.fork()
    if not child:
        try:
            server.serve_forever()
        finally:
            os._exit(0)

    def stop():
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        server.server_close()

    return stop


def download_command(folder):
    """Return the command that downloads a set, and what stops its server."""
    made = write_survey(folder / "made", survey_rows(40), ("img", "fits", "spectra"))
    archives = {"data.csv": (made / "data.csv").read_bytes()}
    archives |= {f"sdss-gs_{name}.zip": zipped(made, "", [name]) for name in ("img", "fits", "spectra")}
    server = Zenodo().publish(6393488, "1.0", archives)

    def act(here):
        client = Client(attempts=3, backoff=0.01, timeout=(5, 5), at_once=3)
        download(here / "ds", host=server.url, client=client, say=lambda _: None)

    def state(here):
        return _hashes(here, ("download.json", "download.lock"))

    return Command(lambda _: None, act, state), serving(server)


def build_command(_folder):
    """Return the command that builds a set, and what stops its servers."""
    server = MisbehavingServer()
    heavens.fill(server)
    places = ["--skyserver", server.url, "--sas", f"{server.url}/sas", "--ps1", f"{server.url}/ps1"]
    haste = ["--rate", "10000", "--query-rate", "10000", "--pause", "0.01", "--timeout", "5"]

    def prepare(folder):
        (folder / "ids.txt").write_text("objid\n" + "\n".join(map(str, sorted(heavens.rows()))) + "\n")

    def act(here):
        return sdss_gs(["build", str(here / "ds"), *places, *haste, "--ids", str(here / "ids.txt")])

    def state(here):
        found = _hashes(here)
        left = [name for name in found if name.endswith((".part", ".bz2", ".tmp"))]
        assert not left, f"left over: {left}"
        return {n: h for n, h in found.items() if n.endswith((".csv", ".npy", ".jpg"))}

    return Command(prepare, act, state), serving(server)


# === Models: these need TensorFlow, which is imported once, before anything is forked ===


def _in_store(folder):
    os.chdir(folder)
    os.environ |= {"MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db", "MLFLOW_DISABLE_TELEMETRY": "true"}


def import_command(_folder):
    """Return the command that adds an exported model to an empty store."""
    from common import library

    def prepare(folder):
        shutil.copytree(FIXTURE, folder / "b2r")
        description = json.loads((folder / "b2r" / "zoo.json").read_text())
        for name in library.CARDS:
            (folder / "b2r" / name).write_text("{}")
            description["files"][name] = hashlib.sha256(b"{}").hexdigest()
        (folder / "b2r" / "zoo.json").write_text(json.dumps(description))

    def act(here):
        _in_store(here)
        library.take_in(here / "b2r")

    return Command(prepare, act, _in_child(_registered)), lambda: None


def export_command(_folder):
    """Return the command that writes a model of the store as a folder."""
    from common import library

    prepare, take_in, _ = vars(import_command(_folder)[0]).values()
    store = _folder / "store"
    store.mkdir()
    prepare(store)
    assert _run(take_in, store, LONGEST) == 0

    def act(here):
        _in_store(store)
        if not (here / "exported").exists():
            library.export("b2r", here / "exported")

    def state(here):
        found = _hashes(here)
        assert all(name.startswith("exported/") for name in found), f"left over: {sorted(found)}"
        return found

    return Command(lambda _: None, act, state), lambda: None


def train_command(_folder):
    """Return the command that trains b2r, or goes on with the run that was killed."""
    from mlflow import MlflowClient
    from test_networks import architectures_of

    from common import train

    def prepare(folder):
        write_survey(folder / "ds", survey_rows(300))
        (folder / "b2r").mkdir()
        for name in ("MLproject", "train.py"):
            shutil.copy(ROOT / "b2r" / name, folder / "b2r")

    def act(here):
        _in_store(here)
        arguments = ["--ds", str(here / "ds"), "--epochs", "25", "--batch_size", "32"]
        begun = [run for run in MlflowClient().search_runs(["0"]) if run.info.status == "RUNNING"]
        for run in begun[:1]:
            # What a user would type; a run that was killed before its first epoch ended has nothing to go on from.
            if train._run(here / "b2r", architectures_of("b2r"), ["--resume", run.info.run_id, *arguments[:2]]) == 0:
                return 0
            MlflowClient().set_terminated(run.info.run_id, "KILLED")
        return train._run(here / "b2r", architectures_of("b2r"), arguments)

    return Command(prepare, act, _in_child(_registered)), lambda: None


def _registered(folder):
    """Open every version that the store lists, and the champion; return what the champion predicts."""
    from mlflow import MlflowClient

    from common.opening import load

    _in_store(folder)
    magnitudes = np.array([[18.5, 17.2, 16.5, 16.1, 15.8]], np.float32)
    versions = MlflowClient().search_model_versions("name='b2r'")
    assert versions, "nothing is registered"
    found = [load(f"b2r/{version.version}").predict(magnitudes) for version in versions]
    assert all(one.equals(found[0]) for one in found)
    return load("b2r").predict(magnitudes).to_json()


def _in_child(state):
    """Look at what is there in a process of its own: this one must not begin to calculate before it forks."""

    def look(folder):
        (folder / "state.json").unlink(missing_ok=True)
        code = _run(lambda here: (here / "state.json").write_text(state(here)) and 0, folder, LONGEST)
        assert code == 0, "what is there cannot be opened"
        return (folder / "state.json").read_text()

    return look


def _plain(command):
    return lambda _folder: (command, lambda: None)


COMMANDS = {
    "pack": _plain(Command(_make_set, _pack, _packed)),
    **{
        f"predict into {ending}": _plain(Command(_make_table, _act_again(_predict(ending)), _predicted(ending)))
        for ending in (".parquet", ".csv", ".fits")
    },
    "download": download_command,
    "build": build_command,
    "zoo import": import_command,
    "zoo export": export_command,
    "train": train_command,
}


def kill_command(name, kills, folder, seed=0):
    """Kill one of `COMMANDS` so many times."""
    folder.mkdir(parents=True, exist_ok=True)
    command, stop = COMMANDS[name](folder)
    try:
        return kill_often(command, kills, folder / "work", seed)
    finally:
        stop()
