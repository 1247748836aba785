"""Maps of a data set as a model sees it: its features in two dimensions, as pictures and as a page to explore."""
