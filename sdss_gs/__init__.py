"""The data package of the zoo: what the inputs and outputs are, and how they are read, checked, packed and split.

It imports neither keras, tensorflow nor mlflow, so that its commands start in well under a second.
"""

__version__ = "0.2.0"
