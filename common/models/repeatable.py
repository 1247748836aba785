"""The same network as the same bytes: without the numbers and times that its writers leave in a file by chance."""

from __future__ import annotations

import io
import json
import zipfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx

SHARED = "shared_object_id"
"""Keras' key of an object that several layers share; its value is an address in memory."""


def keras_file(content: bytes) -> bytes:
    """Take out of a ``.keras`` file when it was saved, and count the objects that layers share."""
    written = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as before, zipfile.ZipFile(written, "w") as now:
        for file in sorted(before.namelist()):
            inside = before.read(file)
            if file == "metadata.json":
                inside = json.dumps({"keras_version": json.loads(inside)["keras_version"]}).encode()
            elif file == "config.json":
                numbers: dict[int, int] = {}
                counted = json.loads(inside, object_hook=lambda one, numbers=numbers: _counted(one, numbers))
                inside = json.dumps(counted).encode()
            now.writestr(zipfile.ZipInfo(file), inside)
    return written.getvalue()


def _counted(one: dict, numbers: dict[int, int]) -> dict:
    if SHARED in one:
        one[SHARED] = numbers.setdefault(one[SHARED], len(numbers))
    return one


def order_graph(graph: onnx.GraphProto) -> None:
    """Bring the nodes of an ONNX graph into the order in which its outputs need them, and number them and their values.

    The converter names them by a counter of its process and sorts them by hashes of these names. A graph with graphs in
    it, whose names may be meant there, is left as it is.
    """
    if any(one.HasField("g") or one.graphs for node in graph.node for one in node.attribute):
        return
    ordered = _needed(graph)
    names = {one.name: one.name for one in (*graph.input, *graph.output)} | {"": ""}
    for number, node in enumerate(ordered):
        node.name = f"{node.op_type}_{number}"
        for ends in (node.input, node.output):
            ends[:] = [names.setdefault(end, f"value_{len(names)}") for end in ends]
    used = list(names)
    held = sorted((one for one in graph.initializer if one.name in names), key=lambda one: used.index(one.name))
    for one in held:
        one.name = names[one.name]
    for field, ones in ((graph.node, ordered), (graph.initializer, held)):
        copies = [type(one).FromString(one.SerializeToString()) for one in ones]
        del field[:]
        field.extend(copies)
    sizes: dict[str, str] = {}
    for one in (*graph.input, *graph.output):
        for dimension in one.type.tensor_type.shape.dim:
            if dimension.dim_param:
                dimension.dim_param = sizes.setdefault(dimension.dim_param, f"size_{len(sizes)}")
    graph.doc_string = ""
    del graph.value_info[:]


def _needed(graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    """List the nodes that the outputs need, each behind those that it needs itself."""
    makers = {end: node for node in graph.node for end in node.output if end}
    ordered, done = [], set()
    pending = [makers[one.name] for one in reversed(graph.output) if one.name in makers]
    while pending:
        node = pending[-1]
        before = [makers[end] for end in node.input if end in makers and makers[end].output[0] not in done]
        if before:
            pending += reversed(before)
            continue
        pending.pop()
        if node.output[0] not in done:
            done.add(node.output[0])
            ordered.append(node)
    return ordered
