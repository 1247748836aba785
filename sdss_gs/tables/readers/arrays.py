"""Arrays of numpy as columns of Arrow: nulls where they are masked, NaN or blank."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from sdss_gs.tables.readers.table import WIDEST_ARRAY


def elements(name: str, values: np.ma.MaskedArray | None) -> Iterator[tuple[str, pa.Array]]:
    """Bring a column to Arrow, one for each element of an array.

    Parameters
    ----------
    name : str
    values : masked array of shape (n,) or (n, elements)
        None, and what is neither text nor number, gives no column.
    """
    if values is None:
        return
    if values.ndim == 1:
        cells = _arrow(values)
        if cells is not None:
            yield name, cells
    elif values.ndim == 2 and values.shape[1] <= WIDEST_ARRAY:
        for element in range(values.shape[1]):
            cells = _arrow(values[:, element])
            if cells is not None:
                yield f"{name}[{element}]", cells


def _arrow(values: np.ma.MaskedArray) -> pa.Array | None:
    """Bring one column to Arrow; None for what is neither text nor number."""
    data, null = np.asarray(values.data), np.ma.getmaskarray(values)
    kind = data.dtype.kind
    if kind in "SUO":
        texts = [_text(value) for value in data.tolist()]
        return pa.array(
            [None if gone or not text else text for text, gone in zip(texts, null, strict=True)], pa.string()
        )
    if kind == "f":
        wide = np.ascontiguousarray(data, data.dtype.newbyteorder("="))
        return pa.array(wide, mask=null | np.isnan(wide))
    if kind in "iu":
        wide = data.astype(np.uint64 if data.dtype == np.uint64 else np.int64)
        return pa.array(wide, mask=null)
    return pa.array(data.astype(bool), mask=null) if kind == "b" else None


def _text(value: object) -> str:
    if value is None or value is np.ma.masked:
        return ""
    return (value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)).strip().strip("\0")
