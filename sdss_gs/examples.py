"""The examples in the help of ``zoo data``: what follows a command's name. A test runs them.

``DS`` is a data set, ``NEW`` a folder that is not there yet, ``examples`` that of the zoo.
"""

FIRST = ("sample NEW", "info DS", "verify DS")
"""Those that the help of the command itself shows."""
EXAMPLES = {
    "download": ("", "DS --inputs img", "DS --from images.zip data.csv"),
    "info": ("DS", "DS --json"),
    "verify": ("DS", "DS --quiet"),
    "sample": ("NEW", "NEW --n 100 --seed 1"),
    "spectra": ("NEW --templates FOLDER", "NEW --templates FOLDER --n 500 --classes STAR,GALAXY,QSO"),
    "pack": ("DS", "DS --inputs img,fits"),
    "build": ("NEW --top 1000", "NEW --ids ids.txt --inputs img", "NEW --top 1000 --show-query"),
    "cite": ("", "--bibtex"),
    "explore": ("DS", "DS --output page.html --floor 20"),
    "image": ("sheet DS sheet.png", "rgb cutout.npy picture.png"),
    "convert": ("cutout.npy picture.png --band g", "frame-r.fits.bz2 picture.png --interval percentile"),
    "rgb": ("cutout.npy picture.png", "frame-i.fits frame-r.fits frame-g.fits picture.jpg"),
    "sheet": ("DS sheet.png --n 20", "picture.png picture.jpg sheet.png"),
    "crop": ("picture.jpg cropped.png --size 150", "pictures NEW --threshold sigma"),
    "import": (
        "catalogue examples/galaxies.csv NEW --column redshift=spectroscopic_redshift",
        "tree classes NEW --target shape",
    ),
    "export": ("DS NEW", "DS NEW --format webdataset --shard-mb 100"),
}
