"""The names of the models that there are: those that a shell completes, and those that a user may have meant."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

from common.models.described import stored_model
from common.models.shipped import MARK, shipped_models
from common.runs.registry import quick_registry, registry
from common.runs.stored import StoredModel, UnknownModelError
from sdss_gs.errors import ZooError, did_you_mean

WAYS = ("one2one", "best")
"""What may stand for the names of several, see `common.predict.combine`."""


def begin_with(begun: str) -> dict[str, str]:
    """List names of models that begin so, each with what is known of it; versions once a name has its ``/``.

    A store that takes MLflow to be read is not asked: somebody is waiting for the answer at a prompt.
    """
    name, slash, _ = begun.partition("/")
    mark = MARK if "@" in begun else ""
    found: dict[str, str] = {}
    # Whatever cannot be read, the other names are there.
    with suppress(ZooError):
        if store := quick_registry():
            found |= (
                {f"{name}/{one}": "" for one in store.versions(name)} if slash else dict.fromkeys(store.names(), "")
            )
    with suppress(ZooError):
        found |= {f"{one}{mark}": about.score for one, about in shipped_models().items()}
    return {one: text for one, text in sorted(found.items()) if one.startswith(begun)}


def find_model(name: str) -> tuple[StoredModel, Path, dict[str, object]]:
    """Find a model in the store, as `described.stored_model`; if there is none, say which may be meant."""
    try:
        return stored_model(name)
    except UnknownModelError:
        raise UnknownModelError(name, hint(name)) from None


def hint(name: str) -> str:
    """Say of a name that no model has which one may be meant, as the end of a message; empty where none is near."""
    key, mark, _ = re.split("([/@])|$", name.removeprefix("models:/"), maxsplit=1)
    try:
        store, shipped = registry(), list(shipped_models())
        yours = store.names()
        if key in yours and mark != "@":
            versions = store.versions(key)
            return f"; {key} has {'no version' if not versions else 'version ' + ', '.join(versions)}"
    except ZooError:
        # What is wrong with the store is another matter.
        return ""
    return did_you_mean(name, [*yours, *shipped, *(f"{one}{MARK}" for one in shipped)])
