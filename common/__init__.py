"""The training core of the zoo: how any model is fitted, judged, kept and used."""
