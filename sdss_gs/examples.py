"""The examples in the help of ``zoo data``: what follows a command's name. A test runs them.

``DS`` is a data set, ``NEW`` a folder that is not there yet.
"""

FIRST = ("sample NEW", "info DS", "verify DS")
"""Those that the help of the command itself shows."""
EXAMPLES = {
    "download": ("", "DS --inputs img", "DS --from images.zip data.csv"),
    "info": ("DS", "DS --json"),
    "verify": ("DS", "DS --processes 4"),
    "sample": ("NEW", "NEW --n 200 --seed 1"),
    "spectra": ("NEW --templates FOLDER", "NEW --templates FOLDER --n 500 --classes STAR,GALAXY,QSO"),
    "pack": ("DS", "DS --inputs img,fits"),
    "build": ("NEW --top 1000", "NEW --ids ids.txt --inputs img", "NEW --top 1000 --show-query"),
    "cite": ("", "--bibtex"),
    "explore": ("DS", "DS --output page.html --floor 20"),
    "image": ("sheet DS sheet.png", "rgb cutout.npy picture.png"),
    "convert": ("cutout.npy picture.png --band g", "frame-r.fits.bz2 picture.png --interval percentile"),
    "rgb": ("cutout.npy picture.png", "frame-i.fits frame-r.fits frame-g.fits picture.jpg"),
    "sheet": ("DS sheet.png --n 20", "DS/img/1.jpeg DS/img/2.jpeg sheet.png"),
    "crop": ("picture.jpg cropped.png --size 150", "pictures NEW --threshold sigma"),
    "import": ("catalogue galaxies.csv NEW --column r=rmag", "tree pictures NEW --target shape"),
    "export": ("DS NEW", "DS NEW --format webdataset --shard-mb 100"),
}
