"""Names of one unit: what binds them, what loads them, who else can see them.

Follows CPython's rules (Language Reference, 4.2 "Naming and binding"): function scopes nest,
class scopes are invisible from within, comprehensions have a scope of their own except for
their first iterable, `:=` binds outside of comprehensions, `global` and `nonlocal` redirect.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from semrep.ir.tree import Node
from semrep.ir.unit import Unit

FUNCTION_SCOPES = ("function_definition", "lambda")
COMPREHENSIONS = (
    "list_comprehension", "set_comprehension", "dictionary_comprehension", "generator_expression",
)  # fmt: skip

_NO_DECLARATIONS_BELOW = (
    "function_definition", "class_definition", "expression_statement", "return_statement",
    "argument_list",
)  # fmt: skip

# Loading one of these means that local names may be read, or code run, through a string.
INTROSPECTION = frozenset(
    {"eval", "exec", "locals", "vars", "dir", "globals", "__builtins__", "_getframe"}
)

# Attributes through which code reads the local names of a frame.
_FRAME_ATTRIBUTES = frozenset({"_getframe", "currentframe", "f_locals", "f_back"})

# Comprehensions that run to their end where they stand, unlike generators.
_IMMEDIATE = ("list_comprehension", "set_comprehension", "dictionary_comprehension")


@dataclass(eq=False, slots=True)
class Binding:
    """One variable. `scope` is None for names of the module level and builtins."""

    name: str
    scope: Scope | None
    stores: list[Node] = field(default_factory=list)
    loads: list[Node] = field(default_factory=list)
    deletes: list[Node] = field(default_factory=list)
    is_parameter: bool = False
    is_captured: bool = False
    """Some other scope loads or stores it, at times this one does not control. Comprehensions
    that run at once where they stand do not count."""
    imports: str | None = None
    """Dotted path, where the only store is an import."""

    @property
    def is_global(self) -> bool:
        return self.scope is None

    @property
    def is_local(self) -> bool:
        """A local of a function or lambda that nothing else can see."""
        return self.scope is not None and self.scope.is_function and not self.is_captured

    def __repr__(self) -> str:
        where = "global" if self.scope is None else self.scope.kind
        return f"<{where} {self.name}: {len(self.stores)} stores, {len(self.loads)} loads>"


@dataclass(eq=False, slots=True)
class Scope:
    """kind: `module`, `class`, `function_definition`, `lambda`, or a comprehension's kind."""

    kind: str
    node: Node | None
    parent: Scope | None
    names: dict[str, Binding] = field(default_factory=dict)
    globals: set[str] = field(default_factory=set)
    nonlocals: set[str] = field(default_factory=set)
    is_dynamic: bool = False
    """It, or a scope inside it, loads a name of INTROSPECTION."""
    is_generator: bool = False
    is_async: bool = False

    @property
    def is_function(self) -> bool:
        return self.kind in FUNCTION_SCOPES

    def bind(self, name: str) -> Binding:
        found = self.names.get(name)
        if found is None:
            found = self.names[name] = Binding(name, self)
        return found


class ScopeTree:
    """All scopes of a unit. `root` is the scope that the unit stands in (module or class)."""

    def __init__(self, unit: Unit) -> None:
        self.unit = unit
        self.root = Scope("class" if unit.classes else "module", None, None)
        self.scopes: list[Scope] = [self.root]
        self.globals: dict[str, Binding] = {}
        self.has_star_import = False
        # ids of identifier nodes by what they do; `x += 1` both loads and stores
        self.stores: set[int] = set()
        self.loads: set[int] = set()
        self.deletes: set[int] = set()
        self._scope_of: dict[int, Scope] = {}
        self._binding_of: dict[int, Binding] = {}
        self._loads: list[tuple[Node, Scope]] = []
        self._redirected: list[tuple[Node, Scope, str]] = []
        self._imports: dict[int, str] = {}
        self._visit(unit.root, self.root)
        self._resolve()

    # -- questions --------------------------------------------------------------------------

    def scope_of(self, node: Node) -> Scope:
        """The scope in which a node is evaluated (a function's own node: the scope around it)."""
        current: Node | None = node.parent
        child = node
        while current is not None:
            scope = self._scope_of.get(id(current))
            if scope is not None and _is_evaluated_inside(current, child, node):
                return scope
            child, current = current, current.parent
        return self.root

    def scope_for(self, definition: Node) -> Scope:
        """The scope that a function, lambda, class or comprehension opens."""
        return self._scope_of[id(definition)]

    def binding(self, identifier: Node) -> Binding | None:
        """What an identifier loads, stores or deletes; None where it is no variable (an
        attribute's name, a keyword)."""
        return self._binding_of.get(id(identifier))

    def function_of(self, node: Node) -> Node | None:
        """The nearest function or lambda whose body holds the node."""
        scope: Scope | None = self.scope_of(node)
        while scope is not None and not scope.is_function:
            scope = scope.parent
        return scope.node if scope is not None else None

    def runs_in(self, node: Node, function: Node) -> bool:
        """True where a node is evaluated by the function itself when control comes by: in its
        own scope or a comprehension that runs at once, not in a generator or inner function."""
        scope: Scope | None = self.scope_of(node)
        while scope is not None and scope.kind in _IMMEDIATE:
            scope = scope.parent
        return scope is not None and scope.node is function

    def bindings(self) -> Iterator[Binding]:
        for scope in self.scopes:
            yield from scope.names.values()
        yield from self.globals.values()

    def visible(self, name: str, at: Scope) -> Binding | None:
        """What a load of `name` in scope `at` would find inside this unit; None for names
        of the module level."""
        scope: Scope | None = at
        while scope is not None:
            if name in scope.globals:
                return None
            found = scope.names.get(name)
            if found is not None and name not in scope.nonlocals:
                if scope is at or scope.kind not in ("class", "module"):
                    return found if scope.kind != "module" else None
            scope = scope.parent
        return None

    def is_name_free(self, name: str, at: Scope) -> bool:
        """True where no scope of the unit binds or loads `name`, so it can be introduced."""
        if name in self.globals:
            return False
        return all(
            name not in s.names and name not in s.globals and name not in s.nonlocals
            for s in self.scopes
        )

    # -- collection -------------------------------------------------------------------------

    def _open(self, kind: str, node: Node, parent: Scope) -> Scope:
        scope = Scope(kind, node, parent)
        self.scopes.append(scope)
        self._scope_of[id(node)] = scope
        return scope

    def _store(self, node: Node, scope: Scope, *, parameter: bool = False) -> None:
        name = node.text
        if name in scope.globals or name in scope.nonlocals:
            self._redirected.append((node, scope, "store"))
            return
        binding = scope.bind(name)
        binding.stores.append(node)
        binding.is_parameter = binding.is_parameter or parameter
        self._binding_of[id(node)] = binding

    def _visit(self, start: Node, scope: Scope) -> None:
        self._declare(start, scope)
        stack: list[tuple[Node, Scope, str]] = [(start, scope, "load")]
        while stack:
            node, scope, mode = stack.pop()
            if node.is_hole:  # a method is a unit of its own
                continue
            handler = _HANDLERS.get(node.kind)
            if handler is not None:
                handler(self, node, scope, mode, stack)
            else:
                for c in node.children:
                    if c.children or c.kind == "identifier":
                        stack.append((c, scope, mode))

    def _declare(self, body: Node, scope: Scope) -> None:
        """Find `global` and `nonlocal` first: they act on the whole scope, wherever they stand."""
        stack = [body]
        while stack:
            node = stack.pop()
            if node.kind == "global_statement":
                scope.globals.update(c.text for c in node.operands)
            elif node.kind == "nonlocal_statement":
                scope.nonlocals.update(c.text for c in node.operands)
            elif node is not body and node.kind in _NO_DECLARATIONS_BELOW:
                continue
            stack.extend(c for c in node.children if c.children)

    def _identifier(self, node: Node, scope: Scope, mode: str, stack: _Stack) -> None:
        if mode == "load":
            self._loads.append((node, scope))
        elif mode == "store":
            self._store(node, scope)
        elif mode == "both":
            self._loads.append((node, scope))
            self._store(node, scope)
        else:
            name = node.text
            if name in scope.globals or name in scope.nonlocals:
                self._redirected.append((node, scope, "delete"))
                return
            binding = scope.bind(name)
            binding.deletes.append(node)
            self._binding_of[id(node)] = binding

    def _function(self, node: Node, scope: Scope, mode: str, stack: _Stack) -> None:
        name = node.child("name")
        if name is not None:
            self._store(name, scope)
        inner = self._open(node.kind, node, scope)
        if any(c.kind == "async" for c in node.children):
            inner.is_async = True
        parameters = node.child("parameters")
        body = node.child("body")
        if body is not None:
            self._declare(body, inner)
        if type_parameters := node.child("type_parameters"):
            stack.append((type_parameters, inner, "both"))
        if parameters is not None:
            for parameter in parameters.children:
                self._parameter(parameter, scope, inner, stack)
        if returns := node.child("return_type"):
            stack.append((returns, scope, "load"))
        if body is not None:
            stack.append((body, inner, "load"))

    def _parameter(self, node: Node, outer: Scope, inner: Scope, stack: _Stack) -> None:
        if node.kind == "identifier":
            self._store(node, inner, parameter=True)
            return
        for c in node.children:
            if c.field in ("type", "value"):
                stack.append((c, outer, "load"))
            elif c.named:
                self._parameter(c, outer, inner, stack)

    def _class(self, node: Node, scope: Scope, mode: str, stack: _Stack) -> None:
        self._store(node["name"], scope)
        if bases := node.child("superclasses"):
            stack.append((bases, scope, "load"))
        inner = self._open("class", node, scope)
        if type_parameters := node.child("type_parameters"):
            stack.append((type_parameters, inner, "both"))
        if body := node.child("body"):
            self._declare(body, inner)
            stack.append((body, inner, "load"))

    def _comprehension(self, node: Node, scope: Scope, mode: str, stack: _Stack) -> None:
        inner = self._open(node.kind, node, scope)
        first = True
        for c in node.operands:
            if c.kind == "for_in_clause":
                stack.append((c["left"], inner, "store"))
                for source in c.fields("right"):
                    stack.append((source, scope if first else inner, "load"))
                if any(t.kind == "async" for t in c.children):
                    inner.is_async = True
                first = False
            else:
                stack.append((c, inner, "load"))

    def _walrus(self, node: Node, scope: Scope, mode: str, stack: _Stack) -> None:
        target = scope
        while target.kind in COMPREHENSIONS and target.parent is not None:
            target = target.parent
        self._store(node["name"], target)
        if target is not scope:
            self._store_seen_from_within(node["name"], target)
        stack.append((node["value"], scope, "load"))

    def _store_seen_from_within(self, name: Node, target: Scope) -> None:
        if binding := self._binding_of.get(id(name)):
            binding.is_captured = True

    def _assignment(self, node: Node, scope: Scope, mode: str, stack: _Stack) -> None:
        left = node["left"]
        right = node.child("right")
        if left.kind == "identifier" and right is None:
            # `x: int` binds nothing, yet makes x a local name.
            if left.text not in scope.globals and left.text not in scope.nonlocals:
                self._binding_of[id(left)] = scope.bind(left.text)
        else:
            stack.append((left, scope, "both" if node.kind == "augmented_assignment" else "store"))
        for c in (node.child("type"), right):
            if c is not None:
                stack.append((c, scope, "load"))

    def _target_expression(self, node: Node, scope: Scope, mode: str, stack: _Stack) -> None:
        name = node.child("attribute")
        if name is not None and name.text in _FRAME_ATTRIBUTES:
            self._mark_dynamic(scope)
        for c in node.children:
            if c.named and c.field != "attribute":
                stack.append((c, scope, "load"))

    def _for(self, node: Node, scope: Scope, mode: str, stack: _Stack) -> None:
        for c in node.children:
            if c.field == "left":
                stack.append((c, scope, "store"))
            elif c.named:
                stack.append((c, scope, "load"))

    def _as_pattern(self, node: Node, scope: Scope, mode: str, stack: _Stack) -> None:
        for c in node.children:
            if c.named:
                stack.append((c, scope, "store" if c.field == "alias" else mode))

    def _delete(self, node: Node, scope: Scope, mode: str, stack: _Stack) -> None:
        for c in node.operands:
            stack.append((c, scope, "delete"))

    def _keyword(self, node: Node, scope: Scope, mode: str, stack: _Stack) -> None:
        stack.append((node["value"], scope, "load"))

    def _import(self, node: Node, scope: Scope, mode: str, stack: _Stack) -> None:
        origin = node.child("module_name")
        prefix = origin.text + "." if origin is not None else ""
        for c in node.children:
            if c.kind == "wildcard_import":
                self.has_star_import = True
                scope.is_dynamic = True
            if c.field != "name":
                continue
            if c.kind == "aliased_import":
                bound, path = c["alias"], prefix + c["name"].text
            else:
                bound = next(c.find("identifier"))
                path = prefix + (c.text if origin is not None else bound.text)
            self._imports[id(bound)] = path
            self._store(bound, scope)

    def _yield(self, node: Node, scope: Scope, mode: str, stack: _Stack) -> None:
        target: Scope | None = scope
        while target is not None and target.kind in COMPREHENSIONS:
            target = target.parent
        if target is not None:
            target.is_generator = target.is_generator or node.kind == "yield"
        for c in node.operands:
            stack.append((c, scope, "load"))

    def _nothing(self, node: Node, scope: Scope, mode: str, stack: _Stack) -> None:
        return

    def _case_pattern(self, node: Node, scope: Scope, mode: str, stack: _Stack) -> None:
        # Whether a name in a pattern is captured or compared depends on where it stands;
        # both is the safe reading.
        for c in node.children:
            if c.named:
                stack.append((c, scope, "both"))

    # -- resolution -------------------------------------------------------------------------

    def _global(self, name: str) -> Binding:
        found = self.globals.get(name)
        if found is None:
            found = self.globals[name] = Binding(name, None)
        return found

    def _resolve(self) -> None:
        if self.root.kind == "module":
            # Stores at module level are stores of globals.
            self.globals = self.root.names
            for binding in self.globals.values():
                binding.scope = None
            self.root.names = {}
        for node, scope, mode in self._redirected:
            binding = self._find(node.text, scope)
            if binding.scope is not scope:
                binding.is_captured = True
            (binding.stores if mode == "store" else binding.deletes).append(node)
            self._binding_of[id(node)] = binding
        for node, scope in self._loads:
            name = node.text
            if scope is self.root and self.root.kind == "class" and not _is_in_decorator(node):
                binding = self._class_name(name)
            else:
                binding = self._find(name, scope)
            binding.loads.append(node)
            if not _runs_at_once(scope, binding.scope):
                binding.is_captured = True
            self._binding_of.setdefault(id(node), binding)
            if name in INTROSPECTION:
                self._mark_dynamic(scope)
        for scope in self.scopes:
            # Even where nothing else is done with the name, it must go on existing.
            for name in scope.nonlocals:
                self._find(name, scope).is_captured = True
        for binding in self.bindings():
            self.stores.update(map(id, binding.stores))
            self.loads.update(map(id, binding.loads))
            self.deletes.update(map(id, binding.deletes))
            for nodes in (binding.stores, binding.loads, binding.deletes):
                nodes.sort(key=lambda n: n.start)
            if len(binding.stores) == 1 and not binding.deletes:
                binding.imports = self._imports.get(id(binding.stores[0]))

    def _mark_dynamic(self, scope: Scope | None) -> None:
        while scope is not None:
            scope.is_dynamic = True
            scope = scope.parent

    def _class_name(self, name: str) -> Binding:
        """What a method's default or annotation loads: the class body, which is no part of
        this unit, may bind the name, so it is neither a known global nor a builtin."""
        return self.root.names.get(name) or self.root.bind(name)

    def _find(self, name: str, scope: Scope) -> Binding:
        current: Scope | None = scope
        redirected = name in scope.nonlocals
        while current is not None:
            if name in current.globals:
                break
            invisible = current is not scope and current.kind == "class"
            if not invisible and not (redirected and current is scope):
                found = current.names.get(name)
                if found is not None and name not in current.nonlocals:
                    return found
            current = current.parent
        return self._global(name)


_Stack = list[tuple[Node, Scope, str]]

_HANDLERS = {
    "identifier": ScopeTree._identifier,
    "function_definition": ScopeTree._function,
    "lambda": ScopeTree._function,
    "class_definition": ScopeTree._class,
    "named_expression": ScopeTree._walrus,
    "assignment": ScopeTree._assignment,
    "augmented_assignment": ScopeTree._assignment,
    "attribute": ScopeTree._target_expression,
    "subscript": ScopeTree._target_expression,
    "for_statement": ScopeTree._for,
    "as_pattern": ScopeTree._as_pattern,
    "delete_statement": ScopeTree._delete,
    "keyword_argument": ScopeTree._keyword,
    "import_statement": ScopeTree._import,
    "import_from_statement": ScopeTree._import,
    "future_import_statement": ScopeTree._nothing,
    "global_statement": ScopeTree._nothing,
    "nonlocal_statement": ScopeTree._nothing,
    "yield": ScopeTree._yield,
    "await": ScopeTree._yield,
    "case_pattern": ScopeTree._case_pattern,
    "comment": ScopeTree._nothing,
    **dict.fromkeys(COMPREHENSIONS, ScopeTree._comprehension),
}


def _is_evaluated_inside(opener: Node, child: Node, node: Node) -> bool:
    """Whether `node`, at or below the direct child `child` of a scope-opening node, is
    evaluated in the scope that is opened."""
    if opener.kind not in COMPREHENSIONS:
        return child.field == "body"
    clauses = [c for c in opener.children if c.kind == "for_in_clause"]
    return not (
        clauses and child is clauses[0] and any(node.is_inside(c) for c in child.fields("right"))
    )


def _runs_at_once(scope: Scope, owner: Scope | None) -> bool:
    """Whether a load in `scope` of a name of `owner` happens just where it is written."""
    if owner is None:
        return True
    current: Scope | None = scope
    while current is not None and current is not owner:
        if current.kind not in _IMMEDIATE:
            return False
        current = current.parent
    return True


def _is_in_decorator(node: Node) -> bool:
    return node.enclosing("decorator") is not None


def scopes(unit: Unit) -> ScopeTree:
    """The unit's scopes, computed once."""
    return unit.fact("scopes", lambda: ScopeTree(unit))
