"""A training run: session, fit, device, folds, sweeps."""
