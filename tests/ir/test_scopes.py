"""Names: what binds them and who else can see them."""

from __future__ import annotations

import textwrap

from semrep.ir.module import Module
from semrep.ir.scopes import Binding, ScopeTree, scopes
from semrep.ir.unit import Unit


def _scopes(source: str) -> tuple[ScopeTree, Unit]:
    unit = Module.from_text(textwrap.dedent(source)).units[-1].unit
    return scopes(unit), unit


def _binding(source: str, name: str, which: int = -1) -> Binding:
    tree, unit = _scopes(source)
    found = [tree.binding(n) for n in unit.nodes("identifier") if n.text == name]
    binding = found[which]
    assert binding is not None
    return binding


def test_locals_parameters_and_globals() -> None:
    source = "def f(a):\n    b = a + c\n    return b\n"
    assert _binding(source, "a").is_parameter and _binding(source, "a").is_local
    assert _binding(source, "b").is_local
    assert _binding(source, "c").is_global


def test_global_and_nonlocal_redirect() -> None:
    assert _binding("def f():\n    global x\n    x = 1\n", "x").is_global
    source = """
    def f():
        x = 1
        def g():
            nonlocal x
            x = 2
        return x
    """
    binding = _binding(source, "x")
    assert binding.is_captured and len(binding.stores) == 2


def test_closures_capture_and_comprehensions_that_run_at_once_do_not() -> None:
    assert _binding("def f(a):\n    return lambda: a\n", "a").is_captured
    assert _binding("def f(a, s):\n    return (a + i for i in s)\n", "a").is_captured
    assert _binding("def f(a, s):\n    return [lambda: a for i in s]\n", "a").is_captured
    assert not _binding("def f(a, s):\n    return [a + i for i in s]\n", "a").is_captured
    assert not _binding(
        "def f(a, s):\n    return {i: {a for k in s} for i in s}\n", "a"
    ).is_captured


def test_walrus_in_a_comprehension_binds_outside() -> None:
    binding = _binding("def f(s):\n    [y := i for i in s]\n    return y\n", "y")
    assert binding.scope is not None and binding.scope.kind == "function_definition"
    assert binding.is_captured


def test_the_first_iterable_belongs_to_the_scope_around() -> None:
    source = "def f(x):\n    return [x for x in x]\n"
    assert _binding(source, "x", -1).is_parameter
    assert not _binding(source, "x", 1).is_parameter


def test_class_bodies_are_invisible_from_methods() -> None:
    source = """
    def f(x):
        class A:
            x = 1
            def g(self):
                return x
        return A
    """
    assert _binding(source, "x").is_parameter


def test_a_methods_defaults_may_see_names_of_its_class() -> None:
    source = "class A:\n    len = 3\n    def m(self, n=len):\n        return len(n)\n"
    assert not _binding(source, "len", 0).is_global
    assert _binding(source, "len", 1).is_global


def test_looking_at_frames_makes_names_dynamic() -> None:
    for look in ("locals()", "eval('x')", "sys._getframe()", "inspect.currentframe().f_locals"):
        tree, unit = _scopes(f"def f(x):\n    return {look}\n")
        assert tree.scope_for(unit.nodes("function_definition")[0]).is_dynamic, look


def test_only_statement_level_names_are_free() -> None:
    tree, _ = _scopes("def f(a):\n    return [b for b in c]\n")
    assert not any(tree.is_name_free(name, tree.root) for name in ("a", "b", "c", "f"))
    assert tree.is_name_free("d", tree.root)


def test_backslashes_are_no_operands() -> None:
    _, unit = _scopes("def f(a, b):\n    return a if \\\n        b else \\\n        a\n")
    assert [n.text for n in unit.nodes("conditional_expression")[0].operands] == ["a", "b", "a"]
