"""What global names stand for in a module, and the functions that two modules differ in."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator
from dataclasses import dataclass

from semrep.verify.proof.result import Refused

# These compile functions to another language, or change what running them means.
_COMPILERS = frozenset(
    {"numba", "cython", "taichi", "pythran", "tilelang", "warp", "helion", "cupyx", "cuda"}
)
# With these around, a name may mean something that the text does not show.
_REFLECTION = frozenset(
    {"eval", "exec", "globals", "locals", "vars", "dir", "__builtins__", "compile", "inspect"}
)
_FRAMES = frozenset({"_getframe", "currentframe", "f_locals", "__code__", "getsource"})
_HARMLESS_DECORATORS = frozenset({"staticmethod", "classmethod", "property"})
_KERNEL_DECORATORS = frozenset({"triton.jit", "triton.autotune", "triton.heuristics"})


@dataclass(frozen=True, slots=True)
class Names:
    """stable: names that the module binds once, at its top and unconditionally, with the dotted
    path that an import gives them ("" for others). bound: all that it binds anywhere."""

    stable: dict[str, str]
    bound: frozenset[str]
    is_opaque: bool

    def path(self, node: ast.expr, hidden: frozenset[str] = frozenset()) -> str | None:
        """The dotted path of a name or attribute chain: "triton.language.load",
        "builtins.len"; None where it is not known. hidden: names that are local there."""
        attributes: list[str] = []
        while isinstance(node, ast.Attribute):
            attributes.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name) or node.id in hidden or self.is_opaque:
            return None
        if node.id.startswith("__"):
            return None  # maybe mangled
        base = self.stable.get(node.id)
        if base is None and node.id not in self.bound and hasattr(builtins, node.id):
            base = f"builtins.{node.id}"
        return ".".join([base, *reversed(attributes)]) if base else None


def names_of(tree: ast.Module) -> Names:
    """Reads a module's bindings. Nobody is assumed to rebind them from outside."""
    at_top: dict[str, list[str]] = {}
    for node in tree.body:
        match node:
            case ast.Import(names=aliases):
                for alias in aliases:
                    path = alias.name if alias.asname else alias.name.split(".")[0]
                    at_top.setdefault(alias.asname or path, []).append(path)
            case ast.ImportFrom(module=module, names=aliases, level=0):
                for alias in aliases:
                    at_top.setdefault(alias.asname or alias.name, []).append(
                        f"{module}.{alias.name}"
                    )
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                at_top.setdefault(name, []).append("")
            case ast.Assign(targets=[ast.Name(id=name)]):
                at_top.setdefault(name, []).append("")
    count: dict[str, int] = {}
    inner: set[str] = set()
    opaque = False
    for name, is_inner in _bindings(tree):
        count[name] = count.get(name, 0) + 1
        if is_inner:
            inner.add(name)
        opaque = opaque or name == "*"
    opaque = opaque or any(isinstance(n, ast.Name) and n.id in _REFLECTION for n in ast.walk(tree))
    stable = {
        name: ways[0]
        for name, ways in at_top.items()
        if len(ways) == 1 and count.get(name) == 1 and name not in inner
    }
    return Names(stable, frozenset(count), opaque)


def _bindings(tree: ast.Module) -> Iterator[tuple[str, bool]]:
    """(name, whether through `global`) of all that binds a module-level name."""

    def visit(node: ast.AST, in_scope: bool) -> Iterator[tuple[str, bool]]:
        for child in ast.iter_child_nodes(node):
            scope = isinstance(
                child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
            )
            match child:
                case ast.Global(names=names):
                    yield from ((n, True) for n in names)
                case ast.FunctionDef(name=n) | ast.AsyncFunctionDef(name=n) | ast.ClassDef(name=n):
                    if not in_scope:
                        yield n, False
                case ast.Name(id=n, ctx=ast.Store() | ast.Del()) if not in_scope:
                    yield n, False
                case ast.alias(name=n, asname=alias) if not in_scope or n == "*":
                    yield alias or n.split(".")[0], False
                case ast.ExceptHandler(name=str(n)) if not in_scope:
                    yield n, False
                case ast.MatchAs(name=str(n)) | ast.MatchStar(name=str(n)) if not in_scope:
                    yield n, False
            yield from visit(child, in_scope or scope)

    yield from visit(tree, False)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two versions of one function."""

    original: ast.FunctionDef
    candidate: ast.FunctionDef
    is_kernel: bool


def differing_functions(a: ast.Module, b: ast.Module, one: Names, two: Names) -> list[Pair]:
    """The functions in which two modules differ, where that is all they differ in."""
    found: list[Pair] = []
    _differences(a.body, b.body, one, two, found)
    for pair in found:
        _check_uses(pair.original.name, a, pair.is_kernel)
        _check_uses(pair.original.name, b, pair.is_kernel)
    return found


def _differences(
    a: list[ast.stmt], b: list[ast.stmt], one: Names, two: Names, found: list[Pair]
) -> None:
    if len(a) != len(b):
        raise Refused("the modules have different definitions")
    for x, y in zip(a, b, strict=True):
        if ast.dump(x) == ast.dump(y):
            continue
        match x, y:
            case ast.FunctionDef(), ast.FunctionDef() if _shell(x) == _shell(y):
                kernels = _is_kernel(x, one), _is_kernel(y, two)
                if kernels[0] != kernels[1]:
                    raise Refused(f"{x.name}: a kernel in one of the modules only")
                found.append(Pair(x, y, kernels[0]))
            case ast.ClassDef(), ast.ClassDef() if _shell(x) == _shell(y) and not x.decorator_list:
                _differences(x.body, y.body, one, two, found)
            case _:
                raise Refused(f"line {x.lineno}: the modules differ outside functions")


def _shell(node: ast.FunctionDef | ast.ClassDef) -> str:
    """Everything about a definition but its body."""
    fields = [ast.dump(v) if isinstance(v, ast.AST) else
              [ast.dump(i) for i in v] if isinstance(v, list) else v
              for k, v in ast.iter_fields(node) if k not in ("body", "type_comment")]  # fmt: skip
    return repr((fields, ast.get_docstring(node, clean=False), type(node)))


def _is_kernel(node: ast.FunctionDef, names: Names) -> bool:
    """Whether Triton compiles the function; Refused where something unknown wraps it."""
    paths = []
    for decorator in node.decorator_list:
        called = decorator.func if isinstance(decorator, ast.Call) else decorator
        paths.append(names.path(called))
    if "triton.jit" in paths and all(p in _KERNEL_DECORATORS for p in paths):
        return True
    plain = {f"builtins.{n}" for n in _HARMLESS_DECORATORS}
    if not all(p in plain for p in paths):
        raise Refused(f"{node.name}: a decorator decides what the function means")
    return False


def _check_uses(name: str, tree: ast.Module, is_kernel: bool) -> None:
    """Refuses what could see the text of a function, or run it as another language."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=aliases):
                modules = [alias.name for alias in aliases]
            case ast.ImportFrom(module=str(module), names=aliases):
                modules = [module, *(f"{module}.{alias.name}" for alias in aliases)]
            case _:
                modules = []
        for module in modules:
            if module.split(".")[0] in _COMPILERS | {"inspect"}:
                raise Refused(f"{module} may read the function's text")
        if not is_kernel and isinstance(node, ast.Call):
            path = ast.unparse(node.func)
            given = [*node.args, *(k.value for k in node.keywords)]
            if path.endswith("jit") and any(
                isinstance(g, ast.Name) and g.id == name for g in given
            ):
                raise Refused(f"{name}: compiled by {path}")
