"""Raw files read once, into memory-mapped arrays."""
