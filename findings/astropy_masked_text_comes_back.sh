#!/usr/bin/env bash
# astropy 8.0.2: a masked text of a VOTable (BINARY2) or of HDF5 (with serialize_meta) is read as the text under the mask.
# Guess: both forms have a place for "no value" (a bit of each row in BINARY2; a column of masks that serialize_meta adds), so
#        that what was masked comes back masked, as it does in ECSV and Parquet.
# Seen:  integers, floats and logical values do come back masked. Texts come back unmasked, and show what was hidden: a class
#        that had been withdrawn is a class again. The files are right: the bit is set, the column of masks says True. In a
#        VOTable of the default form (TABLEDATA) the text is empty, and not masked either.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check astropy==8.0.2 numpy==2.4.6 h5py==3.14.0 \
    pandas==3.1.1 pyarrow==25.0.1 pyyaml==6.0.4
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import h5py
from astropy.table import MaskedColumn, Table

mask = [False, True]
table = Table(
    {
        "objid": MaskedColumn([1, 2], mask=mask),
        "redshift": MaskedColumn([0.1, 0.2], mask=mask),
        "clean": MaskedColumn([True, True], mask=mask),
        "subclass": MaskedColumn(["AGN", "BROADLINE"], mask=mask),
    }
)
forms = {
    "t.ecsv": ({}, {}),
    "t.parquet": ({}, {}),
    "tabledata.vot": ({"format": "votable"}, {}),
    "binary2.vot": ({"format": "votable", "tabledata_format": "binary2"}, {}),
    "t.hdf5": ({"path": "t", "serialize_meta": True}, {"path": "t"}),
}
texts = {}
for name, (to_write, to_read) in forms.items():
    table.write(name, **to_write)
    back = Table.read(name, **to_read)
    second = [back[column].tolist()[1] for column in back.colnames]
    print(f"{name}: {second}")
    assert second[:3] == [None, None, None], "the behaviour has changed"
    texts[name] = second[3]
with h5py.File("t.hdf5") as file:
    print("in t.hdf5:", file["t"].dtype.names, file["t"][1])
    assert file["t"]["subclass.mask"].tolist() == mask, "the behaviour has changed"
assert texts == {
    "t.ecsv": None,
    "t.parquet": None,
    "tabledata.vot": "",
    "binary2.vot": "BROADLINE",
    "t.hdf5": "BROADLINE",
}, "the behaviour has changed"
PYTHON
