"""The store as MLflow's client reads it: right for every store, and slow to begin with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import mlflow
from mlflow import MlflowClient, MlflowException
from mlflow.entities import LoggedModel
from mlflow.entities.model_registry import ModelVersion, RegisteredModel

from common.runs.failures import user_message
from common.runs.store_location import CHAMPION, use_store
from common.runs.stored import StoredModel, StoredRun, UnknownModelError, reference_of
from sdss_gs.errors import ZooError, first_line

ABSENT = ("RESOURCE_DOES_NOT_EXIST", "NOT_FOUND", "INVALID_PARAMETER_VALUE")
"""What MLflow answers where there is nothing of that name, or never can be."""
PAGE = 1000


class MlflowRegistry:
    """The store that `use_store` chooses."""

    def __init__(self):
        with _one_line():
            use_store()
            self.client = MlflowClient()

    def names(self) -> list[str]:
        """List the registered models."""
        return sorted(model.name for model in self._registered())

    def versions(self, name: str) -> list[str]:
        """List the versions of a registered model, the newest last; none where there is no such model."""
        with _one_line():
            found = self.client.search_model_versions(f"name = '{name}'", max_results=PAGE)
        return [str(number) for number in sorted(int(version.version) for version in found)]

    def champions(self) -> list[StoredModel]:
        """List the champion of each registered model that has one, by name."""
        found = []
        for model in sorted(self._registered(), key=lambda model: model.name):
            # Another process may have taken it away by now.
            with suppress(UnknownModelError):
                found += [self.model(model.name)] if CHAMPION in model.aliases else []
        return found

    def _registered(self) -> list[RegisteredModel]:
        models, token = [], None
        with _one_line():
            while token is None or token:
                page = self.client.search_registered_models(max_results=PAGE, page_token=token)
                models, token = [*models, *page], page.token or ""
        return models

    def model(self, name: str) -> StoredModel:
        """Look up a model by what `address_of` takes; raise UnknownModelError if there is none."""
        key, mark, rest = reference_of(name)
        with _one_line():
            try:
                if not mark:
                    return _logged(self.client.get_logged_model(key))
                look_up = self.client.get_model_version_by_alias if mark == "@" else self.client.get_model_version
                return self._version(look_up(key, rest))
            except MlflowException as error:
                if error.error_code in ABSENT:
                    raise UnknownModelError(name) from None
                raise

    def _version(self, found: ModelVersion) -> StoredModel:
        location = self.client.get_model_version_download_uri(found.name, found.version)
        return StoredModel(found.name, str(found.version), found.run_id or "", dict(found.tags), location)

    def run(self, run_id: str) -> StoredRun | None:
        """Look up a run, also one that was deleted."""
        with _one_line():
            try:
                run = self.client.get_run(run_id)
            except MlflowException as error:
                if error.error_code in ABSENT:
                    return None
                raise
        info, inputs = run.info, run.inputs.dataset_inputs
        return StoredRun(
            info.run_id, info.run_name or "", str(info.experiment_id), info.status, info.lifecycle_stage == "active",
            dict(run.data.tags), dict(run.data.metrics), inputs[0].dataset.name if inputs else "", info.artifact_uri,
        )  # fmt: skip

    def folder(self, model: StoredModel) -> Path:
        """Return the folder of a model's files on this machine, after a download where it is elsewhere."""
        return _downloaded(model.address)

    def run_file(self, run: StoredRun, name: str) -> Path:
        """Return a file of a run on this machine; raise OSError if it is gone."""
        return _downloaded(f"runs:/{run.id}/{name}")


def _logged(found: LoggedModel) -> StoredModel:
    return StoredModel("", found.model_id, found.source_run_id or "", dict(found.tags or {}), found.artifact_location)


def _downloaded(address: str) -> Path:
    try:
        return Path(mlflow.artifacts.download_artifacts(address))
    except MlflowException as error:
        raise FileNotFoundError(f"{address}: {first_line(error)}") from None
    except ImportError as error:
        # Of what reads Amazon's store, for instance.
        raise ZooError(f"{address}: expected files that MLflow can read, found {first_line(error)}") from None


@contextmanager
def _one_line() -> Iterator[None]:
    """Turn what MLflow says of a store that it cannot use into one line."""
    try:
        yield
    except MlflowException as error:
        said = user_message(error) or f"store: expected one that MLflow can read, found {first_line(error)}"
        raise ZooError(said) from error
