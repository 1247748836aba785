"""Readers of the files that a data set holds, one module an input."""
