#!/usr/bin/env bash
# astropy 8.0.2: a masked value of a logical column is written to FITS as true.
# Guess: it is written as the zero byte, which the FITS standard (4.0, section 7.3.2) has for "no value", or at least as what
#        lies under the mask.
# Seen:  it is written as T, though False lies under the mask, and comes back unmasked: "not measured" has become "yes".
#        Masked integers (TNULL), floats (NaN) and strings (empty) of the same table come back masked.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check astropy==8.0.2 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
from astropy.table import MaskedColumn, Table

mask = [False, True, False]
Table(
    {
        "is_clean": MaskedColumn([True, False, False], mask=mask),
        "run": MaskedColumn([756, 1992, 3918], mask=mask),
        "redshift": MaskedColumn([0.1, 0.2, 0.3], mask=mask),
        "subclass": MaskedColumn(["AGN", "AGN", "AGN"], mask=mask),
    }
).write("flags.fits")
back = Table.read("flags.fits")
for name in back.colnames:
    print(f"{name}: {[str(value) for value in back[name]]}")
assert [str(value) for value in back["is_clean"]] == ["True", "True", "False"], "the behaviour has changed"
assert all(str(back[name][1]) == "--" for name in ("run", "redshift", "subclass")), "the behaviour has changed"
PYTHON
