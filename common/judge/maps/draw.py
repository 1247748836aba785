"""Maps as pictures, as a page to explore, and for TensorBoard's projector."""

from __future__ import annotations

import base64
import io
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.offsetbox import AnnotationBbox, OffsetImage
from PIL import Image
from tensorboard.plugins import projector

from common.judge.card import template
from common.outputs.kinds import kind_of
from sdss_gs.schema import Output

TITLES = {"pca": "PCA", "tsne": "t-SNE", "umap": "UMAP"}
GRID, THUMBNAIL = 9, 48
"""Cells along a map's side that show an example; pixels of a thumbnail on the page."""
MOST_CLASSES = 20


@dataclass(frozen=True)
class Mapped:
    """Objects on a map.

    Parameters
    ----------
    name : str
        Of the model.
    output : Output
    objid : ndarray of int64, shape (n,)
    part : ndarray of str, shape (n,)
        ``train`` or ``validation``.
    truth : ndarray, shape (n,)
        In the catalogue's unit, or class numbers.
    places : dict of str to ndarray of float32, shape (n, 2)
        By method.
    pictures : list of ndarray or None
        Image of each object, uint8 ``(y, x, 3)``.
    """

    name: str
    output: Output
    objid: np.ndarray
    part: np.ndarray
    truth: np.ndarray
    places: dict[str, np.ndarray]
    pictures: list[np.ndarray | None]

    def labels(self) -> list[str]:
        """Write the truth of each object; of votes, the class that they sum up to."""
        return kind_of(self.output).labels(self.truth)

    def classes(self) -> list[str]:
        """List the labels that occur, in the output's order or the commonest first; nothing for numbers."""
        return kind_of(self.output).legend(self.labels())

    def colours(self) -> list[str]:
        """Choose a colour for each object, ``#rrggbb``: by class, or by value."""
        if classes := self.classes():
            wheel = colormaps["tab20" if len(classes) > 10 else "tab10"]
            return [to_hex(wheel(classes.index(label) % wheel.N)) for label in self.labels()]
        shown = kind_of(self.output).to_scale(self.truth)
        low, high = np.quantile(shown, (0.02, 0.98))
        scale = np.clip((shown - low) / max(high - low, 1e-12), 0, 1)
        return [to_hex(colormaps["viridis"](value)) for value in scale]


def figures(mapped: Mapped) -> dict[str, Figure]:
    """Draw each map: all objects as points, train and validation side by side, and an example in each busy cell."""
    return {f"map_{method}": _figure(mapped, method, places) for method, places in mapped.places.items()}


def _figure(mapped: Mapped, method: str, places: np.ndarray) -> Figure:
    figure = Figure(figsize=(15, 5.6), layout="constrained")
    points, examples, seen = figure.subplots(1, 3)
    colours = np.array(mapped.colours())
    low, high = places.min(axis=0), places.max(axis=0)
    margin = 0.04 * (high - low) + 1e-6
    for axes, part in ((points, "train"), (seen, "validation")):
        mine = mapped.part == part
        axes.scatter(*places[mine].T, s=6, c=colours[mine], linewidths=0)
        axes.set_title(f"{part}: {mine.sum():,} objects")
    examples.set_title("examples")
    for row in _examples(places, mapped.pictures):
        small = OffsetImage(mapped.pictures[row], zoom=30 / max(mapped.pictures[row].shape))
        frame = {"edgecolor": colours[row], "linewidth": 2}
        examples.add_artist(AnnotationBbox(small, places[row], pad=0.08, bboxprops=frame))
    for axes in (points, examples, seen):
        axes.set(xlim=(low[0] - margin[0], high[0] + margin[0]), ylim=(low[1] - margin[1], high[1] + margin[1]))
        axes.set(xticks=[], yticks=[])
    _legend(figure, mapped)
    figure.suptitle(f"{TITLES[method]} of {mapped.name}'s features, by {mapped.output.description}")
    return figure


def _examples(places: np.ndarray, pictures: list) -> list[int]:
    """Choose in each cell of a grid the object with a picture that lies nearest to the cell's centre."""
    low, high = places.min(axis=0), places.max(axis=0)
    cell = np.clip(((places - low) / np.maximum(high - low, 1e-9) * GRID).astype(int), 0, GRID - 1)
    centre = low + (cell + 0.5) * (high - low) / GRID
    distance = ((places - centre) ** 2).sum(axis=1)
    best: dict[tuple[int, int], int] = {}
    for row in np.argsort(-distance):
        if pictures[row] is not None:
            best[tuple(cell[row].tolist())] = int(row)
    return sorted(best.values())


def _legend(figure: Figure, mapped: Mapped) -> None:
    colours = dict(zip(mapped.labels(), mapped.colours(), strict=True))
    ordered = mapped.classes()[:MOST_CLASSES]
    if handles := [figure.axes[0].scatter([], [], s=30, c=colours[label], label=label) for label in ordered]:
        figure.legend(handles=handles, loc="outside lower center", ncols=min(10, len(handles)), fontsize=9)


def html_page(mapped: Mapped) -> str:
    """Write the maps as one page that loads nothing: choose a map, point at an object, switch classes on and off."""
    jpeg = io.BytesIO()
    Image.fromarray(sprite(mapped)).save(jpeg, "JPEG", quality=80)
    data = {
        "maps": {TITLES[name]: np.round(_unit(places), 4).tolist() for name, places in mapped.places.items()},
        "objid": [str(objid) for objid in mapped.objid],
        "part": mapped.part.tolist(),
        "label": mapped.labels(),
        "colour": mapped.colours(),
        "classes": mapped.classes(),
        "side": THUMBNAIL,
        "columns": _columns(len(mapped.objid)),
    }
    return template("map.html").render(
        title=f"{mapped.name}: {mapped.output.description}",
        data=json.dumps(data).replace("<", "\\u003c"),
        sprite=base64.b64encode(jpeg.getvalue()).decode("ascii"),
    )


def _unit(places: np.ndarray) -> np.ndarray:
    return (places - places.min(axis=0)) / np.maximum(np.ptp(places, axis=0), 1e-9)


def _columns(count: int) -> int:
    return int(np.ceil(np.sqrt(count)))


def sprite(mapped: Mapped) -> np.ndarray:
    """Put small pictures of all objects into one image, uint8 ``(y, x, 3)``, row by row, as the projector wants it."""
    side, columns = THUMBNAIL, _columns(len(mapped.objid))
    sheet = np.full((columns * side, columns * side, 3), 40, np.uint8)
    for number, picture in enumerate(mapped.pictures):
        if picture is not None:
            y, x = divmod(number, columns)
            small = Image.fromarray(picture).resize((side, side), Image.Resampling.BILINEAR)
            sheet[y * side : (y + 1) * side, x * side : (x + 1) * side] = np.asarray(small)
    return sheet


def write_projector(folder: Path, features: np.ndarray, mapped: Mapped) -> None:
    """Write what TensorBoard's projector shows: the features themselves, the labels, the pictures.

    Parameters
    ----------
    folder : Path
    features : ndarray of float, shape (n, m)
    mapped : Mapped
        Whose objects the features are.
    """
    folder.mkdir(parents=True, exist_ok=True)
    np.savetxt(folder / "features.tsv", features, fmt="%.5g", delimiter="\t")
    table = {"objid": mapped.objid, "part": mapped.part, "label": mapped.labels()}
    pd.DataFrame(table).to_csv(folder / "labels.tsv", sep="\t", index=False)
    Image.fromarray(sprite(mapped)).save(folder / "pictures.png")
    config = projector.ProjectorConfig()
    embedding = config.embeddings.add()
    embedding.tensor_name = mapped.name
    embedding.tensor_path, embedding.metadata_path = "features.tsv", "labels.tsv"
    embedding.sprite.image_path = "pictures.png"
    embedding.sprite.single_image_dim.extend([THUMBNAIL, THUMBNAIL])
    projector.visualize_embeddings(str(folder), config)
