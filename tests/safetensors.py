"""Reads the safetensors format as its description has it, without our code and without libraries."""

import json
import math
import struct

# Type: (bytes, how the struct module names it; None: it has no name for it).
_TYPES = {"F64": (8, "d"), "F32": (4, "f"), "F16": (2, "e"), "BF16": (2, None), "I64": (8, "q"),
          "I32": (4, "i"), "U8": (1, "B")}


def read(path):
    """Returns ({name: (type, shape, list of numbers)}, metadata)."""
    with open(path, "rb") as file:
        whole = file.read()
    (length,) = struct.unpack("<Q", whole[:8])
    header = json.loads(whole[8:8 + length].decode("utf-8"))
    data = whole[8 + length:]
    metadata = header.pop("__metadata__", {})
    assert all(isinstance(text, str) for text in metadata.values())
    tensors, end = {}, 0
    for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        size, code = _TYPES[entry["dtype"]]
        begin, after = entry["data_offsets"]
        count = math.prod(entry["shape"])
        assert begin == end and after - begin == count * size, name
        assert (8 + length + begin) % size == 0, name + " is not aligned"
        numbers = struct.unpack("<%d%s" % (count, code), data[begin:after]) if code else None
        tensors[name] = (entry["dtype"], entry["shape"], numbers)
        end = after
    assert end == len(data)
    return tensors, metadata
