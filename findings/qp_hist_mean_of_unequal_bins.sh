#!/usr/bin/env bash
# qp-prob 1.1.4: the mean of a histogram whose bins are not equally wide is taken as if all were as wide as the first.
# Guess: qp.hist takes any ascending borders, so mean() is the integral of x p(x), as its cdf and median are right.
# Seen:  cdf and median are right, the mean is not; nothing is said. Resampled to equal bins it is right.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check qp-prob==1.1.4
cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import numpy as np
import qp

borders = np.array([0.0, 0.1, 0.2, 1.0])
shares = np.array([[0.25, 0.25, 0.5]])
density = shares / np.diff(borders)
right = float((shares * (borders[1:] + borders[:-1]) / 2).sum())
unequal = qp.Ensemble(qp.hist, data={"bins": borders, "pdfs": density})
equal_borders = np.linspace(0, 1, 11)
cumulative = np.interp(equal_borders, borders, np.concatenate([[0], np.cumsum(shares)]))
equal = qp.Ensemble(qp.hist, data={"bins": equal_borders, "pdfs": np.diff(cumulative)[None] / 0.1})
means = [float(np.ravel(one.mean())[0]) for one in (unequal, equal)]
medians = [float(np.ravel(one.median())[0]) for one in (unequal, equal)]
print(f"mean: right {right:.4f}, unequal bins {means[0]:.4f}, equal bins {means[1]:.4f}")
print(f"median: right 0.2000, unequal bins {medians[0]:.4f}, equal bins {medians[1]:.4f}")
assert abs(means[1] - right) < 1e-6 and abs(means[0] - right) > 0.01, "the behaviour has changed"
assert max(abs(one - 0.2) for one in medians) < 1e-3, "the behaviour has changed"
PYTHON
