#!/usr/bin/env bash
# CFITSIO 4.6 (in fitsio 1.4.2): a row filter compares 64-bit integers as doubles.
# Guess: the filter objid == 1237648721249206521 finds the one row with that id; the column is an exact integer (TFORM K).
# Seen:  it finds its neighbours too: doubles have 53 binary digits, and around 1.2e18 (SDSS's objid) 256 ids are one double.
#        gnuastro's asttable --equal, of its own code, does the same; STILTS compares exactly when the number ends in L.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check fitsio==1.4.2 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import fitsio
import numpy as np

ids = 1237648721249206521 + np.array([-1000, -1, 0, 1, 1000])
with fitsio.FITS("ids.fits", "rw") as file:
    file.write(np.array([(one,) for one in ids], [("objid", "i8")]))
    rows = file[1].where(f"objid == {ids[2]}")
print("asked for", ids[2], "found", ids[rows])
assert rows.tolist() == [1, 2, 3], "the behaviour has changed"
PYTHON
