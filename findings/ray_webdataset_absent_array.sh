#!/usr/bin/env bash
# Ray 2.60.0: read_webdataset fails when one sample lacks an array (.npy) that others have.
# Guess: as for an absent text or JSON member, the sample has None there.
# Seen:  ValueError: Tried to cast column npy to the TensorArray tensor extension type but the conversion failed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'ray[data]==2.60.0' numpy==2.4.6 pandas==3.1.1 pyarrow==25.0.1
cd "$folder"
export RAY_USAGE_STATS_ENABLED=0
"$folder/venv/bin/python" - <<'PYTHON'
import io
import tarfile

import numpy as np
import ray


def write(path, members):
    with tarfile.open(path, "w") as tar:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))


stream = io.BytesIO()
np.save(stream, np.zeros((2, 2), np.float32))
write("text.tar", [("1.json", b"{}"), ("1.txt", b"x"), ("2.json", b"{}")])
write("array.tar", [("1.json", b"{}"), ("1.npy", stream.getvalue()), ("2.json", b"{}")])
ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False)
rows = ray.data.read_webdataset("text.tar").take_all()
print("an absent text:", [row["txt"] for row in rows])
assert [row["txt"] for row in rows] == ["x", None], "the behaviour has changed"
try:
    ray.data.read_webdataset("array.tar").take_all()
except Exception as error:
    print("an absent array:", next(line for line in str(error).splitlines() if "TensorArray" in line)[:120])
else:
    raise SystemExit("the behaviour has changed")
PYTHON
