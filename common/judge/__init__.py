"""A trained network before its judges: scores beside baselines, figures, card and report."""
