#!/usr/bin/env bash
# STILTS 3.4.7 (Debian 3.4.7-4): a MOC 2.0 file, whose rows are ranges, is an empty region.
# Guess: inMoc("region.fits", ra, dec) is true inside the region, or the file is refused.
# Seen:  it is false everywhere, without a word; the same region as the UNIQ numbers of MOC 1 is right.
set -euo pipefail
command -v stilts > /dev/null || { echo "needs Debian's STILTS 3.4.7: apt-get install stilts" >&2; exit 1; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check mocpy==0.21.0 astropy==8.0.2 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
from astropy import units as u
from mocpy import MOC

region = MOC.from_cone(lon=10 * u.deg, lat=0 * u.deg, radius=1 * u.deg, max_depth=9)
region.save("one.fits", format="fits", v1_compatible=True)
region.save("two.fits", format="fits", v1_compatible=False)
PYTHON
printf 'ra,dec\n10,0\n50,0\n' > places.csv
for version in one two; do
    stilts tpipe in=places.csv ifmt=csv cmd="addcol inside 'inMoc(\"$folder/$version.fits\", ra, dec)'" ofmt=csv > $version.csv
    echo "MOC of version $version:" $(cat $version.csv)
done
grep -qx '10,0,true' one.csv && grep -qx '10,0,false' two.csv || { echo "the behaviour has changed" >&2; exit 1; }
