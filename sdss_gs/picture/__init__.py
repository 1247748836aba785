"""Pictures of frames, cut-outs and images: ``python -m sdss_gs image``."""
