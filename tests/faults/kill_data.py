"""Commands on data that are killed: pack, predict, download, build."""

import os
import signal
from unittest.mock import patch

import numpy as np
import pandas as pd
import pyarrow as pa
from conftest import survey_rows, write_survey
from helpers.misbehaving import MisbehavingServer
from helpers.zenodo import Zenodo, zipped

from common.data.sources import chunk, open_source
from common.predict import results
from sdss_gs.__main__ import main as sdss_gs
from sdss_gs.download import download
from sdss_gs.errors import OptionError
from sdss_gs.formats.raw import list_paths, probe_layout, read_file
from sdss_gs.packing import pack as packing
from sdss_gs.packing.packed import Packed, packed_folder
from sdss_gs.remote import Client
from sdss_gs.schema import INPUTS
from sdss_gs.tables.catalogue import read_catalogue

from .killing import Command, hashes

# === Pack ===


def make_set(folder):
    write_survey(folder / "ds", survey_rows(48), ("img", "fits"))
    (folder / "ds" / "img" / f"{survey_rows(1)[0]['objid']}.jpg").write_bytes(b"no image")


def pack(folder):
    with patch.object(packing, "SMALLEST_SHARD", 6 * 61 * 61 * 5 * 4):
        return sdss_gs(["pack", str(folder / "ds")])


def packed(folder):
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


def make_table(folder):
    rng = np.random.default_rng(0)
    names = [name for item in INPUTS.values() for name in item.columns]
    columns = {"objid": np.arange(3000)} | {name: rng.uniform(12, 20, 3000) for name in names}
    pd.DataFrame(columns).to_parquet(folder / "in.parquet")


def predict(ending):
    def act(folder):
        item = INPUTS["bands"]

        def work(pieces):
            for number, objects in results.unfinished(source, pieces):
                values = objects.load(item, item.shape, "").values.astype(np.float64)
                rows = pa.table({"objid": objects.ids, "redshift": values.mean(axis=1)})
                pieces.add(number, rows)
                yield len(rows)

        with patch.object(chunk, "ROWS_PER_CHUNK", 100):
            source = open_source([folder / "in.parquet"], ["bands"])
            results.write_in_pieces(source, folder / f"out{ending}", {"model": "mean"}, work, "predicting")

    return act


def predicted(ending):
    def state(folder):
        found = {path.name for path in folder.iterdir()}
        assert found == {"in.parquet", f"out{ending}"}, f"left over: {found}"
        return hashes(folder, ("in.parquet",))

    return state


def predict_again(act):
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
        return hashes(here, ("download.json", "download.lock"))

    return Command(lambda _: None, act, state), serving(server)


def build_command(_folder):
    """Return the command that builds a set, and what stops its servers."""
    # Its filters and templates take longer to import than all else.
    from helpers import heavens

    server = MisbehavingServer()
    heavens.fill(server)
    places = ["--skyserver", server.url, "--sas", f"{server.url}/sas", "--ps1", f"{server.url}/ps1"]
    haste = ["--rate", "10000", "--query-rate", "10000", "--pause", "0.01", "--timeout", "5"]

    def prepare(folder):
        (folder / "ids.txt").write_text("objid\n" + "\n".join(map(str, sorted(heavens.rows()))) + "\n")

    def act(here):
        return sdss_gs(["build", str(here / "ds"), *places, *haste, "--ids", str(here / "ids.txt")])

    def state(here):
        found = hashes(here)
        left = [name for name in found if name.endswith((".part", ".bz2", ".tmp"))]
        assert not left, f"left over: {left}"
        return {n: h for n, h in found.items() if n.endswith((".csv", ".npy", ".jpg"))}

    return Command(prepare, act, state), serving(server)


def pack_command(_folder):
    """Return the command that packs a set."""
    return Command(make_set, pack, packed), lambda: None


def predict_command(ending):
    """Return what returns the command that predicts a table into a file of this kind."""
    return lambda _folder: (Command(make_table, predict_again(predict(ending)), predicted(ending)), lambda: None)
