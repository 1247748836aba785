"""Models for other programs: what the files say alone is what ``zoo predict`` says."""

import base64
import csv
import hashlib
import io
import json
import re
import shutil
import subprocess
import sys
import tarfile
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import onnxruntime
import pytest
from conftest import ROOT
from helpers import needed
from helpers.distributed import distributed_by_hand
from helpers.exported import exported_folder
from helpers.trained import by_hand, several_by_hand

from common.backend import tf
from common.cli.command import main
from common.elsewhere import npm, web_runtime
from common.elsewhere.description import describe_output
from common.outputs.kinds import kind_of
from sdss_gs.download.unpack import unpack
from sdss_gs.files import sha256
from sdss_gs.schema import OUTPUTS

TARBALL = web_runtime.RUNTIME.cached()
"""Where ``.ci/run`` puts npm's package; asked before a test has a cache of its own."""
DOCUMENT = (ROOT / "docs" / "howto" / "elsewhere.md").read_text()
GALAXY = "u,g,r,i,z\n18.5,17.2,16.5,16.1,15.8\n"


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    """Folders of models, by name."""
    home = tmp_path_factory.mktemp("shelf")
    models = [by_hand(name) for name in ("b2r", "b2c", "b2sm", "s2r")] + [several_by_hand()]
    models += [
        replace(distributed_by_hand("b2r", count), name=f"b2r-{kind}")
        for kind, count in (("binned", 0), ("mixture", 2))
    ]
    return {model.name: exported_folder(home / model.name, model) for model in models}


def predicted(folder, source, out):
    """Rows that ``zoo predict`` writes."""
    assert main(["predict", folder, "--input", str(source), "--output", str(out), "--overwrite"]) == 0
    with open(out, newline="") as file:
        return list(csv.DictReader(file))


def said_by(session):
    return json.loads(session.get_modelmeta().custom_metadata_map["zoo"])


def example(language):
    return re.search(rf"^```{language}\n(.*?)^```", DOCUMENT, re.MULTILINE | re.DOTALL)[1]


def compare(answer, row, tolerance=1e-5):
    for name, value in answer.items():
        assert value == pytest.approx(float(row[name]), abs=tolerance), name


def test_examples_of_the_document_are_short():
    for language in ("python", "js"):
        assert len(example(language).splitlines()) <= 30


@pytest.mark.parametrize("name", ["b2r-binned", "b2r-mixture"])
@pytest.mark.parametrize("language", ["python", "js"])
def test_examples_of_the_document_give_what_zoo_predict_gives(shelf, tmp_path, language, name):
    assert main(["export", shelf[name], str(tmp_path / "out"), "--format", "onnx"]) == 0
    (tmp_path / "out" / f"{name}.onnx").rename(tmp_path / "out" / "b2r.onnx")
    if language == "js":
        unpack(needed.fetched(TARBALL), tmp_path / "npm", wanted=lambda path: path.suffix in (".mjs", ".wasm", ".json"))
        (tmp_path / "out" / "node_modules").mkdir()
        (tmp_path / "npm" / "package").rename(tmp_path / "out" / "node_modules" / "onnxruntime-web")
    program, ending = {"python": (sys.executable, "py"), "js": ("node", "mjs")}[language]
    program = needed.program(program)
    (tmp_path / "out" / f"example.{ending}").write_text(example(language))
    command = [program, *(["-I"] if language == "python" else []), f"example.{ending}"]
    done = subprocess.run(command, cwd=tmp_path / "out", capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (tmp_path / "one.csv").write_text(GALAXY)
    (row,) = predicted(shelf[name], tmp_path / "one.csv", tmp_path / "rows.csv")
    answer = json.loads(done.stdout)
    assert list(answer) == [name for name in row if name.startswith("redshift")]
    compare(answer, row)


def test_onnx_file_says_which_model_it_is_and_what_goes_in_and_out(shelf, tmp_path):
    assert main(["export", shelf["b2sm"], str(tmp_path / "out"), "--format", "onnx"]) == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["b2sm.onnx", "card.json"]
    session = onnxruntime.InferenceSession(tmp_path / "out" / "b2sm.onnx")
    about = said_by(session)
    weights = sha256(f"{shelf['b2sm']}/model.keras")
    assert (about["name"], about["version"], about["weights_sha256"]) == ("b2sm", "1", weights)
    assert (about["licence"], about["files"], about["part"]) == ("MIT", {"network": "b2sm.onnx"}, "network")
    (bands,), (mass,) = about["inputs"], about["outputs"]
    assert bands["tensors"] == [one["name"] for one in bands["columns"]]
    assert set(bands["tensors"]) == {one.name for one in session.get_inputs()}
    assert (bands["columns"][0]["low"], bands["columns"][0]["high"], -9999.0 in bands["columns"][0]["sentinels"]) == (
        5.0, 30.0, True,
    )  # fmt: skip
    assert (mass["unit"], mass["value"], mass["possible"]) == ("Msun", "10 ** raw", [1e4, 1e14])
    (tmp_path / "one.csv").write_text(GALAXY)
    (row,) = predicted(shelf["b2sm"], tmp_path / "one.csv", tmp_path / "rows.csv")
    assert [one["name"] for one in mass["columns"]] == [name for name in row if name.startswith("smass")]
    seen = {
        name: np.array([m], np.float32)
        for name, m in zip(bands["tensors"], (18.5, 17.2, 16.5, 16.1, 15.8), strict=True)
    }
    assert 10 ** float(session.run(["smass"], seen)[0][0, 0]) == pytest.approx(float(row["smass"]), rel=1e-5)
    assert about["calibration"][""]["smass"]["low"].keys() == {"0.68", "0.9", "0.95"}


def test_formulas_are_those_that_the_kinds_compute():
    for name, values in (("b2r", [0.1, 0.3]), ("b2sm", [9.5, 11.0])):
        kind = kind_of(by_hand(name).outputs[0])
        raw, e = np.array(values), 0.05
        value = eval(kind.value_formula(), {"raw": raw})
        assert value == pytest.approx(kind.decode(raw[:, None]))
        ends = eval(kind.ends_formula, {"value": value, "e": e, "clip": np.clip, "log10": np.log10})
        assert ends == pytest.approx(kind.apply_error(value, e))


def test_description_says_how_a_distribution_becomes_a_number():
    model = distributed_by_hand("b2sm", 2)
    about = describe_output(model.outputs[0], "log")
    assert len(about["grid"]) > 100
    assert about["mixture"] == {"components": 2} | {key: getattr(model.outputs[0], key) for key in ("centre", "spread")}
    assert (about["value"], about["ends"]) == (
        "10 ** quantile(mixture(raw), 0.5)", "10 ** quantile(mixture(raw), e)",
    )  # fmt: skip
    assert describe_output(by_hand().outputs[0], "log")["mixture"] is None


def test_files_of_a_model_with_several_inputs_work_together(shelf, tmp_path):
    assert main(["export", shelf["x2y"], str(tmp_path / "out"), "--format", "onnx"]) == 0
    sessions = {path.stem: onnxruntime.InferenceSession(path) for path in (tmp_path / "out").glob("*.onnx")}
    about = said_by(sessions["x2y_fusion"])
    assert about["files"] == {name: f"x2y_{name}.onnx" for name in ("bands", "wise", "fusion")}
    values = {"bands": np.array([[18.5, 17.2, 16.5, 16.1, 15.8]], np.float32)}
    (features,) = sessions["x2y_bands"].run(["features"], values)
    absent = np.zeros((1, 4), np.float32)
    feeds = {"bands": features, "wise": absent, about["present"]: np.array([[1, 0]], np.float32)}
    (tmp_path / "one.csv").write_text(GALAXY)
    (row,) = predicted(shelf["x2y"], tmp_path / "one.csv", tmp_path / "rows.csv")
    z = float(sessions["x2y_fusion"].run(["redshift"], feeds)[0][0, 0])
    bins = about["calibration"]["bands"]["redshift"]
    ends = {f"redshift_{end}_90": z + bins[end]["0.9"][0] * (1 + z) for end in ("low", "high")}
    compare({"redshift": z} | ends, row)


def test_saved_model_opens_by_tensorflow_alone_with_named_inputs_and_outputs(shelf, tmp_path):
    assert main(["export", shelf["b2c"], str(tmp_path / "out"), "--format", "saved_model"]) == 0
    served = tf.saved_model.load(str(tmp_path / "out")).signatures["serving_default"]
    columns = [f"modelMag_{band}" for band in "ugriz"]
    assert set(served.structured_input_signature[1]) == set(columns)
    values = zip(columns, (18.5, 17.2, 16.5, 16.1, 15.8), strict=True)
    answer = served(**{name: tf.constant([value, np.nan], tf.float32) for name, value in values})["class3"].numpy()
    logits = np.arange(3) * 0.01 * np.mean([18.5, 17.2, 16.5, 16.1, 15.8])
    assert answer[0] == pytest.approx(np.exp(logits) / np.exp(logits).sum(), abs=1e-6)
    assert np.isnan(answer[1]).all()
    about = json.loads((tmp_path / "out" / "description.json").read_text())
    assert (about["name"], about["outputs"][0]["classes"]) == ("b2c", ["STAR", "GALAXY", "QSO"])


# === The package of npm ===


def tgz(version="9.9.9", extra=b""):
    content = {web_runtime.SCRIPT: b"export {}", web_runtime.BINARY: b"\0asm" * 100, "package/other.js": b"no" + extra}
    content["package/package.json"] = json.dumps({"name": "onnxruntime-web", "version": version}).encode()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, data in content.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


class Registry(BaseHTTPRequestHandler):
    content, asked = b"", 0

    def do_GET(self):
        Registry.asked += 1
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.content)))
        self.end_headers()
        self.wfile.write(self.content)

    def log_message(self, *_):
        pass


@pytest.fixture
def registry(monkeypatch):
    """A registry on loopback, with a small package of the version that the zoo wants."""
    whole = tgz(web_runtime.RUNTIME.version)
    with ThreadingHTTPServer(("127.0.0.1", 0), Registry) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setattr(Registry, "content", whole)
        monkeypatch.setattr(Registry, "asked", 0)
        monkeypatch.setattr(npm, "REGISTRY", f"http://127.0.0.1:{server.server_port}")
        integrity = "sha512-" + base64.b64encode(hashlib.sha512(whole).digest()).decode()
        small = replace(web_runtime.RUNTIME, size=len(whole), integrity=integrity)
        monkeypatch.setattr(web_runtime, "RUNTIME", small)
        yield whole
        server.shutdown()


def test_page_takes_from_npm_only_what_it_needs_and_only_once(shelf, tmp_path, registry):
    for number in (1, 2):
        assert main(["export", shelf["b2r"], shelf["x2y"], str(tmp_path / f"page{number}"), "--format", "page"]) == 0
    files = {path.name: path.read_bytes() for path in (tmp_path / "page1").iterdir()}
    assert {name for name in files if name.endswith(".onnx") or name.startswith("ort")} == {
        "b2r.onnx", "x2y_bands.onnx", "x2y_wise.onnx", "x2y_fusion.onnx", "ort.js", "ort.wasm.gz",
    }  # fmt: skip
    assert Registry.asked == 1
    assert files == {path.name: path.read_bytes() for path in (tmp_path / "page2").iterdir()}
    assert "http" not in files["index.html"].decode().replace('http-equiv="', "").replace("http.server", "")
    shown = json.loads(files["models.json"])["models"][0]["card"]
    assert (shown["scores"], shown["warnings"]) == (["redshift: NMAD 0.0268"], ["few galaxies"])


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (lambda whole: whole[:-1] + b"x", "found onnxruntime-web"),
        (lambda whole: tgz("1.22.0"), "found onnxruntime-web 1.22.0"),
        (lambda whole: b"<html>sorry</html>", "found another file of 18 bytes"),
        (None, "found no file"),
    ],
)
def test_another_package_on_disk_is_one_line(shelf, tmp_path, capsys, registry, content, reason):
    if content:
        (tmp_path / "mine.tgz").write_bytes(content(registry))
    command = ["export", shelf["b2r"], str(tmp_path / "page"), "--format", "page"]
    assert main([*command, "--onnxruntime-web", str(tmp_path / "mine.tgz")]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert reason in line
    assert "mine.tgz: expected" in line
    assert not list(tmp_path.glob("page*"))


def test_package_from_disk_needs_no_network(shelf, tmp_path, registry):
    (tmp_path / "mine.tgz").write_bytes(registry)
    command = ["export", shelf["b2r"], str(tmp_path / "page"), "--format", "page"]
    assert main([*command, "--onnxruntime-web", str(tmp_path / "mine.tgz")]) == 0
    assert Registry.asked == 0


def test_registry_that_gives_something_else_or_nothing_is_one_line(shelf, tmp_path, capsys, registry, monkeypatch):
    command = ["export", shelf["b2r"], str(tmp_path / "page"), "--format", "page"]
    monkeypatch.setattr(Registry, "content", tgz(web_runtime.RUNTIME.version, b"!"))
    monkeypatch.setattr(web_runtime, "RUNTIME", replace(web_runtime.RUNTIME, size=len(Registry.content)))
    assert main(command) == 1
    monkeypatch.setattr(npm, "REGISTRY", "http://127.0.0.1:9")
    monkeypatch.setattr(npm, "ATTEMPTS", 1)
    assert main(command) == 1
    wrong, gone = capsys.readouterr().err.splitlines()
    assert "expected sha512" in wrong
    assert "Connection refused; without network: --onnxruntime-web FILE" in gone
    assert not (tmp_path / "page").exists()


# === What cannot be exported ===


def test_what_has_no_such_form_is_one_line(shelf, tmp_path, capsys):
    out = str(tmp_path / "out")
    old = exported_folder(tmp_path / "old", by_hand(), light=False)
    (tmp_path / "there").mkdir()
    for command in (
        ["export", old, out, "--format", "onnx"],
        ["export", shelf["s2r"], out, "--format", "page"],
        ["export", shelf["b2r"], shelf["b2r"], out, "--format", "page"],
        ["export", shelf["b2r"], shelf["b2c"], out, "--format", "onnx"],
        ["export", shelf["b2r"], str(tmp_path / "there"), "--format", "onnx"],
        ["export", shelf["b2r"], out, "--format", "onnx", "--onnxruntime-web", "x.tgz"],
    ):
        assert main(command) == 1
    errors = capsys.readouterr().err.splitlines()
    for error, text in zip(
        errors,
        (
            "ONNX has no form of this network (Erfc)", "expected a model of magnitudes or images for a page",
            "expected models of different names, found b2r, b2r", "expected one model for --format onnx",
            "expected a new folder", "expected --format page",
        ),
        strict=True,
    ):  # fmt: skip
        assert text in error
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("tree", ["kaggle", "gz2", "gz1"])
def test_page_sums_votes_up_as_zoo_predict_does(tmp_path, tree):
    node = needed.program("node")
    output = replace(OUTPUTS["votes"], tree=tree)
    shares = np.random.default_rng(0).dirichlet(np.full(output.size, 0.3), 300).astype(np.float32)
    about = {"output": describe_output(output, "log"), "shares": shares.tolist()}
    (tmp_path / "about.json").write_text(json.dumps(about))
    shutil.copyfile(ROOT / "common" / "elsewhere" / "static" / "votes.js", tmp_path / "votes.mjs")
    (tmp_path / "ask.mjs").write_text(
        'import { readFileSync } from "node:fs";\nimport { classOf } from "./votes.mjs";\n'
        'const { output, shares } = JSON.parse(readFileSync("about.json"));\n'
        "console.log(JSON.stringify(shares.map((row) => classOf(output, row))));\n"
    )
    done = subprocess.run([node, "ask.mjs"], cwd=tmp_path, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert found == kind_of(output).words(shares).tolist()
    assert len(set(found)) > 5
