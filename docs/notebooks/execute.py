"""Execute the notebooks: ``python docs/notebooks/execute.py FOLDER`` writes copies with their outputs to a folder.

They are stored without outputs. All are executed in one temporary folder, one after the other, so that the sample of
galaxies that they share is generated once.
"""

import os
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

NOTEBOOKS = Path(__file__).resolve().parent
SECONDS = 600
"""Of the start, and of a single cell."""
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"), "1")
"""On busy cores threads only wait for one another."""
OWN = ("SDSS_GS", "ZOO_SHIPPED", "ZOO_LAUNCH_FOLDER")
"""Variables that would show a user's own data or models, besides MLflow's."""


def execute(folder: Path) -> None:
    """Execute all notebooks, and write the executed copies to a folder.

    Raises
    ------
    nbclient.exceptions.CellExecutionError
        If a cell fails.
    """
    theirs = {name: value for name, value in os.environ.items() if name not in OWN and not name.startswith("MLFLOW_")}
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="zoo-notebooks-") as place:
        for path in sorted(NOTEBOOKS.glob("*.ipynb")):
            notebook = nbformat.read(path, as_version=4)
            limits = {"timeout": SECONDS, "startup_timeout": SECONDS}
            client = NotebookClient(notebook, resources={"metadata": {"path": place}}, **limits)
            client.execute(env=ONE_THREAD | theirs)
            nbformat.write(notebook, folder / path.name)


if __name__ == "__main__":
    execute(Path(sys.argv[1]))
