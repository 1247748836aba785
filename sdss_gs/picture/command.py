"""``zoo data image``: options and files; the work is done in the modules beside this one."""

from __future__ import annotations

import sys
from pathlib import Path

from sdss_gs.arguments import HelpWithDefaults, add_command, with_examples
from sdss_gs.errors import BadFileError, OptionError
from sdss_gs.examples import EXAMPLES
from sdss_gs.files import replacing
from sdss_gs.formats.composite import BLACK, COLOURS, SMOOTHING, SOFTENING, STRETCH, WEIGHTS, compose, weights_of
from sdss_gs.inputs import refuse_inputs
from sdss_gs.logs import add_options, hidden
from sdss_gs.picture import INTERVALS, STRETCHES, THRESHOLDS
from sdss_gs.schema import BANDS

# The commands import what they need themselves, so that --help answers at once.
ORIENTATION = "the array's first row is at the bottom, as in DS9 (the picture is not turned to north)"
FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG"}


def add_parser(commands) -> None:
    """Add ``image`` and its commands to a parser's sub-commands."""
    text = "pictures of frames, cut-outs and images"
    image = commands.add_parser("image", help=text, formatter_class=HelpWithDefaults)
    image.description = with_examples(text, image.prog, EXAMPLES["image"])
    actions = image.add_subparsers(required=True, metavar="ACTION")

    def add(name, function, text):
        command = add_command(actions, name, function, text)
        add_options(command)
        return command

    convert = add("convert", _convert, f"frame or cut-out to PNG or JPEG; {ORIENTATION}")
    convert.add_argument("input", nargs="+", metavar="IN", help="FITS (also .bz2, .gz) or .npy cut-out")
    convert.add_argument("output", metavar="OUT", help=".png or .jpg; a folder when there are several inputs")
    convert.add_argument("--band", choices=BANDS, default="r", help="band of a cut-out")
    convert.add_argument("--stretch", choices=STRETCHES, default="asinh")
    convert.add_argument("--interval", choices=INTERVALS, default="zscale")
    convert.add_argument("--percent", type=float, default=99.5, help="share of pixels that --interval percentile keeps")

    rgb = add("rgb", _rgb, f"colour picture of three frames, aligned by WCS on RED, or of one cut-out; {ORIENTATION}")
    rgb.add_argument("input", nargs="+", metavar="IN", help="RED GREEN BLUE frames (for SDSS: i r g), or one cut-out")
    rgb.add_argument("output", metavar="OUT", help=".png or .jpg")
    rgb.add_argument("--weights", default=",".join(map(str, WEIGHTS)), help="of red, green and blue")
    rgb.add_argument("--stretch", type=float, default=STRETCH, help="nanomaggies per pixel shown linearly")
    rgb.add_argument("--softening", type=float, default=SOFTENING, help="Lupton's Q")
    rgb.add_argument("--black", type=float, default=BLACK, help="nanomaggies per pixel shown black")
    rgb.add_argument("--smoothing", type=float, default=SMOOTHING, help="pixels, of a Gaussian; 0: none")

    sheet = add("sheet", _sheet, "contact sheet of a data set's images, or of image files")
    sheet.add_argument("input", nargs="+", metavar="DS", help="SDSS-GS folder, or image files")
    sheet.add_argument("output", metavar="OUT", help=".png or .jpg")
    sheet.add_argument("--n", type=int, default=40, help="at most so many objects")
    sheet.add_argument("--columns", type=int, default=8)
    sheet.add_argument("--ids", help="comma-separated objids of the folder")

    crop = add("crop", _crop, "cut the object nearest the middle out: square, one size")
    crop.add_argument("input", metavar="IN", help="image, or folder of images")
    crop.add_argument("output", metavar="OUT", help=".png or .jpg, or folder")
    crop.add_argument("--threshold", choices=THRESHOLDS, default="otsu")
    crop.add_argument("--sigma", type=float, default=5.0, help="standard deviations above the background")
    crop.add_argument("--padding", type=float, default=0.1, help="free space on each side, fraction of the object")
    crop.add_argument("--size", type=int, default=150, help="side of the result in pixels")
    crop.add_argument("--grey", action="store_true", help="one channel")


def _save(pixels, path: Path, inputs: list[str | Path]) -> None:
    import numpy as np
    from PIL import Image

    refuse_inputs(path, map(Path, inputs))
    if path.suffix.lower() not in FORMATS:
        raise OptionError(f"{path}: expected a name that ends in {', '.join(FORMATS)}")
    picture = pixels if isinstance(pixels, Image.Image) else Image.fromarray(np.ascontiguousarray(pixels))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            picture.save(temporary, FORMATS[path.suffix.lower()], **({} if path.suffix == ".png" else {"quality": 95}))
    except OSError as error:
        raise OptionError(f"{path}: cannot be written ({error})") from None


def _convert(options) -> int:
    from tqdm import tqdm

    from sdss_gs.picture.frames import read_band, to_picture

    output = Path(options.output)
    many = len(options.input) > 1
    targets = [output / f"{Path(path).name}.png" if many else output for path in options.input]
    if len(set(targets)) < len(targets):
        raise OptionError("expected inputs with different file names, found two that are the same")
    for path, target in tqdm(list(zip(options.input, targets, strict=True)), disable=hidden(many)):
        pixels = read_band(path, options.band)
        _save(to_picture(pixels, options.stretch, options.interval, options.percent), target, [path])
    print(output)
    return 0


def _rgb(options) -> int:
    from sdss_gs.formats.fits import read_any
    from sdss_gs.picture.frames import align, read_frame

    weights = weights_of(options.weights)
    if not (options.stretch > 0 and options.softening > 0 and options.smoothing >= 0):
        found = f"{options.stretch}, {options.softening} and {options.smoothing}"
        raise OptionError(f"expected --stretch and --softening above 0, --smoothing of 0 or more, found {found}")
    if len(options.input) == 1:
        cutout = read_any(options.input[0])
        layers = [cutout[..., BANDS.index(band)] for band in COLOURS]
    elif len(options.input) == 3:
        red, *others = (read_frame(path) for path in options.input)
        layers = [red.pixels, *(align(other, red) for other in others)]
    else:
        raise OptionError(f"expected RED GREEN BLUE or one cut-out before OUT, found {len(options.input)} files")
    picture = compose(layers, options.stretch, options.softening, weights, options.black, options.smoothing)
    _save(picture, Path(options.output), options.input)
    print(options.output)
    return 0


def _sheet(options) -> int:
    from sdss_gs.picture.sheet import caption, draw_sheet

    if len(options.input) == 1 and Path(options.input[0]).is_dir():
        from sdss_gs.dataset import open_catalogue
        from sdss_gs.formats.raw import list_paths

        catalogue, paths = open_catalogue(options.input[0]), list_paths(options.input[0], "img")
        known = [number for number in catalogue.objid.tolist() if number in paths]
        ids = known if options.ids is None else [int(part) for part in options.ids.split(",") if part.strip().isdigit()]
        unknown = sorted(set(ids) - set(known))
        if unknown or not ids:
            raise OptionError(f"--ids: expected objids of {options.input[0]} with an image, found {unknown or 'none'}")
        thumbnails = [(Path(paths[number]), caption(catalogue, number)) for number in ids]
    else:
        thumbnails = [(Path(path), [Path(path).stem]) for path in options.input]
    picture, problems = draw_sheet(thumbnails[: max(options.n, 0)], options.columns)
    _save(picture, Path(options.output), options.input)
    print("\n".join([*problems, str(options.output)]))
    return 1 if problems else 0


def _crop(options) -> int:
    import numpy as np
    from PIL import Image
    from tqdm import tqdm

    from sdss_gs.picture.crop import crop, find_region

    if options.size < 1:
        raise OptionError(f"--size {options.size}: expected at least 1 pixel")
    source, output = Path(options.input), Path(options.output)
    many = source.is_dir()
    paths = sorted(p for p in source.iterdir() if p.suffix.lower() in FORMATS) if many else [source]
    if not paths:
        raise OptionError(f"{source}: expected images that end in {', '.join(FORMATS)}, found none")
    bad = 0
    for path in tqdm(paths, unit=" images", disable=hidden(many)):
        try:
            with Image.open(path) as image:
                pixels = np.asarray(image.convert("L" if image.mode == "L" else "RGB"))
        except (OSError, SyntaxError, ValueError) as error:
            problem = BadFileError(path, f"expected an image, found an unreadable file ({error})")
            if not many:
                raise problem from None
            bad += 1
            tqdm.write(str(problem), file=sys.stderr)
            continue
        region = find_region(pixels, options.threshold, options.sigma, options.padding)
        if not region.found:
            tqdm.write(f"{path}: nothing stands out, the middle was cut", file=sys.stderr)
        _save(crop(pixels, region, options.size, options.grey), output / path.name if many else output, [path])
    print(f"{len(paths) - bad:,} cropped, {bad:,} unreadable: {output}")
    return 1 if bad else 0
