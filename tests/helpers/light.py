"""Trainings without the light form, which takes a fifth of a short run and has tests of its own."""

import pytest

from common.models.light import NO_LIGHT
from common.training import from_python, keeping


def leave_out(patch: pytest.MonkeyPatch) -> None:
    """Have trainings store Keras' own file alone: tests of what the light form is are in tests/models and networks."""
    for module in (keeping, from_python):
        patch.setattr(module, "write_light", lambda *_: NO_LIGHT)
