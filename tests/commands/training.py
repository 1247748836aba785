"""``mlflow run`` and ``python train.py`` in this process: to the end, or up to the first step of training."""

import os
import shlex
import warnings

import mlflow
from mlflow.projects._project_spec import load_project

from common import train
from common.backend import keras
from common.models.opening import load
from common.models.running import KERAS
from common.networks.backbones import APPLICATIONS
from common.options import ENTRY_POINTS
from common.project import functions_of, parse_options, read_folder, read_project
from common.runs.failures import report
from common.training.adaptation.surveys import open_surveys
from common.training.processes import Silent
from common.training.session import Session
from common.training.start import address_of
from common.training.sweep.study import Sweep
from sdss_gs.errors import OptionError
from sdss_gs.locate import LAUNCH_FOLDER

with warnings.catch_warnings():
    # MLflow warns of its own types.
    warnings.simplefilter("ignore")
    from mlflow.cli import _user_args_to_dict
    from mlflow.cli import cli as mlflow_cli

FEW = {"main": {"epochs": 1}, "sweep": {"epochs": 1, "refit_epochs": 1}, "adapt": {"epochs": 1}}
"""What is cut at each entry point."""
CUT_IF_GIVEN = {"folds": 3, "trials": 2, "ensemble": 2}


def looks(folder, arguments):
    """Tell whether a command only looks at what was trained, or says what there is."""
    return arguments[0] in ("evaluate", "compare", "embed") or bool({"--help", "-h"} & set(arguments))


def fetches(arguments):
    """Tell whether a training begins with weights that Keras has on its servers."""
    return "--backbone" in arguments and arguments[arguments.index("--backbone") + 1] in APPLICATIONS


def resolve(words, here):
    """Parse ``mlflow run …`` as MLflow does; return the folder and the command line of its ``train.py``."""
    run = mlflow_cli.get_command(None, "run")
    given = run.make_context("run", words).params
    if given["env_manager"] != "local":
        raise OptionError("mlflow run: expected --no-conda, without which MLflow builds an environment for minutes")
    folder = here / given["uri"]
    point = load_project(folder).get_entry_point(given["entry_point"])
    name = given["entry_point"]
    values = _user_args_to_dict(given["param_list"])
    values |= FEW.get(name, {}) | {key: value for key, value in CUT_IF_GIVEN.items() if key in values}
    words = shlex.split(point.compute_command(values, None))
    start = words.index("train.py")
    assert words[start - 1] == "python", words
    return folder.resolve(), words[start + 1 :]


def run(folder, arguments, here, whole):
    """Run a model folder's ``train.py``, `here` being where the command was typed; return the exit code."""
    os.environ[LAUNCH_FOLDER] = str(here)
    entry_point = arguments[0] if arguments and arguments[0] in ENTRY_POINTS else "main"
    try:
        if whole:
            return train._run(folder, functions_of(folder), arguments)
        _rehearse(folder, entry_point, arguments[entry_point != "main" :])
        return 0
    except SystemExit as end:
        return end.code or 0
    except Exception as error:
        return report(error)
    finally:
        del os.environ[LAUNCH_FOLDER]
        # What one run leaves behind must not decide how the next one computes.
        keras.config.set_dtype_policy("float32")
        mlflow.end_run()


def _rehearse(folder, entry_point, arguments):
    """Do all that comes before a first step: read options, open data and trained models, make the network."""
    read, functions = read_folder if folder.name == "x2y" else read_project, functions_of(folder)
    project = read(folder, entry_point)
    if entry_point == "sweep":
        sweep = Sweep(read(folder), project, functions, arguments)
        sweep.record.end("KILLED")
        sweep.storage.close()
        return
    options = parse_options(project, arguments)
    if entry_point == "adapt":
        address = address_of(project, options.start) if options.start else project.name
        open_surveys(project, options, load(address, KERAS))
        return
    session = Session(project, Silent(), options, functions, fold=0 if options.folds else None)
    # The base networks of a fused one would be trained, the weights of a well-known one fetched.
    if session.task.flat and options.backbone not in APPLICATIONS:
        session.build()
