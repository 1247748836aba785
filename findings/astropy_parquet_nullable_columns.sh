#!/usr/bin/env bash
# astropy 8.0.2: Table.read of a Parquet file rounds integers where one is null, and fails on text where one is null.
# Guess: a nullable int64 becomes a masked integer column, exact, and a nullable text a masked text column, as from VOTable.
# Seen:  the integers become float64 (9007199254740993 -> 9007199254740992.0, null -> nan) without a word; of the text,
#        TypeError: object of type 'NoneType' has no len(). pyarrow.parquet.read_table and pandas with
#        dtype_backend="numpy_nullable" read both as they are.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check astropy==8.0.2 numpy==2.4.6 pandas==3.1.1 pyarrow==25.0.1
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import pyarrow as pa
import pyarrow.parquet as pq
from astropy.table import Table

pq.write_table(pa.table({"id": pa.array([2**53 + 1, None], pa.int64())}), "ids.parquet")
pq.write_table(pa.table({"name": pa.array(["a", None], pa.string())}), "names.parquet")
ids = Table.read("ids.parquet")["id"]
print(ids.dtype, ids.tolist())
assert ids.dtype == float and ids[0] == 2**53, "the behaviour has changed"
try:
    Table.read("names.parquet")
except TypeError as error:
    print("TypeError:", error)
else:
    raise SystemExit("the behaviour has changed")
PYTHON
