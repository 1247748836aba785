"""The training core of the zoo: how any model is fitted, judged, kept and used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from common.models.opening import load as load

__all__ = ["load"]


def __getattr__(name: str) -> Any:
    # MLflow loads this package in every process: what needs TensorFlow waits until it is asked for.
    if name == "load":
        from common.models.opening import load

        return load
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
