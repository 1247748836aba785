"""Objects of a data set → one Parquet file or one tar file, a bounded number of them in memory at a time."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sdss_gs.dataset import Dataset
from sdss_gs.files import read_bytes
from sdss_gs.schema import INPUTS, SPECTRUM_COLUMNS

IN_MEMORY = 32 * 2**20
"""Bytes of inputs that are held at a time: a row group of a Parquet file."""
BLOCK = tarfile.BLOCKSIZE


@dataclass(frozen=True)
class Source:
    """What is exported.

    Parameters
    ----------
    data : Dataset
    inputs : tuple of str
        Inputs with one file per object.
    images : dict of int to str
        Image file by object id.
    table : Table
        The catalogue, a row per object of `data`.
    """

    data: Dataset
    inputs: tuple[str, ...]
    images: dict[int, str]
    table: pa.Table

    def has(self, name: str, objects: np.ndarray) -> np.ndarray:
        """Tell which objects have a usable file of an input, bool ``(n,)``."""
        return self.data.rows[name][objects] >= 0

    def contents(self, name: str, objects: np.ndarray) -> list:
        """Return an input of some objects, None where one lacks it: bytes of images, else float32 arrays."""
        have = self.has(name, objects)
        if name == "img":
            # The file as it is: a JPEG that is decoded and encoded again has lost something.
            ids = self.data.catalogue.objid[objects].tolist()
            return [read_bytes(self.images[number]) if good else None for number, good in zip(ids, have, strict=True)]
        found = iter(self.data.arrays[name].take(self.data.rows[name][objects[have]]))
        return [next(found) if good else None for good in have]

    def chunks(self, objects: np.ndarray) -> Iterator[np.ndarray]:
        """Divide objects into pieces that fit in memory."""
        each = sum(int(np.prod(self.shape(name))) * np.dtype(INPUTS[name].dtype).itemsize for name in self.inputs)
        step = max(1, IN_MEMORY // max(each, 1024))
        yield from (objects[start : start + step] for start in range(0, len(objects), step))

    def shape(self, name: str) -> tuple[int, ...]:
        """Return the shape of an object's packed array; spectra have BestFit and Flux on the first axis."""
        return self.data.arrays[name].manifest.layout.shape

    def sizes(self) -> np.ndarray:
        """Return the bytes that each object takes in a tar file, int64 ``(n,)``; in a Parquet file it takes less."""
        sizes = np.array([_blocks(len(line)) for line in self._lines()], np.int64)
        for name in self.inputs:
            packed, ids = self.data.arrays[name], self.data.catalogue.objid
            if name == "img":
                place = np.minimum(np.searchsorted(packed.index["objid"], ids), len(packed.index) - 1)
                bytes_each = packed.index["size"][place]
            else:
                bytes_each = len(_npy(np.zeros(self.shape(name), np.float32)))
            sizes += np.where(self.data.rows[name] >= 0, _blocks(bytes_each), 0)
        return sizes

    def _lines(self) -> Iterator[bytes]:
        for batch in self.table.to_batches(max_chunksize=4096):
            yield from map(_line, batch.to_pylist())


def _blocks(size):
    return BLOCK + -(-size // BLOCK) * BLOCK


def _line(row: dict) -> bytes:
    # As text: readers that take numbers for floats would spoil an id above 2^53.
    return json.dumps(row | {"objid": str(row["objid"])}, ensure_ascii=False).encode()


def _npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=False)
    return stream.getvalue()


def write_tar(source: Source, objects: np.ndarray, path: Path, bar) -> None:
    """Write a shard as WebDataset reads them: the files of an object one after the other, the same bytes every time.

    Parameters
    ----------
    source : Source
    objects : ndarray of int
        Positions in the source.
    path : Path
    bar : tqdm
        Told of each object.
    """
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
        for chunk in source.chunks(objects):
            columns = {name: source.contents(name, chunk) for name in source.inputs}
            for position, row in enumerate(source.table.take(chunk).to_pylist()):
                for name, contents in columns.items():
                    content = contents[position]
                    if content is not None:
                        members = ("jpg", content) if name == "img" else (f"{name}.npy", _npy(content))
                        _add(tar, f"{row['objid']}.{members[0]}", members[1])
                _add(tar, f"{row['objid']}.json", _line(row))
            bar.update(len(chunk))


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(content), 0o644
    tar.addfile(member, io.BytesIO(content))


def input_columns(source: Source) -> list[pa.Field]:
    """List the columns of the inputs, with shapes and units."""
    fields = []
    for name in source.inputs:
        item, shape = INPUTS[name], source.shape(name)
        about = {"description": item.description, "unit": item.unit}
        if name == "img":
            fields.append(pa.field("img", pa.binary(), metadata={"description": "JPEG file", "unit": ""}))
        elif name == "fits":
            about["shape"] = json.dumps(list(shape))
            fields.append(pa.field("fits", pa.list_(pa.float32()), metadata=about))
        else:
            about |= {"wavelength": "see manifest.json"}
            for column in SPECTRUM_COLUMNS:
                fields.append(pa.field(f"{name}_{column}", pa.list_(pa.float32()), metadata=about))
    return fields


def write_parquet(source: Source, objects: np.ndarray, path: Path, bar) -> None:
    """Write a Parquet file: the catalogue's columns, then the inputs (`input_columns`); one row group per chunk.

    Parameters
    ----------
    source, objects, path, bar
        As for `write_tar`.
    """
    fields = input_columns(source)
    schema = pa.schema([*source.table.schema, *fields])
    text = [field.name for field in source.table.schema if pa.types.is_string(field.type)]
    with pq.ParquetWriter(path, schema, compression="zstd", use_dictionary=text) as writer:
        for chunk in source.chunks(objects):
            arrays = source.table.take(chunk).columns
            for name in source.inputs:
                contents = source.contents(name, chunk)
                if name == "img":
                    arrays.append(pa.array(contents, pa.binary()))
                elif name == "fits":
                    arrays.append(_lists(contents, ()))
                else:
                    arrays += [_lists(_with_flux(contents, k), k) for k in range(len(SPECTRUM_COLUMNS))]
            writer.write_table(pa.table(arrays, schema=schema), row_group_size=max(1, len(chunk)))
            bar.update(len(chunk))


def _with_flux(contents: list, row: int) -> list:
    """Leave out spectra that lack a column, which are NaN from end to end."""
    return [None if content is None or np.isnan(content[row]).all() else content for content in contents]


def _lists(contents: list, part) -> pa.ListArray:
    # Lists of any length, though all have one: Arrow cannot read null among lists of fixed size back from Parquet.
    present = [content[part].ravel() for content in contents if content is not None]
    ends = np.cumsum([0, *(0 if content is None else content[part].size for content in contents)], dtype=np.int32)
    values = np.concatenate(present) if present else np.empty(0, np.float32)
    absent = pa.array([content is None for content in contents])
    return pa.ListArray.from_arrays(pa.array(ends), pa.array(values, pa.float32()), mask=absent)
