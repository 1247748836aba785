"""What a model predicts: coding, scores, calibration, columns, flags."""
