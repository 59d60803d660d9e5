"""Results as neutral records: what a worker may hand back, and nothing that runs code.

A result of any Python call becomes a tree of plain scalars, `ArrayValue`, `ContainerValue` and
`OpaqueValue`. The tree can be framed as bytes (see frames) and compared with numpy alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class ArrayValue:
    """An array's outside and its bytes.

    kind: qualified class name ("torch.Tensor", "numpy.ndarray", "numpy.float32").
    dtype: long name ("float32", "bfloat16"); data: elements in row-major order.
    strides: in elements, None where the library does not tell (jax).
    memory: whose storage this is: "argument:NAME", "state:NAME", or "result:N" with N the
        first result leaf over the same storage; "" where not tracked.
    """

    kind: str
    dtype: str
    shape: tuple[int, ...]
    data: bytes
    strides: tuple[int, ...] | None = None
    device: str = "cpu"
    requires_grad: bool = False
    memory: str = ""

    def numpy(self) -> NDArray[Any]:
        """The elements as a numpy array; bfloat16 comes widened to float32."""
        import numpy as np

        if self.dtype == "bfloat16":
            bits = np.frombuffer(self.data, dtype=np.uint16).astype(np.uint32) << 16
            return bits.view(np.float32).reshape(self.shape)
        if self.dtype.startswith("float8"):
            return np.frombuffer(self.data, dtype=np.uint8).reshape(self.shape)
        return np.frombuffer(self.data, dtype=np.dtype(self.dtype)).reshape(self.shape)

    @property
    def contiguous(self) -> bool:
        if self.strides is None:
            return True
        expected = 1
        for size, stride in zip(reversed(self.shape), reversed(self.strides), strict=True):
            if size != 1 and stride != expected:
                return False
            expected *= size
        return True

    def __str__(self) -> str:
        return f"{self.kind} {self.dtype}{list(self.shape)}"


@dataclass(frozen=True, slots=True)
class ContainerValue:
    """A list, tuple, dict, named tuple, set, or an object's attributes, with its class name."""

    kind: str
    keys: tuple[Any, ...]
    items: tuple[Any, ...]

    def __str__(self) -> str:
        return f"{self.kind} of {len(self.items)}"


@dataclass(frozen=True, slots=True)
class OpaqueValue:
    """An object that cannot be compared by value; text is its repr where that is stable."""

    kind: str
    text: str | None

    def __str__(self) -> str:
        return self.text or self.kind


def kind_of(value: object) -> str:
    """The class name as people know it: without the builtins and main-module prefixes."""
    cls = type(value)
    module = cls.__module__
    if module in {"builtins", "__main__"} or module.startswith("_semrep_subject"):
        return cls.__qualname__
    return f"{module}.{cls.__qualname__}"


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """All leaves of a value tree with their paths ("[0].loss"), left to right."""
    if isinstance(value, ContainerValue):
        for key, item in zip(value.keys, value.items, strict=True):
            step = f".{key}" if isinstance(key, str) and key.isidentifier() else f"[{key!r}]"
            yield from leaves(item, path + step)
    else:
        yield path, value


def widened(array: NDArray[Any]) -> NDArray[np.float64]:
    """Float elements as float64 (complex as pairs along a new last axis)."""
    import numpy as np

    if np.iscomplexobj(array):
        return np.stack([array.real, array.imag], axis=-1).astype(np.float64)
    return array.astype(np.float64)
