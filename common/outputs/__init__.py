"""What a model predicts: the kinds of output, their scores and calibration, and the flags of a prediction."""
