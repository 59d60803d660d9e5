"""Small random functions that use what makes Python hard to rewrite."""

from __future__ import annotations

import random

HELPERS = '''\
LIMIT = 7
STEP = 2


def double(u):
    return u + u


def blend(u, v):
    """A mix of both."""
    return u * LIMIT - v


def pick(u, v, w):
    return u if v else w


def chain(u):
    return blend(double(u), STEP)


'''


class Program:
    """Writes one function `f(a, b, xs)`; the same seed gives the same text."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.names = ["a", "b", "n"]
        self.counter = 0
        self.loops = 0

    def source(self) -> str:
        lines = ["n = len(xs)"] if self.rng.random() < 0.7 else ["n = 3"]
        if self.rng.random() < 0.5:
            lines.append("x = float(n) + 0.5")
            self.names.append("x")
        for _ in range(self.rng.randint(3, 9)):
            lines += self.statement(2)
        lines.append(f"return {', '.join(self.rng.sample(self.names, min(4, len(self.names))))}")
        if self.rng.random() < 0.2:
            lines += self.statement(1)
        body = "\n".join("    " + line if line else "" for line in lines)
        text = f"{HELPERS}def f(a, b, xs):\n{body}\n"
        style = self.rng.random()
        if style < 0.1:
            text = text.replace("    ", "\t")
        if style > 0.9:
            text = text.replace("\n", "\r\n")
        return text

    # -- expressions ------------------------------------------------------------------------

    def name(self) -> str:
        return self.rng.choice(self.names)

    def literal(self) -> str:
        return self.rng.choice(
            ["0", "1", "2", "3", "-1", "4", "0.5", "2.0", "-0.0", "1e308", "True", "False", "None",
             "'s'", '"t"', "()", "10"]
        )  # fmt: skip

    def number(self) -> str:
        return self.rng.choice(
            ["n", "1", "2", "3", "n", "LIMIT", "0", "x" if "x" in self.names else "n"]
        )

    def arithmetic(self, depth: int) -> str:
        """Mostly typed, so that proofs succeed."""
        if depth == 0 or self.rng.random() < 0.25:
            return self.number()
        operator = self.rng.choice(["+", "-", "*", "*", "+", "//", "%", "**", "/", "<<", "&"])
        left = self.arithmetic(depth - 1)
        right = self.arithmetic(depth - 1)
        if operator in ("**", "<<"):
            right = self.rng.choice(["2", "3", "1"])
        if operator in ("/", "//", "%"):
            right = self.rng.choice([right, "2", "4.0", "8"])
        return f"({left} {operator} {right})"

    def expression(self, depth: int) -> str:
        roll = self.rng.randrange(22)
        if depth == 0 or roll < 3:
            return self.name() if self.rng.random() < 0.7 else self.literal()
        inner = depth - 1
        e = self.expression
        if roll < 8:
            return self.arithmetic(2)
        if roll < 10:
            return f"{e(inner)} {self.rng.choice(['+', '-', '*', '%', '/'])} {self.name()}"
        if roll == 10:
            operator = self.rng.choice(["<", "==", ">=", "!=", "is", "is not"])
            return f"({e(inner)} {operator} {e(inner)})"
        if roll == 11:
            return f"({self.literal()} < {self.name()})"
        if roll == 12:
            return f"({e(inner)} {self.rng.choice(['and', 'or'])} {e(inner)})"
        if roll == 13:
            return f"({e(inner)} if {e(inner)} else {e(inner)})"
        if roll == 14:
            return f"(not {e(inner)})"
        if roll == 15:
            return f"[i * {self.number()} for i in range(n) if i != {self.number()}]"
        if roll == 16:
            fresh = self.fresh("w")
            text = f"({fresh} := {e(inner)})"
            self.names.append(fresh)
            return text
        if roll == 17:
            return f"double({e(inner)})"
        if roll == 18:
            return self.rng.choice(
                [f"blend({e(inner)}, {e(inner)})", f"pick({e(inner)}, {e(inner)}, {e(inner)})",
                 f"chain({self.name()})", f"blend(v={self.name()}, u={self.number()})"]
            )  # fmt: skip
        if roll == 19:
            return f"f'{{{self.name()}}}-{{n}}'"
        if roll == 20:
            return f"xs[{self.number()}:]"
        return f"({e(inner)}, {e(inner)})"

    # -- statements -------------------------------------------------------------------------

    def fresh(self, base: str) -> str:
        self.counter += 1
        return f"{base}{self.counter}"

    def block(self, depth: int) -> list[str]:
        known = list(self.names)
        lines = [s for _ in range(self.rng.randint(1, 3)) for s in self.statement(depth)]
        if self.rng.random() < 0.8:
            self.names = known  # what a block binds may be unbound behind it
        return ["    " + line if line else "" for line in lines]

    def assigned(self) -> str:
        if self.rng.random() < 0.5:
            return self.name()
        fresh = self.fresh("v")
        self.names.append(fresh)
        return fresh

    def statement(self, depth: int) -> list[str]:
        roll = self.rng.randrange(30)
        e = self.expression(2)
        if roll < 7 or depth == 0:
            return [f"{self.assigned()} = {e}"]
        if roll < 9:
            return [f"{self.assigned()} = {self.arithmetic(3)}"]
        if roll == 9:
            return [f"{self.assigned()} = {self.name()}"]
        if roll == 10:
            return [f"{self.assigned()} = {self.literal()}  # a remark"]
        if roll == 11:
            return [f"{self.name()} {self.rng.choice(['+=', '*=', '-='])} {self.arithmetic(1)}"]
        if roll == 12:
            return [f"{self.assigned()} = {e}; {self.assigned()} = {self.arithmetic(1)}"]
        if roll == 13:
            condition = self.rng.choice([e, self.arithmetic(1), "n > 2", "False", "True", "None"])
            lines = [f"if {condition}:", *self.block(depth - 1)]
            if self.rng.random() < 0.3:
                lines += [f"elif {self.expression(1)}:", *self.block(depth - 1)]
            if self.rng.random() < 0.5:
                lines += ["else:", *self.block(depth - 1)]
            return lines
        if roll == 14:
            return [f"if {e}: {self.name()} = {self.arithmetic(1)}"]
        if roll < 19:
            return self.loop(depth)
        if roll == 19:
            counter = self.fresh("c")
            return [
                f"{counter} = 0",
                f"while {counter} < {self.rng.choice(['2', 'n', 'n * 2 + 1'])}:",
                f"    {counter} += 1",
                *self.block(depth - 1),
            ]
        if roll == 20:
            lines = ["try:", *self.block(depth - 1)]
            handler = self.rng.choice(["ZeroDivisionError", "TypeError as err", "Exception"])
            lines += [f"except {handler}:", *self.block(depth - 1)]
            if self.rng.random() < 0.3:
                lines += ["finally:", *self.block(0)]
            return lines
        if roll == 21:
            inner = self.fresh("g")
            target = self.name()
            lines = [f"def {inner}(q={self.number()}):"]
            if self.rng.random() < 0.5:
                lines += [f"    nonlocal {target}"] if target not in ("",) else []
                lines += [f"    {target} = q"]
            lines += [f"    return {self.expression(1)}"]
            self.names.append(inner) if self.rng.random() < 0.1 else None
            return [*lines, f"{self.assigned()} = {inner}({self.number()})"]
        if roll == 22:
            return [f"{self.assigned()} = (lambda t: t + {self.name()})({self.number()})"]
        if roll == 23:
            return [e]
        if roll == 24:
            first, second = self.name(), self.name()
            return [f"{first}, {second} = {second}, {self.expression(1)}"]
        if roll == 25:
            return [f"xs.append({self.expression(1)})"]
        if roll == 26:
            return [f"for {self.fresh('k')} in (1, 2.5, 'z'):", *self.block(depth - 1)]
        if roll == 27 and len(self.names) > 4:
            return [f"del {self.names.pop(self.rng.randrange(3, len(self.names)))}"]
        if roll == 28:
            return [f"print({e})"]
        target = self.assigned()
        return [f"{target} = {self.arithmetic(2)}", "", f"{target} = {target} * {self.number()}"]

    def loop(self, depth: int) -> list[str]:
        target = self.rng.choice(["i", "j", self.fresh("i")])
        bound = self.rng.choice(["n", "3", "2", "1, 4", "n", "0", "xs"])
        header = f"for {target} in {'xs' if bound == 'xs' else f'range({bound})'}:"
        self.loops += 1
        if bound == "n" and self.rng.random() < 0.5:
            first, second = self.fresh("s"), self.fresh("s")
            self.names += [first, second]
            return [
                f"{first} = {second} = 0",
                header, f"    {first} += {target} * {self.arithmetic(1)}",
                header, f"    {second} += {target} + {self.arithmetic(1)}",
            ]  # fmt: skip
        if self.rng.random() < 0.3:
            other = "n > 1" if self.rng.random() < 0.5 else self.name()
            lines = [header, f"    if {other}:", *("    " + s for s in self.block(depth - 1))]
            if self.rng.random() < 0.5:
                lines += ["    else:", *("    " + s for s in self.block(depth - 1))]
            return lines
        self.names.append(target)
        lines = [header, *self.block(depth - 1)]
        if self.rng.random() < 0.3:
            jump = self.rng.choice(["break", "continue", f"return {self.name()}"])
            lines += [f"    if {self.expression(1)}:", f"        {jump}", *self.block(depth - 1)]
        if self.rng.random() < 0.2:
            lines += ["else:", *self.block(depth - 1)]
        return lines


def random_program(seed: int) -> str:
    """A module's text whose last function is `f(a, b, xs)`. It compiles, or is tried again."""
    for attempt in range(100):
        text = Program(seed * 1000 + attempt).source()
        try:
            compile(text, "<random>", "exec")
        except SyntaxError:
            continue
        return text
    raise RuntimeError(f"no program from seed {seed}")
