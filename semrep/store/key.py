"""All that a verdict depends on. Equal keys, the same verdict; anything unknown is in the key."""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.metadata
import importlib.util
import json
import os
import platform
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from semrep.runtime.sandbox import landlock

_TOOLS = ("torch", "triton", "jax", "jaxlib", "numpy", "z3-solver")
# Variables that change what array code computes, or whether it runs.
_FLAGS = (
    *("TRITON_", "TORCH", "PYTORCH_", "JAX_", "XLA_", "CUDA_", "CUBLAS_", "CUDNN_", "NVIDIA_"),
    *("HIP_", "ROCR_", "OMP_", "KMP_", "MKL_", "OPENBLAS_", "ATEN_", "NPY_", "NUMBA_", "GLIBC_"),
    *("PYTHON", "LD_", "MALLOC_"),
)
_PLACES = frozenset({"TRITON_CACHE_DIR", "TORCHINDUCTOR_CACHE_DIR", "CUDA_CACHE_PATH"})
_MOST_FILES = 5000


@dataclass(frozen=True, slots=True)
class Key:
    """original, candidate: SHA-256 of the texts. pipeline: what made the candidate, "" where
    that is unknown. contract, harness: as JSON. question: "check", "confirm", ... .
    versions: of semrep's own code and the toolchain. imports: what else the texts load.
    environment: machine, device, threads, variables. bounds: seconds and bytes.
    """

    original: str
    candidate: str
    contract: Mapping[str, Any]
    harness: Mapping[str, Any]
    question: str
    seed: int
    effort: str
    bounds: Mapping[str, Any]
    pipeline: str = ""
    threads: int = 1
    versions: Mapping[str, str] = field(default_factory=dict)
    imports: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        original: bytes,
        candidate: bytes,
        *,
        contract: Mapping[str, Any],
        harness: Mapping[str, Any],
        question: str = "check",
        seed: int = 0,
        effort: str = "quick",
        bounds: Mapping[str, Any] | None = None,
        pipeline: str = "",
        threads: int = 1,
    ) -> Key:
        """The key as this process and machine stand now. harness: with "path" and "device"."""
        path = harness.get("path")
        imports = {**imported(original, path), **imported(candidate, path)}
        return cls(
            original=sha256(original),
            candidate=sha256(candidate),
            contract=contract,
            harness=harness,
            question=question,
            seed=seed,
            effort=effort,
            bounds=bounds or {},
            pipeline=pipeline,
            threads=threads,
            versions={**versions(), "semrep verifier": verifier_digest()},
            imports=imports,
            environment=environment(str(harness.get("device", "cpu"))),
        )

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def digest(self) -> str:
        return sha256(canonical(self.to_json()).encode())

    def __str__(self) -> str:
        return f"{self.question} {self.original[:8]} → {self.candidate[:8]} ({self.digest[:8]})"


def canonical(value: Any) -> str:
    """JSON text that is the same for equal values."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@functools.cache
def versions() -> Mapping[str, str]:
    """Of semrep, Python, the C library and the array libraries; "" for one that is missing."""
    found = {name: _version(name) for name in ("semrep", *_TOOLS)}
    found["python"] = f"{platform.python_implementation()} {sys.version}"
    found["libc"] = " ".join(platform.libc_ver())
    return found


@functools.cache
def verifier_digest() -> str:
    """Of the code that draws the cases, runs them and judges: any change makes other keys."""
    root = Path(__file__).parent.parent
    files = [p for room in ("runtime", "verify") for p in sorted((root / room).rglob("*.py"))]
    files.append(root / "passes" / "contract.py")
    return _digest(files, root)


def environment(device: str) -> Mapping[str, str]:
    """Machine, device and variables, now. Two machines of one kind give the same."""
    flags = {
        name: value
        for name, value in os.environ.items()
        if name.startswith(_FLAGS) and name not in _PLACES
    }
    return {
        "machine": platform.machine(),
        "processor": _processor(),
        "cores": str(len(os.sched_getaffinity(0))),
        "device": device if device == "cpu" else f"{device}: {_gpus()}",
        "landlock": str(landlock.version()),
        "flags": canonical(flags),
    }


def imported(source: bytes, path: str | None) -> dict[str, str]:
    """For each module that a text imports at any level, which one that is: the contents of
    what lies beside it, the version and place of what is installed."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return {}
    heads: set[str] = set()
    relative = False
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            heads.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            relative = relative or node.level > 0
            heads.update([node.module.partition(".")[0]] if node.module and not node.level else [])
    places = [Path(path).resolve().parent, Path.cwd()] if path else [Path.cwd()]
    found = {}
    if relative and path:
        found["."] = _digest(sorted(places[0].rglob("*.py"))[:_MOST_FILES], places[0])
    for head in sorted(heads - sys.stdlib_module_names - {"semrep", *_TOOLS}):
        found[head] = _identity(head, places)
    return found


def _identity(head: str, places: Iterable[Path]) -> str:
    for place in places:
        package, module = place / head, place / f"{head}.py"
        if package.is_dir():
            return _digest(sorted(package.rglob("*.py"))[:_MOST_FILES], package)
        if module.is_file():
            return _digest([module], place)
    try:
        spec = importlib.util.find_spec(head)
    except (ImportError, ValueError):
        spec = None
    if spec is None or spec.origin is None:
        return "missing" if spec is None else "namespace"
    origin = Path(spec.origin)
    if "site-packages" in origin.parts or "dist-packages" in origin.parts:
        return f"{_version(head)} {origin} {origin.stat().st_mtime_ns}"
    # Installed for editing: what is in it may change under one version.
    files = sorted(origin.parent.rglob("*.py"))[:_MOST_FILES] if spec.parent else [origin]
    return _digest(files, origin.parent)


def _digest(files: Iterable[Path], root: Path) -> str:
    hasher = hashlib.sha256()
    for file in files:
        try:
            content = file.read_bytes()
        except OSError:
            content = b"unreadable"
        hasher.update(f"{file.relative_to(root)}\0{len(content)}\0".encode())
        hasher.update(content)
    return hasher.hexdigest()


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""


@functools.cache
def _processor() -> str:
    """Its model and its instruction sets, which decide how sums are ordered."""
    lines = _text(Path("/proc/cpuinfo")).splitlines()
    wanted = ("model name", "flags", "Features", "CPU part", "CPU implementer")
    first = {line.partition(":")[0].strip(): line for line in reversed(lines)}
    model = first.get("model name", platform.processor()).partition(":")[2].strip()
    return f"{model} {sha256(canonical([first.get(name, '') for name in wanted]).encode())[:16]}"


@functools.cache
def _gpus() -> str:
    """Models and driver, read without starting a context."""
    nvidia = Path("/proc/driver/nvidia")
    models = [
        line.partition(":")[2].strip()
        for information in sorted(nvidia.glob("gpus/*/information"))
        for line in _text(information).splitlines()
        if line.startswith("Model")
    ]
    driver = (_text(nvidia / "version").splitlines() or [""])[0]
    return f"{', '.join(models) or 'unknown'}; {driver}"


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
