#!/usr/bin/env bash
# pz-rail-base 2.0.11, tables_io 1.1.3: no estimator takes a Parquet file, though informers and handles do.
# Guess: a table is a table: RAIL's TableHandle reads Parquet and tables_io iterates over it, so that an estimator, which goes
#        through its input in chunks, takes the file that the informer took. With hdf5_groupname="" there is no group to look for.
# Seen:  the handle reads the file and the informer trains on it. Every estimator fails on it with a TypeError of pyarrow:
#        RailStage hands the option groupname of HDF5 files on to pyarrow.parquet.read_table, whatever it is. As HDF5 the same
#        table is fine.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pz-rail-base==2.0.11 tables_io==1.1.3 qp-prob==1.1.4 \
    ceci==2.7 pyarrow pandas h5py
cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import logging

import numpy as np
import pandas as pd
import structlog
import tables_io

structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
from rail.core.data import TableHandle
from rail.estimation.algos.train_z import TrainZEstimator, TrainZInformer

redshift = np.random.default_rng(0).uniform(0, 1, 500)
pd.DataFrame({"redshift": redshift}).to_parquet("galaxies.pq")
tables_io.write({"redshift": redshift}, "galaxies", fmt="hdf5")

table = TableHandle("table", path="galaxies.pq").read()
model = TrainZInformer.make_stage(name="inform", hdf5_groupname="").inform(table)
seen = {}
for ending in ("hdf5", "pq"):
    stage = TrainZEstimator.make_stage(name=ending, model=model, input=f"galaxies.{ending}", hdf5_groupname="", chunk_size=200)
    try:
        stage.run()
        stage.finalize()
        seen[ending] = f"{stage.get_handle('output').read(force=True).npdf} distributions"
    except TypeError as error:
        seen[ending] = f"TypeError: {error}"
    print(f"{ending:5} {seen[ending]}")
print(f"read whole: {len(table)} rows")
assert len(table) == 500, "the behaviour has changed"
assert seen["hdf5"] == "500 distributions", "the behaviour has changed"
assert "groupname" in seen["pq"], "the behaviour has changed"
PYTHON
