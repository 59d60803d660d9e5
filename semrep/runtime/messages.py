"""Messages on the control socket: a length, a payload, and perhaps an open file."""

from __future__ import annotations

import os
import socket
import struct

_LENGTH = struct.Struct("<Q")


def send(control: socket.socket, payload: bytes, descriptor: int | None = None) -> None:
    """Sends one message. descriptor: a file that the receiver gets a handle of."""
    header = _LENGTH.pack(len(payload))
    if descriptor is not None:
        sent = socket.send_fds(control, [header], [descriptor])
        header = header[sent:]
    control.sendall(header + payload)


def receive(control: socket.socket) -> tuple[bytes, int | None] | None:
    """The next payload and the file that came with it; None at the end."""
    header, descriptors, _, _ = socket.recv_fds(control, _LENGTH.size, 1)
    descriptor = descriptors[0] if descriptors else None
    rest = _exactly(control, _LENGTH.size - len(header)) if header else None
    if rest is not None:
        payload = _exactly(control, _LENGTH.unpack(header + rest)[0])
        if payload is not None:
            return payload, descriptor
    if descriptor is not None:
        os.close(descriptor)
    return None


def _exactly(control: socket.socket, size: int) -> bytes | None:
    pieces = bytearray()
    while len(pieces) < size:
        piece = control.recv(min(size - len(pieces), 1 << 20))
        if not piece:
            return None
        pieces += piece
    return bytes(pieces)
