"""``zoo serve``: trained models as a service on the network, and one page to look at galaxies."""
