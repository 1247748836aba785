#!/usr/bin/env bash
# pyarrow 25.0.1 with pandas 3.1.1: to_numpy() of an array, and an array made of a list, import pandas.
# Guess: pyarrow imports pandas only where it is given something of pandas, or asked for it (to_pandas).
# Seen:  `array.to_numpy()` and `pa.array([0])` import pandas wherever it is installed, several hundred modules: a program
#        that reads a file and computes with numpy pays for it. Reading and computing inside pyarrow import nothing, and
#        where pandas is not installed the same calls do without it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pyarrow==25.0.1 pandas==3.1.1
cd "$folder"
cat > look.py <<'PYTHON'
import io
import sys
import time

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

calls = {"to_numpy": lambda: numbers.to_numpy(), "pa.array": lambda: pa.array([0])}
numbers = pyarrow.csv.read_csv(io.BytesIO(b"z\n0.1\n0.2\n"))["z"]
pc.sum(numbers)
before, count, began = "pandas" in sys.modules, len(sys.modules), time.process_time()
calls[sys.argv[1]]()
spent, after = time.process_time() - began, "pandas" in sys.modules
print(f"{sys.argv[1]}: pandas before {before}, after {after}; {len(sys.modules) - count} modules, {spent:.2f} CPU seconds")
assert after and not before, "the behaviour has changed"
PYTHON
"$folder/venv/bin/python" look.py to_numpy
"$folder/venv/bin/python" look.py pa.array
