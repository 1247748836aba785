"""Which measurements a part consists of; each runs in a process of its own, so that a peak of memory is its own."""

from __future__ import annotations

from .settings import Settings

PACKED = ("img", "fits", "spectra")
"""``ssel`` is cut out of ``spectra``; tables are not packed."""
TABLES, IMAGES = (1000, 10_000, 100_000, 1_000_000), (1000, 10_000, 100_000)
QUICK_TABLES, QUICK_IMAGES = (1000, 10_000), (300, 1200)


def tasks_of(part: str, settings: Settings) -> list[dict]:
    """List the arguments of a part's `measure`, one dict per process."""
    if part == "startup":
        return [{}]
    if part == "growth":
        return _growth(settings)
    names = settings.inputs
    if part == "packing":
        wanted = {"spectra" if name == "ssel" else name for name in names}
        names = tuple(name for name in PACKED if name in wanted)
    if part == "reading":
        # Both kinds of magnitudes come from the same table.
        names = tuple(dict.fromkeys("bands" if name == "wise" else name for name in names))
    return [{"name": name} for name in names]


def _growth(settings: Settings) -> list[dict]:
    chosen = []
    if "bands" in settings.inputs:
        chosen += [{"kind": "tables", "count": count} for count in settings.pick(TABLES, QUICK_TABLES)]
    if "img" in settings.inputs:
        for count in settings.pick(IMAGES, QUICK_IMAGES):
            # Images are trained on right after they are packed, and removed.
            chosen += [{"kind": "packing", "count": count}, {"kind": "images", "count": count}]
    return chosen
