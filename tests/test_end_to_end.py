"""The commands of the README, run as a user types them; servers are real and on loopback."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import mlflow
import pytest
from conftest import survey_rows, write_survey
from mlflow import MlflowClient

from common.cli import command as cli
from common.project import read_project

BIN = Path(sys.executable).parent


def typed(*command, folder, **environment):
    """Run a command to its end."""
    return subprocess.run(command, cwd=folder, env=clean(environment), capture_output=True, text=True, timeout=240)


def clean(extra=None):
    return {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "HOME": os.environ.get("HOME", "/"), **(extra or {})}


GIVEN = {"epochs": "25", "learning_rate": "1e-2", "schedule": "constant", "ds": "../my data", "resume": ""}


@pytest.fixture(scope="module")
def trained(repository):
    """Train b2r from the root of the repository, on a data set named by a relative path with a space in it."""
    write_survey(repository.parent / "my data", survey_rows(300))
    options = [text for name, value in GIVEN.items() for text in ("-P", f"{name}={value}")]
    return typed("mlflow", "run", "b2r", *options, "--no-conda", folder=repository)


def test_mlflow_run_ends_with_scores_and_where_to_look(trained, repository):
    assert trained.returncode == 0, trained.stderr
    text = trained.stdout
    for expected in ("b2r on ", "gradient boosting", "plots   ", "mlflow ui", "tensorboard --logdir b2r/logs/"):
        assert expected in text
    plots = Path(re.search(r"plots   (.+)", text).group(1))
    assert {path.name for path in plots.iterdir()} >= {"loss.png", "residuals.png"}
    assert "Traceback" not in trained.stderr
    assert "oneDNN" not in trained.stderr
    assert "cudart" not in trained.stderr


def test_all_runs_are_in_one_store_at_the_root_and_logs_in_the_model_folder(trained, repository):
    assert (repository / "mlflow.db").is_file()
    assert not list(repository.glob("*/mlflow.db"))
    assert not list(repository.glob("*/mlruns"))
    assert len(list((repository / "b2r" / "logs").iterdir())) == 1


def test_every_option_is_taken_and_recorded(trained, repository):
    """MLflow passes on what an MLproject does not declare."""
    (run,) = MlflowClient(f"sqlite:///{repository}/mlflow.db").search_runs(["0"])
    recorded = {name: value.strip("'") for name, value in run.data.params.items()}
    defaults = read_project(repository / "b2r").defaults
    assert set(recorded) == {name for name, default in defaults.items() if default != "" or name in GIVEN}
    assert recorded.items() >= GIVEN.items()
    assert [name for name in recorded if name.startswith("resumed_")] == []


def test_zoo_uses_what_was_trained(trained, repository):
    command = ("zoo", "predict", "b2r", "--input", "../my data/data.csv", "--output", "first.csv")
    done = typed(*command, folder=repository)
    assert done.returncode == 0, done.stderr
    assert "300 rows" in done.stdout
    assert "Traceback" not in done.stderr


def test_zoo_tells_of_and_hands_on_what_was_trained(trained, repository, monkeypatch, capsys):
    def zoo(store, *arguments):
        mlflow.set_tracking_uri(f"sqlite:///{repository}/{store}.db")
        code = cli.main(list(arguments))
        return code, *capsys.readouterr()

    monkeypatch.chdir(repository)
    assert "b2r    1" in zoo("mlflow", "list")[1]
    assert "## How sure it is" in zoo("mlflow", "info", "b2r")[1]
    assert Path(zoo("mlflow", "report", "b2r")[1].strip()).name == "report.html"
    command = ("predict", "b2r", "--input", "../my data/data.csv", "--output")
    assert zoo("mlflow", *command, "one.csv")[0] == 0
    assert zoo("mlflow", "export", "b2r", "b2r-model")[0] == 0
    assert "No trained model" in zoo("other", "list")[1]
    code, address, said = zoo("other", "import", "b2r-model")
    assert (code, address) == (0, "models:/b2r/1\n"), said
    assert said.endswith("champion: b2r/1 (the first of this name)\n")
    assert zoo("other", *command, "two.csv")[0] == 0
    assert zoo("other", "predict", "b2r-model", "--input", "../my data/data.csv", "--output", "three.csv")[0] == 0
    for other in ("two", "three"):
        assert (repository / f"{other}.csv").read_text() == (repository / "one.csv").read_text()
    there = "error: output one.csv: there is such a file already; give --overwrite to replace it\n"
    assert zoo("mlflow", *command, "one.csv")[::2] == (1, there)
    with open(repository / "b2r-model" / "model.keras", "ab") as file:
        file.write(b"x")
    code, _, problem = zoo("other", "import", "b2r-model")
    assert code == 1
    assert "model.keras: expected the file that was exported" in problem
    code, _, problem = zoo("mlflow", "info", "i2r")
    assert (code, problem) == (1, "error: i2r: expected a trained model with a card.md, found none; see zoo list\n")


def test_killed_run_is_named_by_the_doctor_goes_on_to_the_same_losses_and_ctrl_c_says_how_to_go_on(trained, repository):
    """Nothing of a run may depend on its being ended politely, nor on its being begun by `mlflow run`."""
    options = {**GIVEN, "epochs": "1000", "ds": "../../my data"}
    words = [text for name, value in options.items() if value for text in (f"--{name}", value)]
    process, log = begun(sys.executable, "train.py", *words, folder=repository / "b2r", until="epoch   2/1000")
    process.kill()
    process.wait()
    killed = epochs_of(log.read_text())
    assert len(killed) < 25
    assert not list(repository.glob("*/mlflow.db"))
    assert not list(repository.glob("*/mlruns"))
    assert len(list((repository / "b2r" / "logs").iterdir())) == 2
    doctor = typed("zoo", "doctor", folder=repository).stdout
    assert doctor.count("its process died") == 1
    (advice,) = re.findall("→ (mlflow run b2r -P resume=.*)", doctor)
    process, log = begun(*advice.split(), folder=repository, until="epoch  25/1000")
    # A terminal sends the signal to every process of the group.
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(timeout=60) != 0
    text = log.read_text()
    assert re.search(r"go on with: mlflow run b2r -P resume=[0-9a-f]{32} --no-conda", text)
    assert "best weights so far: models:/" in text
    assert "Traceback" not in text
    later = [epoch for epoch in epochs_of(text) if int(epoch[0]) <= 25]
    assert later == epochs_of(trained.stdout)[25 - len(later) :]
    assert len(killed) + len(later) >= 25
    statuses = [run.info.status for run in MlflowClient(f"sqlite:///{repository}/mlflow.db").search_runs(["0"])]
    assert "RUNNING" not in statuses
    assert (statuses.count("FINISHED"), "KILLED" in statuses) == (1, True)
    assert not list(repository.glob("b2r/logs/*/*.lock"))


def begun(*command, folder, until):
    """Start a command in a group of its own, wait until it has printed something; return process and log."""
    log = folder.parent / f"{folder.name}.log"
    with open(log, "w") as output:
        process = subprocess.Popen(
            command, cwd=folder, env=clean(), stdout=output, stderr=output, start_new_session=True
        )  # fmt: skip
    deadline = time.monotonic() + 120
    while until not in log.read_text():
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.02)
    return process, log


def epochs_of(text):
    """Losses of the epochs that a run printed."""
    return re.findall(r"^epoch +(\d+)/\d+ +(.*val_loss \S+)", text, re.MULTILINE)


def test_mistakes_are_one_line_and_an_exit_code(trained, repository):
    done = typed("mlflow", "run", "b2r", "-P", "optimizer=adamm", "--no-conda", folder=repository)
    assert done.returncode != 0
    assert [line for line in done.stderr.splitlines() if line.startswith("error: ")] == [
        "error: optimizer: expected one of rmsprop, adam, adamw, sgd, found 'adamm'; did you mean adam?"
    ]
    assert "Traceback" not in done.stderr + done.stdout


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def fetch(url, process, body=None):
    deadline = time.monotonic() + 90
    while True:
        try:
            request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.read().decode()
        except OSError:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.5)


FEW_PROCESSES = {"MLFLOW_WORKERS": "1", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
"""Instead of four that answer and four that wait for work."""


@pytest.fixture
def server(repository):
    """Start a server in the repository; stop it and its children afterwards."""
    started = []

    def start(*command):
        port = free_port()
        process = subprocess.Popen(
            (*command, "--port", str(port)), cwd=repository, env=clean(FEW_PROCESSES), start_new_session=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        started.append(process)
        return f"http://127.0.0.1:{port}", process

    yield start
    for process in started:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=30)


def test_mlflow_ui_shows_the_run(trained, server):
    address, process = server("mlflow", "ui")
    assert "<title>MLflow</title>" in fetch(address, process)
    body = json.dumps({"experiment_ids": ["0"], "filter": "tags.`zoo.model` = 'b2r'"}).encode()
    runs = json.loads(fetch(f"{address}/api/2.0/mlflow/runs/search", process, body))["runs"]
    names = {metric["key"] for run in runs for metric in run["data"].get("metrics", [])}
    assert {"val_loss", "test_nmad", "baseline_mean_nmad"} <= names


def test_tensorboard_shows_curves_and_pictures(trained, server):
    address, process = server("tensorboard", "--logdir", "b2r/logs/")
    deadline = time.monotonic() + 60
    while True:
        images = json.loads(fetch(f"{address}/data/plugin/images/tags", process))
        scalars = json.loads(fetch(f"{address}/data/plugin/scalars/tags", process))
        if any(run.endswith("plots") for run in images):
            break
        assert time.monotonic() < deadline
        time.sleep(0.5)
    tags = {tag for tagged in scalars.values() for tag in tagged}
    assert {"epoch/loss", "epoch/learning_rate"} <= tags
    pictures = next(set(tagged) for run, tagged in images.items() if run.endswith("plots"))
    assert {"loss", "residuals", "predicted_vs_true", "worst_cases"} <= pictures


def test_stored_model_is_served(trained, repository, server):
    address, process = server("mlflow", "models", "serve", "-m", "models:/b2r@champion", "--env-manager", "local")
    columns = [f"modelMag_{band}" for band in "ugriz"]
    rows = [[float(row[column]) for column in columns] for row in survey_rows(3)]
    fetch(f"{address}/ping", process)
    body = json.dumps({"dataframe_split": {"columns": columns, "data": rows}}).encode()
    predictions = json.loads(fetch(f"{address}/invocations", process, body))["predictions"]
    assert len(predictions) == 3
    assert all(0 < value[0] < 0.5 for value in predictions)
