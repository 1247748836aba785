#!/usr/bin/env bash
# astropy 8.0.2: in columns of unsigned integers, TNULL names another number than the one that is stored for a masked value.
# Guess: TNULL is the integer that stands in the file, before TZERO is added, as the FITS standard (4.0, section 7.3.2) says.
# Seen:  TNULL is 999999, but what stands in the file is 999999 - 2^63: a reader that compares the stored integer with TNULL
#        takes a missing SDSS specObjID for the id 999999. astropy compares after adding TZERO, and so sees it as missing,
#        but with it also an object whose id really is 999999.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check astropy==8.0.2 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import numpy as np
from astropy.io import fits
from astropy.table import MaskedColumn, Table

ids = MaskedColumn(np.array([11530774492817285120, 1, 999999], np.uint64), mask=[False, True, False])
Table({"specObjID": ids}).write("ids.fits")
header = fits.getheader("ids.fits", 1)
with open("ids.fits", "rb") as file:
    file.seek(2 * 2880)
    stored = np.frombuffer(file.read(24), ">i8")
back = [str(value) for value in Table.read("ids.fits")["specObjID"]]
print(f"TNULL1 = {header['TNULL1']}, TZERO1 = {header['TZERO1']}")
print(f"stored for the masked id: {stored[1]} = {int(stored[1]) + 2**63} - 2^63")
print(f"astropy reads back: {back}")
assert header["TNULL1"] == 999999 and int(stored[1]) == 999999 - 2**63, "the behaviour has changed"
assert back == ["11530774492817285120", "--", "--"], "the behaviour has changed"
PYTHON
