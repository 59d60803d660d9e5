"""Values as bytes and back, for a closed set of types. Decoding never runs foreign code."""

from __future__ import annotations

import json
import struct
from dataclasses import fields
from typing import Any

from semrep.runtime.values import ArrayValue, ContainerValue, OpaqueValue

_MAGIC = b"SEMREP1\n"
_RECORDS: dict[str, type] = {cls.__name__: cls for cls in (ArrayValue, ContainerValue, OpaqueValue)}


class FrameError(ValueError):
    """The bytes are not one whole frame."""


def encode(value: Any, nonce: bytes = b"") -> bytes:
    """One frame. Raises TypeError for a value outside the closed set of types."""
    blobs: list[bytes] = []
    header = json.dumps(_plain(value, blobs), separators=(",", ":")).encode()
    body = b"".join(blobs)
    sizes = struct.pack("<QQ", len(header), len(body))
    return _MAGIC + struct.pack("<B", len(nonce)) + nonce + sizes + header + body + b"\nEND"


def decode(frame: bytes, nonce: bytes = b"") -> Any:
    """The value of one whole frame with this nonce. Raises FrameError."""
    start = len(_MAGIC) + 1 + len(nonce)
    prefix = _MAGIC + struct.pack("<B", len(nonce)) + nonce
    if frame[:start] != prefix or len(frame) < start + 16:
        raise FrameError("not a frame of this call")
    header_size, body_size = struct.unpack_from("<QQ", frame, start)
    start += 16
    if len(frame) != start + header_size + body_size + 4 or frame[-4:] != b"\nEND":
        raise FrameError("the frame is cut short")
    view = memoryview(frame)
    header = bytes(view[start : start + header_size])
    body = view[start + header_size : start + header_size + body_size]
    try:
        return _restore(json.loads(header), _Reader(body))
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise FrameError(f"malformed frame: {error}") from error


def _plain(value: Any, blobs: list[bytes]) -> Any:
    if value is None or type(value) in (bool, str):
        return value
    kind = type(value)
    if kind is int:
        return value if abs(value) < 2**53 else {"i": str(value)}
    if kind is float:
        return {"f": value.hex()}
    if kind is complex:
        return {"c": [value.real.hex(), value.imag.hex()]}
    if kind is bytes:
        blobs.append(value)
        return {"b": len(value)}
    if kind is list:
        return [_plain(item, blobs) for item in value]
    if kind is tuple:
        return {"t": [_plain(item, blobs) for item in value]}
    if kind is dict:
        return {"d": [[_plain(k, blobs), _plain(v, blobs)] for k, v in value.items()]}
    if kind.__name__ in _RECORDS and _RECORDS[kind.__name__] is kind:
        return {
            "r": kind.__name__,
            "v": [_plain(getattr(value, f.name), blobs) for f in fields(kind)],
        }
    raise TypeError(f"{kind.__qualname__} has no place in a frame")


class _Reader:
    """Blobs are read in the order they were written."""

    def __init__(self, body: memoryview) -> None:
        self.body = body
        self.position = 0

    def take(self, size: int) -> bytes:
        if size < 0 or self.position + size > len(self.body):
            raise ValueError("blob outside the frame")
        blob = bytes(self.body[self.position : self.position + size])
        self.position += size
        return blob


def _restore(value: Any, reader: _Reader) -> Any:
    if isinstance(value, list):
        return [_restore(item, reader) for item in value]
    if not isinstance(value, dict):
        return value
    if "i" in value:
        return int(value["i"])
    if "f" in value:
        return float.fromhex(value["f"])
    if "c" in value:
        real, imaginary = value["c"]
        return complex(float.fromhex(real), float.fromhex(imaginary))
    if "b" in value:
        return reader.take(value["b"])
    if "t" in value:
        return tuple(_restore(item, reader) for item in value["t"])
    if "d" in value:
        return {_restore(k, reader): _restore(v, reader) for k, v in value["d"]}
    cls = _RECORDS[value["r"]]
    return cls(*(_restore(item, reader) for item in value["v"]))
