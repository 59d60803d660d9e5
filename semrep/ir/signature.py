"""Facts about what crosses an entry's boundary: the types of its arguments and attributes.

They are observed by running the harness once, or read from annotations, and stay true across
edits of the body. No array library is imported here: types are plain names and numbers.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

ConfigValue = int | float | bool | str | None | tuple[int, ...] | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TensorType:
    """An array: dtype by its long name ("float32"), shape, strides in elements."""

    dtype: str
    shape: tuple[int, ...]
    strides: tuple[int, ...] | None = None
    device: str = "cpu"
    framework: Literal["torch", "numpy", "jax"] = "torch"
    requires_grad: bool = False

    @property
    def rank(self) -> int:
        return len(self.shape)

    @property
    def contiguous(self) -> bool:
        """Whether elements lie in row-major order without gaps (True where unknown: jax)."""
        if self.strides is None:
            return True
        expected = 1
        for size, stride in zip(reversed(self.shape), reversed(self.strides), strict=True):
            if size != 1 and stride != expected:
                return False
            expected *= size
        return True

    def __str__(self) -> str:
        layout = "" if self.contiguous else f" strides {list(self.strides or ())}"
        return f"{self.dtype}{list(self.shape)}{layout}"


@dataclass(frozen=True, slots=True)
class ScalarType:
    """A Python scalar, string or None; `value` is its repr where that is short."""

    name: str
    value: str | None = None

    def __str__(self) -> str:
        return self.name if self.value is None else f"{self.name} {self.value}"


@dataclass(frozen=True, slots=True)
class LayerType:
    """A torch.nn.Module: its class, its literal settings and its parameters and buffers.

    config holds simple attributes (in_features, kernel_size, eps, ...), whether a bias is
    present, and what makes a rewrite unsafe: `hooks` (forward hooks present), `parametrized`
    (weight computed by a parametrization) and `tied` (names of parameters that share storage
    with another parameter of the model).
    """

    name: str
    config: tuple[tuple[str, ConfigValue], ...] = ()
    parameters: tuple[tuple[str, TensorType], ...] = ()
    buffers: tuple[tuple[str, TensorType], ...] = ()
    training: bool = True

    def get(self, setting: str, default: ConfigValue = None) -> ConfigValue:
        return dict(self.config).get(setting, default)

    @property
    def plain(self) -> bool:
        """Whether nothing outside the class decides what the layer computes."""
        return not (self.get("hooks") or self.get("parametrized") or self.get("tied"))

    def __str__(self) -> str:
        settings = ", ".join(f"{name}={value}" for name, value in self.config)
        return f"{self.name.rpartition('.')[2]}({settings})"


@dataclass(frozen=True, slots=True)
class OtherType:
    """Anything else: the qualified name of its class."""

    name: str

    def __str__(self) -> str:
        return self.name


ValueType = TensorType | ScalarType | LayerType | OtherType


@dataclass(frozen=True, slots=True)
class Signature:
    """Argument names and attribute names of an entry with their types.

    attributes: dotted names as the body writes them ("self.linear", "self.linear.weight").
    results: types of the results, left to right; a single result is a tuple of one. inner: the
    other functions of the file that the entry was seen to call, one for each combination of
    types. calls: how often it was called with these types.
    """

    entry: str
    arguments: tuple[tuple[str, ValueType], ...] = ()
    attributes: tuple[tuple[str, ValueType], ...] = ()
    results: tuple[ValueType, ...] = ()
    inner: tuple[Signature, ...] = ()
    calls: int = 1
    _hash: int = field(default=0, init=False, repr=False, compare=False)

    def __hash__(self) -> int:
        # Facts of a deep model are thousands of names, and key every analysis of a function.
        if not self._hash:
            fields = (self.entry, self.arguments, self.attributes, self.results, self.inner)
            object.__setattr__(self, "_hash", hash(fields) or 1)
        return self._hash

    def __reduce__(self) -> tuple[Any, ...]:
        # Without the hash: another process hashes strings otherwise.
        fields = (self.entry, self.arguments, self.attributes, self.results, self.inner)
        return Signature, (*fields, self.calls)

    def within(self, function: str) -> tuple[Signature, ...]:
        """What was seen of the calls of a function, by its qualified name."""
        if function == self.entry:
            return (self,)
        return tuple(s for s in self.inner if s.entry == function)

    def of(self, name: str) -> ValueType | None:
        """The type of an argument or attribute, or None where it was not seen."""
        for known, value in (*self.arguments, *self.attributes):
            if known == name:
                return value
        return None

    def __str__(self) -> str:
        inside = ", ".join(f"{name}: {value}" for name, value in self.arguments)
        outside = ", ".join(map(str, self.results))
        return f"{self.entry}({inside}) -> {outside}"
