#!/usr/bin/env bash
# astropy 8.0.2: a column of signed bytes written to a FITS table comes back as True for every number but 0.
# Guess: it is stored as unsigned bytes (TFORM B) with TZERO -128, as the FITS standard (4.0, section 7.3.2, table 19) has it.
# Seen:  it is stored as a logical column (TFORM L): 1, 2 and -3 become the letter T, without a warning; the numbers are lost.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check astropy==8.0.2 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import numpy as np
from astropy.io import fits
from astropy.table import Table

Table({"class_number": np.array([1, 2, -3, 0], np.int8)}).write("bytes.fits")
form, back = fits.getheader("bytes.fits", 1)["TFORM1"], Table.read("bytes.fits")["class_number"]
print(f"TFORM1 = {form}; written 1, 2, -3, 0; read back {back.tolist()} ({back.dtype})")
assert form == "L" and back.tolist() == [True, True, True, False], "the behaviour has changed"
PYTHON
