"""Sweeps: what is explored, that each trial is done once whoever dies, and what a user is told in the end."""

import collections
import contextlib
import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import mlflow
import optuna
import pytest
from conftest import ROOT, survey_rows, write_survey
from helpers import needed
from helpers.folders import MODELS, architectures_of
from helpers.stores import new_store
from mlflow import MlflowClient
from optuna.trial import TrialState, create_trial

from common import train
from common.backend import keras
from common.project import read_folder, read_project
from common.training.sweep import report as sweep_report
from common.training.sweep import storage as sweep_storage
from common.training.sweep import trial
from common.training.sweep.report import NUMBER, SCORES, in_words, slices
from common.training.sweep.space import cells_of, parse_space, swept
from common.training.sweep.study import pruned_by
from sdss_gs.errors import DataError, OptionError

B2R = read_project(ROOT / "b2r")
GRID = "batch_size=32|64,optimizer=rmsprop|adam,loss=mse|mae"

# === Space ===


def test_space_has_lists_ranges_and_fixed_values():
    space = parse_space("learning_rate=1e-4..1e-2:log, batch_size=32|64|128,epochs=2..9,architecture=reference", B2R)
    assert swept(space) == ["learning_rate", "batch_size", "epochs"]
    assert (space["learning_rate"].low, space["learning_rate"].high, space["learning_rate"].log) == (1e-4, 1e-2, True)
    assert space["batch_size"].choices == (32, 64, 128)
    assert isinstance(space["epochs"], optuna.distributions.IntDistribution)


def test_values_may_hold_commas():
    space = parse_space("inputs=img,bands,batch_size=32|64", read_folder(ROOT / "x2y"))
    assert space["inputs"].choices == ("img,bands",)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "space: expected option=a|b|c or option=low..high, found ''"),
        ("batch_size", "found 'batch_size'"),
        ("batch_sise=32", "space: batch_sise: did you mean batch_size?"),
        ("folds=3", "space: folds: expected one of"),
        ("stretch=none", "space: stretch: expected one of"),
        ("batch_size=32|ten", "space: batch_size: expected a whole number of at least 1, found 'ten'"),
        ("optimizer=adam|adamm", "space: optimizer: expected one of rmsprop, adam, adamw, sgd, found 'adamm'"),
        ("learning_rate=1e-2..1e-4", "space: learning_rate: expected 0 < low < high"),
        ("learning_rate=1e-4..1e-2:lin", "space: learning_rate: expected low..high or low..high:log"),
        ("patience=0..5:log", "space: patience: expected 0 < low < high for log"),
        ("batch_size=32,batch_size=64", "space: batch_size: expected once, found twice"),
        ("memory_limit=1|2", "space: memory_limit: expected one value, found several"),
    ],
)
def test_wrong_space_names_the_option(text, expected):
    with pytest.raises(OptionError) as caught:
        parse_space(text, B2R)
    assert expected in str(caught.value)


def test_plan_is_the_whole_grid_or_the_same_random_trials_for_every_process():
    grid = parse_space(GRID, B2R)
    cells = cells_of(grid, "grid", 0, 0)
    assert len(cells) == len({tuple(cell.values()) for cell in cells}) == 8
    free = parse_space("learning_rate=1e-4..1e-2:log,batch_size=32|64", B2R)
    plan = cells_of(free, "random", 12, 3)
    assert plan == cells_of(free, "random", 12, 3) != cells_of(free, "random", 12, 4)
    assert len({cell["learning_rate"] for cell in plan}) == 12
    assert all(1e-4 <= cell["learning_rate"] <= 1e-2 for cell in plan)
    led = cells_of(free, "tpe", 12, 3)
    assert led[:10] == plan[:10]
    assert led[10:] == [{}, {}]


@pytest.mark.parametrize(
    ("search", "text", "trials", "expected"),
    [
        ("grid", "learning_rate=1e-4..1e-2", 0, "space: learning_rate: expected a list a|b|c with search=grid"),
        ("grid", GRID, 4, r"trials: expected 0 with search=grid \(the grid has 8 cells\), found 4"),
        ("tpe", GRID, 0, "trials: expected at least 1 with search=tpe, found 0"),
    ],
)
def test_search_and_trials_must_fit(search, text, trials, expected):
    with pytest.raises(OptionError, match=expected):
        cells_of(parse_space(text, B2R), search, trials, 0)


@pytest.mark.parametrize("name", [*MODELS, "x2y"])
def test_every_model_explores_batch_and_rate_by_default(name):
    read = read_folder if name == "x2y" else read_project
    defaults = read(ROOT / name, "sweep").defaults
    assert defaults["space"] == "batch_size=32|64,learning_rate=5e-4|1e-3|2e-3|4e-3"
    assert (defaults["epochs"], defaults["refit_epochs"], defaults["search"]) == (10, 20, "grid")
    parse_space(defaults["space"], read(ROOT / name))


# === Trials ===

WORKER = """
import sys, time, optuna
from common.training.sweep import storage as s
s.HEARTBEAT, s.GRACE, s.POLL = 1, 3, 0.1
storage = s.open_storage(sys.argv[1])
study = optuna.create_study(study_name="x", storage=storage, load_if_exists=True)
def objective(trial):
    print(trial.user_attrs["number"], flush=True)
    time.sleep(float(sys.argv[2]))
    return trial.params["a"]
space = {"a": optuna.distributions.IntDistribution(0, 99)}
s.work(storage, study, space, [{"a": k} for k in range(12)], objective)
"""


def several_processes(url, log):
    """Have four processes do twelve trials; kill one of them in the middle of its own."""
    environment = {"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]}

    def start(seconds):
        command = (sys.executable, "-W", "error", "-c", WORKER, url, seconds)
        with open(log, "a") as errors:
            return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=errors, text=True)

    victim = start("60")
    taken = victim.stdout.readline().strip()
    assert taken, log.read_text()
    others = [start("0.05") for _ in range(3)]
    victim.send_signal(signal.SIGKILL)
    printed = [int(number) for process in others for number in process.communicate(timeout=120)[0].split()]
    victim.wait()
    victim.stdout.close()
    assert [process.returncode for process in others] == [0, 0, 0], log.read_text()
    # The trial of the killed process has been done by another one, and every trial by one process only.
    assert collections.Counter(printed) == dict.fromkeys(range(1, 13), 1)
    with contextlib.closing(sweep_storage.open_storage(url)) as storage:
        study = optuna.load_study(study_name="x", storage=storage)
        ended = sweep_storage.results(study)
    assert [trial.user_attrs[NUMBER] for trial in ended] == list(range(1, 13))
    assert [trial.value for trial in ended] == list(range(12))
    assert TrialState.FAIL in {trial.state for trial in study.trials if trial.user_attrs.get(NUMBER) == int(taken)}


def test_process_killed_before_its_first_sign_of_life_is_not_waited_for(tmp_path):
    url = f"sqlite:///{tmp_path}/sweeps.db"
    environment = {"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]}
    die = "import os\nfrom optuna.storages import _heartbeat as h\n"
    die += "h.HeartbeatThread.start = lambda _: os.kill(os.getpid(), 9)\n"
    killed = subprocess.run((sys.executable, "-c", die + WORKER, url, "0"), env=environment, timeout=120)
    assert killed.returncode == -signal.SIGKILL
    other = (sys.executable, "-W", "error", "-c", WORKER, url, "0")
    done = subprocess.run(other, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert sorted(map(int, done.stdout.split())) == list(range(1, 13))


def test_several_processes_on_sqlite_do_each_trial_once_though_one_is_killed(tmp_path):
    several_processes(f"sqlite:///{tmp_path}/sweeps.db", tmp_path / "log")


@pytest.fixture
def postgresql(tmp_path_factory):
    """Start a PostgreSQL of its own; as the user nobody where the tests run as root, which it refuses."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl")) or [needed.program("pg_ctl")]
    binaries, folder = Path(found[-1]).parent, Path(tmp_path_factory.mktemp("pg"))
    user = {}
    if os.getuid() == 0:
        nobody = pwd.getpwnam("nobody")
        user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        # Its data must be in a folder that this user can reach: those of pytest are closed to others.
        folder = Path(f"/tmp/zoo-postgresql-{os.getpid()}")
        folder.mkdir()
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    data = folder / "data"

    def run(*command):
        subprocess.run(command, check=True, cwd=folder, stdout=subprocess.DEVNULL, timeout=60, **user)

    run(binaries / "initdb", "-D", data, "-U", "zoo", "-A", "trust", "--no-sync")
    options = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off"
    run(binaries / "pg_ctl", "-D", data, "-w", "-l", folder / "log", "-o", options, "start")
    yield f"postgresql+psycopg://zoo@/postgres?host={folder}"
    run(binaries / "pg_ctl", "-D", data, "-w", "-m", "immediate", "stop")
    shutil.rmtree(folder)


def test_several_processes_on_postgresql_do_each_trial_once_though_one_is_killed(postgresql, tmp_path):
    several_processes(postgresql, tmp_path / "log")


@pytest.fixture
def storage(tmp_path):
    with contextlib.closing(sweep_storage.open_storage(f"sqlite:///{tmp_path}/sweeps.db")) as storage:
        yield storage


@pytest.fixture
def study(storage):
    return optuna.create_study(storage=storage)


def test_trial_whose_options_do_not_work_is_a_result_and_any_other_fault_ends_the_work(storage, study):
    tried = []

    def objective(trial):
        tried.append(value := trial.params["a"])
        if value == 0:
            raise DataError("diverged")
        if value == 1 and tried.count(1) == 1:
            raise OSError("disk full")
        return value

    space, cells = {"a": optuna.distributions.IntDistribution(0, 9)}, [{"a": 0}, {"a": 1}, {"a": 2}]
    with pytest.raises(OSError, match="disk full"):
        sweep_storage.work(storage, study, space, cells, objective)
    sweep_storage.work(storage, study, space, cells, objective)
    assert tried == [0, 1, 1, 2]
    ended = sweep_storage.results(study)
    assert [trial.state for trial in ended] == [TrialState.FAIL, TrialState.COMPLETE, TrialState.COMPLETE]
    assert sweep_report.end_of(ended[0]) == "failed: diverged"


@pytest.mark.parametrize("ends", ["with a score", "with a failure"])
def test_result_of_a_process_that_was_given_up_for_dead_is_not_counted(storage, study, ends):
    def objective(trial):
        if not trial.number:
            # What another process does while this one sleeps.
            storage.set_trial_state_values(trial._trial_id, TrialState.FAIL)
            if ends == "with a failure":
                raise DataError("diverged")
        return float(trial.number)

    sweep_storage.work(storage, study, {}, [{}], objective)
    (only,) = sweep_storage.results(study)
    assert only.number == 1


def test_tpe_gives_a_dead_trial_the_same_options_again(storage, study):
    space, tried = parse_space("learning_rate=1e-4..1e-2:log", B2R), []

    def objective(trial):
        tried.append(trial.params["learning_rate"])
        if len(tried) == 12:
            raise KeyboardInterrupt
        return float(len(tried))

    def work():
        cells, sampler = cells_of(space, "tpe", 13, 0), partial(sweep_storage.sampler_of, "tpe", 0)
        sweep_storage.work(storage, study, space, cells, objective, sampler)

    with pytest.raises(KeyboardInterrupt):
        work()
    work()
    assert tried[11] == tried[12]
    assert len(set(tried)) == 13


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("x", "storage: expected an SQLAlchemy address such as sqlite:"),
        ("mysql://user:secret@host/x", r"storage: expected SQLite or PostgreSQL, found mysql://user:\*\*\*@host/x"),
    ],
)
def test_storage_that_is_none_is_one_line(url, expected):
    with pytest.raises(OptionError, match=expected):
        sweep_storage.open_storage(url)


def test_pruned_trials_are_listed_after_the_finished(study):
    space = parse_space("batch_size=32,learning_rate=1e-4..1e-2:log", B2R)

    def trial(number, state, value, **attributes):
        return create_trial(
            state=state, value=value, params={"batch_size": 32, "learning_rate": 1e-3}, distributions=space,
            intermediate_values={2: 0.5}, user_attrs={NUMBER: number, **attributes},
        )  # fmt: skip

    for number, value in ((1, 0.3), (2, 0.2)):
        study.add_trial(trial(number, TrialState.COMPLETE, value, **{SCORES: {"nmad": value}}))
    study.add_trial(trial(3, TrialState.PRUNED, 0.1))
    frame = sweep_report.table(sweep_storage.results(study), space, ["nmad"])
    assert frame["trial"].tolist() == ["2", "1", "3"]
    assert frame["end"].tolist() == ["finished", "finished", "pruned after epoch 2"]
    figure = slices(sweep_storage.results(study), space, "nmad")
    (axes,) = figure.axes
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_xscale()) == ("learning_rate", "validation nmad", "log")
    others, best = (collection.get_offsets()[:, 1].tolist() for collection in axes.collections)
    assert (others, best) == ([0.3], [0.2])


# === The command ===


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    new_store(folder)
    return write_survey(folder / "magnitudes", survey_rows(300))


@pytest.fixture
def command(repository, folder, monkeypatch, without_light_form):
    """Run the entry point as train.py does, with a store of its own."""
    store = f"sqlite:///{folder.parent}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    monkeypatch.chdir(folder.parent)
    mlflow.set_tracking_uri(store)

    def command(**options):
        chosen = {"ds": folder, "epochs": 1, "refit_epochs": 2} | options
        arguments = [text for key, value in chosen.items() for text in (f"--{key}", str(value))]
        return train._run(repository / "b2r", architectures_of("b2r"), ["sweep", *arguments])

    yield command
    keras.config.set_dtype_policy("float32")


def test_interrupted_sweep_goes_on_and_ends_with_tables_and_one_registered_model(command, folder, monkeypatch, capsys):
    space = {"space": "learning_rate=1e-3|1e-2|1e30,schedule=constant,architecture=reference", "prune": "median"}
    original, ended = trial.validate, []

    def interrupt(session):
        ended.append(session)
        if len(ended) == 1:
            raise KeyboardInterrupt
        return original(session)

    monkeypatch.setattr(trial, "validate", interrupt)
    assert command(**space) == 130
    said = capsys.readouterr()
    (parent,) = [run for run in MlflowClient().search_runs(["0"]) if "mlflow.parentRunId" not in run.data.tags]
    assert f"-P resume={parent.info.run_id}" in said.err
    assert not MlflowClient().search_registered_models()

    monkeypatch.setattr(trial, "validate", original)
    monkeypatch.setattr(optuna.Trial, "should_prune", lambda trial: trial.user_attrs[NUMBER] == 2)
    assert command(**space) == 0
    said = capsys.readouterr()
    assert "3 of 3 trials left" in said.out
    assert re.search(r"trial   1/3  learning_rate=0.001  validation nmad .* s, about .* left", said.out)
    assert "━" not in said.out, "Keras' own progress bars"
    assert "| trial | learning_rate |" in said.out
    runs = MlflowClient().search_runs(["0"])
    children = [run for run in runs if run.data.tags.get("mlflow.parentRunId") == parent.info.run_id]
    trials = [run for run in children if "zoo.refit" not in run.data.tags]
    assert collections.Counter(run.info.status for run in trials) == {"FINISHED": 2, "FAILED": 1, "KILLED": 1}
    assert {run.info.run_name for run in trials if run.info.status != "KILLED"} == {
        f"b2r-trial-{number:02d}" for number in range(1, 4)
    }
    # Trials are judged on the validation objects only, and no trial is registered.
    assert not [name for run in trials for name in run.data.metrics if name.startswith("test_")]
    (version,) = MlflowClient().search_model_versions("name='b2r'")
    (best,) = [run for run in children if "zoo.refit" in run.data.tags]
    assert version.run_id == best.info.run_id
    assert best.data.params["epochs"] == "2"
    found = MlflowClient().get_run(parent.info.run_id)
    assert found.info.status == "FINISHED"
    assert found.data.metrics["test_nmad"] == best.data.metrics["test_nmad"]
    (pruned,) = [run for run in trials if "zoo.pruned" in run.data.tags]
    assert (pruned.info.run_name, pruned.data.tags["zoo.pruned"]) == ("b2r-trial-02", "after epoch 1")
    (score,) = [run.data.metrics["validation_nmad"] for run in trials if "validation_nmad" in run.data.metrics]
    assert found.data.metrics["best_validation_nmad"] == score
    files = {file.path for file in MlflowClient().list_artifacts(parent.info.run_id)}
    assert {"sweep.md", "sweep.csv", "sweep.png"} <= files
    lines = mlflow.artifacts.load_text(f"{found.info.artifact_uri}/sweep.csv").splitlines()
    assert len(lines) == 4
    assert sum("failed: training: expected a finite validation loss" in line for line in lines) == 1

    # A finished sweep is shown again, not done again; what to train on need not be said again.
    monkeypatch.setenv("SDSS_GS", str(folder))
    assert command(resume=parent.info.run_id, ds="") == 0
    assert "0 of 3 trials left" in capsys.readouterr().out
    assert len(MlflowClient().search_runs(["0"])) == len(runs)
    assert command(resume=parent.info.run_id, seed=1) == 1
    assert "resume: the sweep goes on with seed=0, found seed=1" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"space": "batch_size=a|b"}, "space: batch_size: expected a whole number of at least 1, found 'a'"),
        ({"search": "best"}, "search: expected one of grid, random, tpe, found 'best'"),
        ({"resume": "0" * 32}, "resume: expected the parent run of a sweep, found '0000"),
        ({"ds": "nowhere"}, "ds=nowhere: expected a folder with data.csv"),
        ({"workers": 0}, "workers: expected a whole number of at least 1, found '0'"),
    ],
)
def test_mistakes_are_one_line(command, capsys, options, expected):
    assert command(**options) == 1
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert expected in line


def test_trials_are_not_kept_in_mlflows_own_data_base(command, folder, capsys):
    assert command(storage=f"sqlite:///{folder.parent}/mlflow.db") == 1
    assert "storage: expected another data base than MLflow's own" in capsys.readouterr().err


def test_losses_of_different_meaning_are_not_compared_by_epoch():
    names = read_project(ROOT / "i2sm"), "median", ["target"]
    with pytest.raises(OptionError, match="prune: expected none where target is explored"):
        pruned_by(*names)
    assert pruned_by(names[0], "median", ["loss", "batch_size"]) == "val_mae"
    assert pruned_by(names[0], "hyperband", ["batch_size"]) == "val_loss"
    with pytest.raises(OptionError, match="prune: expected none where class_weights is explored"):
        pruned_by(read_project(ROOT / "b2s"), "median", ["class_weights"])


def test_time_is_in_the_unit_of_its_size():
    assert [in_words(seconds) for seconds in (12.3, 300, 9000)] == ["12 s", "5 min", "2.5 h"]
