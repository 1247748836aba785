"""Where runs are recorded: MLflow's store, TensorBoard's logs. Loads no TensorFlow before a run begins."""

import warnings

# In a notebook without ipywidgets MLflow's progress bars say that they will be plain ones.
warnings.filterwarnings("ignore", "IProgress not found")
