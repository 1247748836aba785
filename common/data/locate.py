"""The data set that is shown where the user names none."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from common.runs.store_location import REPOSITORY
from sdss_gs.locate import ENVIRONMENT, SAMPLE_FOLDER, find_dataset


def dataset_folder(ds: str, say: Callable[[str], None] = print) -> Path | None:
    """Find the data set to show; None where there is none: unlike training, a service generates no sample."""
    if ds or os.environ.get(ENVIRONMENT) or (REPOSITORY.parent / "sdss-gs" / "data.csv").is_file():
        return find_dataset(ds, REPOSITORY, say)
    sample = REPOSITORY / SAMPLE_FOLDER
    return sample if (sample / "data.csv").is_file() else None
