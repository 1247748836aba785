"""Make the models that ship with the zoo: from the files of recipe.md to ``common/shipped``."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from common.models.library import champions, export
from common.models.shipped import FOLDER, ship
from common.runs.store_location import REPOSITORY
from sdss_gs.errors import OptionError, ZooError
from weights.cards import complete
from weights.judge import judge_again
from weights.recipe import DATA, LICENCE, RECIPES, Recipe
from weights.sources import SOURCES, check_sources


def main(arguments: list[str] | None = None) -> int:
    """Train, export and ship; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m weights", description=__doc__)
    parser.add_argument("sources", type=Path, help="folder with the files of weights/recipe.md")
    parser.add_argument("--models", default=",".join(RECIPES), help="comma-separated (default: %(default)s)")
    parser.add_argument("--output", type=Path, default=FOLDER, help="folder for the models (default: the package's)")
    parser.add_argument("--work", type=Path, help="folder for data sets, runs and exports (default: a temporary one)")
    again = "judge the models of --output anew, for card and reference sample; train none"
    parser.add_argument("--cards", action="store_true", help=again)
    options = parser.parse_args(arguments)
    try:
        names = options.models.split(",")
        if unknown := [name for name in names if name not in RECIPES]:
            raise OptionError(f"--models {unknown[0]}: expected some of {', '.join(RECIPES)}")
        needed = {source for name in names for source in DATA[RECIPES[name].data].sources}
        check_sources(options.sources, sorted(needed), SOURCES)
        with tempfile.TemporaryDirectory(prefix="zoo-weights-") as temporary:
            work = options.work or Path(temporary)
            work.mkdir(parents=True, exist_ok=True)
            for name in names:
                recipe, data = RECIPES[name], data_set(name, RECIPES[name], options.sources, work.resolve())
                if options.cards:
                    judge_again(name, recipe, data, options.output)
                else:
                    make(name, recipe, data, work.resolve(), options.output)
    except (ZooError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def data_set(name: str, recipe: Recipe, sources: Path, work: Path) -> Path:
    """Return the data set that a model learns from, in the folder `work`; make it if it is not there."""
    data = work / recipe.data.replace(" ", "_")
    if not data.exists():
        print(f"{name}: making {data.name}", flush=True)
        DATA[recipe.data].make(sources, data)
    return data


def make(name: str, recipe: Recipe, data: Path, work: Path, output: Path) -> None:
    """Train one model and put it into a folder of shipped models.

    Parameters
    ----------
    name : str
    recipe : Recipe
    data : Path
        The data set.
    work : Path
        Where MLflow's store and the export will be.
    output : Path

    Raises
    ------
    ZooError
        If a step fails; it has printed why.
    """
    exported, store = work / "exported" / name, work / f"{name}.db"
    if exported.exists() or store.exists():
        raise OptionError(f"--work {work}: expected a folder without {name}, found one of an earlier run")
    # A store of its own, in which the model is the champion.
    os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{store}"
    options = [f"--{key}={value}" for key, value in ({"ds": str(data), "seed": "1"} | recipe.options).items()]
    done = subprocess.run([sys.executable, str(REPOSITORY / name / "train.py"), *options], cwd=work)
    if done.returncode:
        raise ZooError(f"{name}: its training ended with exit code {done.returncode}, see above")
    exported.parent.mkdir(exist_ok=True)
    export(name, exported)
    complete(exported, recipe, data, work)
    (entry,) = champions()
    ship(output, exported, score=entry.score, learnt_from=recipe.learnt_from, licence=LICENCE)
    print(f"{name}: shipped to {output}, {entry.score}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
