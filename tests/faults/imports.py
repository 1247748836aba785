"""What other projects ship, for damage: answers, catalogues and images that ``sdss_gs import`` takes."""

import io
import tempfile
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet
from conftest import write_image
from PIL import Image

from sdss_gs.decision_tree import KAGGLE, TREES
from sdss_gs.exchange.importing import import_set
from sdss_gs.schema import MORPHOLOGIES
from sdss_gs.tables.catalogue import read_catalogue

NAMES = ("100008", "100023", "100053")


def reader(source, place=lambda path: path, **options):
    """Return a function that imports what lies at a path, and looks at what came of it."""

    def read(path):
        with tempfile.TemporaryDirectory() as folder:
            target = Path(folder) / "ds"
            taken, *_ = import_set(source, place(path), target, **options)
            catalogue = read_catalogue(target)
            assert len(catalogue) == taken > 0
            for number in catalogue.objid.tolist():
                with Image.open(target / "img" / f"{number}.jpg") as image:
                    image.load()
                    assert image.mode == "RGB"

    return read


def answers(folder):
    """Write images and answers of the Galaxy Zoo challenge."""
    (folder / "images_training_rev1").mkdir(exist_ok=True)
    for name in NAMES:
        write_image(folder / "images_training_rev1" / f"{name}.jpg", 60)
    tree = TREES[KAGGLE]
    shares = np.repeat(1.0 / np.repeat(tree.sizes(), tree.sizes())[None], len(NAMES), axis=0)
    lines = [",".join(["GalaxyID", *tree.columns])]
    lines += [
        ",".join([name, *(f"{v:.6f}" for v in one)]) for name, one in zip(NAMES, tree.weighted(shares), strict=True)
    ]
    return ["\n".join(lines).encode()]


def catalogue(folder):
    """Write images and a catalogue of Galaxy Zoo 2, with shares and without."""
    for name in NAMES:
        write_image(folder / f"{name}.jpg", 60)
    columns = TREES["gz2"].columns
    common = {"id_str": NAMES, "file_loc": [f"/home/me/{name}.jpg" for name in NAMES], "RA": [1.0, 2.0, 3.0]}
    counts = {name.removesuffix("_fraction"): [3, 4, 0] for name in columns}
    made = []
    for more in (counts, {name: [0.5, 0.25, 0.0] for name in columns}):
        file = io.BytesIO()
        pa.parquet.write_table(pa.table(common | more), file, compression="none")
        made.append(file.getvalue())
    return made


def galaxy10(folder):
    """Write Galaxy10 DECaLS, of few small images."""
    path = folder / "made.h5"
    with h5py.File(path, "w") as file:
        file["images"] = np.random.default_rng(0).integers(0, 255, (4, 120, 120, 3), np.uint8)
        file["ans"] = np.arange(4, dtype=np.uint8) % len(MORPHOLOGIES)
        file["ra"], file["dec"], file["redshift"] = np.arange(4.0), np.arange(4.0), np.array([0.1, 0.2, np.nan, 0.3])
        file["pxscale"] = np.full(4, 0.262)
    content = path.read_bytes()
    path.unlink()
    return [content]


def pictures(folder):
    """Write images of a class folder."""
    made = []
    for format_name, mode in (("JPEG", "RGB"), ("PNG", "RGB"), ("PNG", "P"), ("JPEG", "L")):
        file = io.BytesIO()
        noise = np.random.default_rng(0).integers(0, 255, (120, 130, 3), np.uint8)
        Image.fromarray(noise).convert(mode).save(file, format_name)
        made.append(file.getvalue())
    (folder / "spiral").mkdir(exist_ok=True)
    return made


def labels(folder):
    """Write images and a table that names them."""
    for name in NAMES:
        write_image(folder / f"{name}.jpg", 60)
    rows = [f"{name}.jpg,ring,0.5" for name in NAMES]
    return ["\n".join([header, *rows]).encode() for header in ("filename,shape,share", "id,shape,share")]


READERS = {
    "table of labels": ("labels.csv", labels, reader("labels")),
    "answers of the Galaxy Zoo challenge": (
        "training_solutions_rev1.csv", answers, reader("kaggle", lambda path: path.parent),
    ),
    "catalogue of Galaxy Zoo 2": ("gz2.parquet", catalogue, reader("gz2")),
    "Galaxy10 (HDF5)": ("galaxy10.h5", galaxy10, reader("galaxy10")),
    "image of a class folder": ("spiral/1.png", pictures, reader("tree", lambda path: path.parent.parent)),
}  # fmt: skip
