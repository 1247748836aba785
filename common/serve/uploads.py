"""Files that a request brings: an image, a cut-out or a spectrum, read as the zoo reads its own."""

from __future__ import annotations

import contextlib
import gzip
import io
import logging
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath

import numpy as np
from fastapi import HTTPException, Request
from python_multipart.exceptions import FormParserError
from starlette.datastructures import FormData

from common.data.sources import Loaded
from common.data.sources.files import ENDINGS, ending_of, read_object
from common.models.model import Model
from common.serve.batch import PDF, PDF_SCHEMA
from common.serve.refusals import refused
from sdss_gs.errors import BadFileError
from sdss_gs.formats import img
from sdss_gs.formats.compressed import MAGIC
from sdss_gs.formats.fits_units import open_fits
from sdss_gs.formats.raw import FITS_ENDINGS, STANDARD_GRIDS
from sdss_gs.schema import SPECTRUM_COLUMNS, Input

LOG = logging.getLogger("zoo.serve")
IMAGES = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF", b"II*\0", b"MM\0*")
NPY, FITS, GZIP = b"\x93NUMPY", b"SIMPLE  =", b"\x1f\x8b"
FIELDS = "form: expected a file in the field file, and text in any other field"
LARGEST_UNPACKED = 32 * 2**20
"""Bytes to which an upload may be unpacked."""
SCHEMA = {
    "type": "object",
    "required": ["file"],
    "properties": {
        "file": {"type": "string", "format": "binary"},
        "scale": {"type": "number", "description": "arcsec per pixel of an image"},
        PDF: PDF_SCHEMA,
    },
    "additionalProperties": False,
}
"""Of a form, for OpenAPI."""
BEGINNINGS = {
    **dict.fromkeys(img.ENDINGS, IMAGES), ".npy": (NPY,),
    **{ending: (GZIP,) if ending.endswith(".gz") else (FITS,) for ending in FITS_ENDINGS}, ".csv.gz": (GZIP,),
}  # fmt: skip
"""How a file of each ending begins: anything else (an archive, another picture format) is not even opened."""


@dataclass(frozen=True)
class Upload:
    """A form with a file.

    Parameters
    ----------
    name : str
        Of the file; only its ending counts.
    content : bytes
    scale : str
        Arcsec per pixel of an image; empty for the zoo's own.
    pdf : str
        See `Model.with_pdf`; empty where no distribution is wanted.
    """

    name: str
    content: bytes
    scale: str = ""
    pdf: str = ""


async def read_form(request: Request) -> Upload:
    """Read an upload.

    Raises
    ------
    HTTPException
        400 for a form that is not complete or has other fields, 507 if it cannot be kept.
    """
    async with opened_form(request, SCHEMA, 1) as form:
        file, texts = form.get("file"), [form.get(name, "") for name in ("scale", "pdf")]
        if file is None or isinstance(file, str) or not all(isinstance(text, str) for text in texts):
            raise HTTPException(400, FIELDS)
        return Upload(file.filename or "", await file.read(), *(text.strip() for text in texts))


@contextlib.asynccontextmanager
async def opened_form(request: Request, schema: Mapping, files: int, fields: int = 8) -> AsyncIterator[FormData]:
    """Read a form while it comes, and forget its files in the end.

    Parameters
    ----------
    request : Request
    schema : mapping
        For OpenAPI; no other fields are taken.
    files, fields : int
        How many there may be, at most.

    Raises
    ------
    HTTPException
        400 for a form that is not complete, has too many parts or other fields, 507 if it cannot be kept.
    """
    try:
        form = await request.form(max_files=files, max_fields=fields)
    except (KeyError, FormParserError) as error:
        # Older Starlettes let the parser's own errors through.
        raise HTTPException(400, f"form: expected a complete one, found {error}") from None
    except OSError as error:
        # A file of over a megabyte is kept on disk as it comes.
        raise no_room(error) from None
    try:
        if unknown := [key for key in form if key not in schema["properties"]]:
            raise refused("form", f"no fields but {', '.join(schema['properties'])}", unknown[0])
        yield form
    finally:
        await form.close()


def read_upload(model: Model, upload: Upload) -> dict[str, Loaded]:
    """Read an uploaded file.

    Parameters
    ----------
    model : Model
        Of several inputs that a file may hold, the first is read.
    upload : Upload

    Returns
    -------
    dict of str to Loaded
        The input that was read.

    Raises
    ------
    HTTPException
        415 for another kind of file than the model takes, 422 for one that is damaged or of a size that cannot enter,
        507 if it cannot be kept while it is read.
    """
    given, content = PurePath(upload.name.replace("\\", "/")), upload.content
    ending = ending_of(given.name) or given.suffix.lower()
    item, arcsec = _checked_kind(model, ending, content), _scale(upload.scale)
    shape = model.shapes[item.name]
    if item.name in STANDARD_GRIDS and shape != STANDARD_GRIDS[item.name].shape:
        raise HTTPException(422, f"file: {model.name} was trained on a grid of its own; send arrays as JSON instead")
    column = str(model.reading.get("column") or SPECTRUM_COLUMNS[0])
    try:
        if ending.endswith(".gz"):
            content = _unpacked(content)
        if ending in FITS_ENDINGS:
            _check_fits(content)
        elif content.startswith(MAGIC):
            raise BadFileError("upload", "expected a file that is compressed at most once, and named so, found another")
        with _kept(f"upload{ending.removesuffix('.gz')}", content) as path:
            values, flag = read_object(item, path, shape, column, arcsec)
    except HTTPException:
        raise
    except BadFileError as error:
        raise HTTPException(422, f"file: {error.problem}") from None
    except Exception as error:
        # The libraries that read files raise nearly anything on a forged one, which is the sender's fault, not ours.
        LOG.warning("an uploaded %s file was refused", ending, exc_info=True)
        text = f"file: expected {item.name}, found an unreadable file ({type(error).__name__})"
        raise HTTPException(422, text) from None
    return {item.name: Loaded(values[None], np.array([flag], np.int32))}


@contextlib.contextmanager
def _kept(name: str, content: bytes) -> Iterator[Path]:
    with contextlib.ExitStack() as kept:
        try:
            path = Path(kept.enter_context(tempfile.TemporaryDirectory(prefix="zoo-"))) / name
            path.write_bytes(content)
        except OSError as error:
            raise no_room(error) from None
        yield path


def no_room(error: OSError) -> HTTPException:
    """Say that a file cannot be kept while it is read, which is the service's fault and not the sender's."""
    LOG.error("an upload could not be kept in %s: %s", tempfile.gettempdir(), error.strerror)
    return HTTPException(507, "file: the service has no room for it now")


def _checked_kind(model: Model, ending: str, content: bytes) -> Input:
    """Return the input that a file of this kind holds for a model."""
    known = [key for key, inputs in ENDINGS.items() if {item.name for item in model.inputs} & set(inputs)]
    if not known:
        raise HTTPException(415, f"file: {model.name} takes no file but magnitudes as JSON")
    if ending not in known:
        shown = ending if ending.isprintable() and 0 < len(ending) < 10 else "another ending"
        raise HTTPException(415, f"file: expected one that ends in {', '.join(known)} for {model.name}, found {shown}")
    if ending in BEGINNINGS and not content.startswith(BEGINNINGS[ending]):
        raise HTTPException(415, f"file: expected the content of a {ending} file, found something else")
    return next(item for item in model.inputs if item.name in ENDINGS[ending])


def _unpacked(content: bytes) -> bytes:
    with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
        unpacked = file.read(LARGEST_UNPACKED + 1)
    if len(unpacked) > LARGEST_UNPACKED:
        raise BadFileError("upload", f"expected a file that unpacks to {LARGEST_UNPACKED:,} bytes at most")
    return unpacked


def _scale(text: str) -> float | None:
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.001 <= value <= 1000:
        raise HTTPException(422, f"scale: expected arcsec per pixel from 0.001 to 1000, found {text[:40]!r}")
    return value


def _check_fits(content: bytes) -> None:
    """Refuse a FITS file whose header promises more than the file holds, before anything makes room for it."""
    with open_fits(io.BytesIO(content), disable_image_compression=True) as units:
        for unit in units:
            if unit.header.get("ZIMAGE", False):
                raise BadFileError("upload", "expected FITS without compressed images, found one; unpack it (funpack)")
            if unit.size > len(content):
                raise BadFileError("upload", f"expected {unit.size} bytes of data, found a file of {len(content)}")
