#!/usr/bin/env bash
# astropy 8.0.2: a FITS table with a column that has no TTYPE cannot be read, though the standard does not require one.
# Guess: such a column gets a name of astropy's own (col2), or is left out; FITS standard 4.0, section 7.3.2, only
#        recommends TTYPE.
# Seen:  the header opens and lists the names ['objid', None]; asking for the rows ends in numpy's words, "field names must
#        be strings", also where only the named column is wanted. With a name given to the column first, all is read.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check astropy==8.0.2 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
from astropy.io import fits

named = fits.Column("objid", "K", array=[1, 2]), fits.Column("mag", "D", array=[17.5, 18.5])
fits.BinTableHDU.from_columns(named).writeto("table.fits")
with open("table.fits", "rb+") as file:
    content = file.read()
    place = content.index(b"TTYPE2")
    file.seek(place)
    file.write(b"COMMENT the second column has no name".ljust(80))
with fits.open("table.fits") as units:
    print(f"names: {units[1].columns.names}")
    try:
        answer = str(units[1].data["objid"])
    except Exception as error:
        answer = f"{type(error).__name__}: {error}"
    print(f"data: {answer}")
with fits.open("table.fits") as units:
    units[1].columns[1].name = "second"
    renamed = units[1].data["second"].tolist()
    print(f"with a name: {renamed}")
assert answer == "ValueError: field names must be strings" and renamed == [17.5, 18.5], "the behaviour has changed"
PYTHON
