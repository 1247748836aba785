#!/usr/bin/env bash
# pz-rail-base 2.0.11: the summary statistic z_q84 of an estimator is the quantile of 85 %.
# Guess: with calc_summary_stats=True, z_q16 and z_q84 are the quantiles of 16 and 84 %, so that half of their difference is a
#        standard deviation of a normal distribution.
# Seen:  z_q16, z_q2p5 and z_median are what they are called, z_q84 is the quantile of .85: of a normal distribution it lies 4 %
#        too far out, and between the two are 69 % instead of 68 %. (The one of 97.5 % is called z_97p5, without a q.)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pz-rail-base==2.0.11 tables_io==1.1.3 qp-prob==1.1.4 \
    ceci==2.7
cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import logging

import numpy as np
import qp
import structlog
from scipy.stats import norm

structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
from rail.estimation.estimator import CatEstimator


class Normal(CatEstimator):
    """Says of every galaxy: a redshift of 1 ± 0.1."""

    name = "Normal"

    def open_model(self, **_options):
        return None

    def _process_chunk(self, start, end, data, first):
        ones = np.ones((end - start, 1))
        self._do_chunk_output(qp.Ensemble(qp.stats.norm, {"loc": ones, "scale": 0.1 * ones}), start, end, first, data=data)


stage = Normal.make_stage(name="normal", hdf5_groupname="", calc_summary_stats=True)
ancil = stage.estimate({"redshift": np.ones(3)}).data.ancil
seen = {name: float(norm.cdf((np.ravel(ancil[f"z_{name}"])[0] - 1) / 0.1)) for name in ("q2p5", "q16", "median", "q84", "97p5")}
for name, level in seen.items():
    print(f"z_{name:7} is the quantile of {level:.4f}")
said = {"q2p5": 0.025, "q16": 0.16, "median": 0.5, "97p5": 0.975}
assert all(abs(seen[name] - level) < 1e-3 for name, level in said.items()), "the behaviour has changed"
assert abs(seen["q84"] - 0.85) < 1e-3, "the behaviour has changed"
PYTHON
