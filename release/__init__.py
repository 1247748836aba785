"""make release: the version is written, sdist and wheel are built, and both are tried where the repository is not."""
