"""Pictures of frames, cut-outs and images: ``zoo data image``."""

STRETCHES = {
    "asinh": "AsinhStretch", "linear": "LinearStretch", "log": "LogStretch", "sqrt": "SqrtStretch",
    "squared": "SquaredStretch", "sinh": "SinhStretch",
}  # fmt: skip
INTERVALS = {"zscale": "ZScaleInterval", "minmax": "MinMaxInterval", "percentile": "PercentileInterval"}
"""What grey levels can be made by, and the classes of astropy.visualization that do it."""
THRESHOLDS = ("otsu", "sigma")
"""How the objects of an image are told from its background, see `sdss_gs.picture.crop`."""
