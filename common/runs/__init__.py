"""Where runs are recorded: MLflow's store, TensorBoard's logs. Loads no TensorFlow before a run begins."""
