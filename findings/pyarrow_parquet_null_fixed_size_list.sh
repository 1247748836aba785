#!/usr/bin/env bash
# pyarrow 25.0.1: a Parquet file with a null in a column of fixed-size lists can be written, and then not be read.
# Guess: a galaxy without an embedding is a null in the column, and comes back as one.
# Seen:  writing succeeds; reading, by the same version, is refused: "Expected all lists to be of size=3". Nulls inside a list
#        that is there are fine: that is how a missing vector can be kept.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pyarrow==25.0.1
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import pyarrow as pa
import pyarrow.parquet as pq

kind = pa.list_(pa.float32(), 3)
pq.write_table(pa.table({"features": pa.array([[1, 2, 3], None, [4, 5, 6]], kind)}), "null.parquet")
try:
    print(f"read back: {pq.read_table('null.parquet')['features'].to_pylist()}")
    raise SystemExit("the behaviour has changed")
except pa.ArrowInvalid as error:
    print(f"a null list: ArrowInvalid: {error}")
    assert "Expected all lists to be of size=3" in str(error), "the behaviour has changed"
pq.write_table(pa.table({"features": pa.array([[1, 2, 3], [None] * 3, [4, 5, 6]], kind)}), "inside.parquet")
print(f"nulls inside a list: {pq.read_table('inside.parquet')['features'].to_pylist()}")
PYTHON
