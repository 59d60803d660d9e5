"""NumPy functions for rewriting: aliasing, in-place operators, views, dtypes that promote."""

from __future__ import annotations

SOURCE = """\
import math
import numpy as np

EPS = 1e-5
AXIS = -1


def half(v):
    return v / 2


def centred(v):
    return v - v.mean(axis=AXIS, keepdims=True)


def alias_then_add(a, b):
    y = a
    y += b
    return a, y


def alias_then_rebind(a, b):
    y = a
    y = y + b
    return a, y


def repeated(a, b):
    c = a * b + 1
    d = a * b + 1
    d += 1
    return c, d


def loop_scale(a, b):
    n = len(a)
    out = np.zeros(n)
    for i in range(n):
        w = n * 2
        out[i] = w + n * 2
        k = i ** 2
        out[i] += k
    return out


def variance(a, b):
    m = a.mean()
    d = a - m
    return (d * d).mean() + EPS * 2


def standardise(a, b):
    m = a.mean(axis=-1, keepdims=True)
    s = a.std(axis=-1, keepdims=True)
    return (a - m) / (s + EPS)


def softmax(a, b):
    e = np.exp(a - a.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def swap(a, b):
    a, b = b, a
    return a - b


def view(a, b):
    v = a[::2]
    v *= 2
    w = v
    return a, w


def dead(a, b):
    unused = a * 2
    a * b
    other = 3
    return a + other


def conditional(a, b):
    flag = len(a) > 2
    total = 0.0
    for x in a:
        if flag:
            total += x
        else:
            total -= x
    return total


def squares(a, b):
    x = float(len(a))
    return a ** 2, x ** 2, x / 4, len(b) ** 2


def dtype_promotion(a, b):
    one = 1
    point = 0.5
    return a * one, a * point, b // 2 ** 1, (2 * 3) * a


def helper_calls(a, b):
    return half(a) + half(half(b)), centred(a)


def chained(a, b):
    c = a
    d = c
    c = d * 2
    e = d
    d = e - c
    return c, d, e


def matmul(a, b):
    m = np.outer(a, b)
    return m @ a if len(a) == len(b) else m.sum()


def masked(a, b):
    mask = a > 0
    c = np.where(mask, a, -a)
    c[mask] = 0.0
    return c, mask & ~mask


def accumulate(a, b):
    acc = 0.0
    count = 0
    for x in a:
        for y in b:
            acc = acc + x * y
            count += 1
    return acc / max(count, 1)


def two_loops(a, b):
    s = t = 0
    for i in range(len((1, 2, 3))):
        s += i * 2
    for i in range(len((1, 2, 3))):
        t += i + 1
    return a * s + t


def unrolled(a, b):
    for k in range(3):
        a = a + k * b[:1]
    return a


def comprehension(a, b):
    n = len(a)
    return [x * (n + 1) + (n + 1) for x in a if n + 1 > 2]


def walrus(a, b):
    if (m := a.sum()) > 0 and (k := m * 2) > 1:
        return m, k
    return m


def guarded(a, b):
    try:
        c = a / len(b)
        d = c + 1
    except ZeroDivisionError:
        d = None
    finally:
        e = 1
    return d, e


def logsumexp(a, b):
    m = np.max(a)
    return m + np.log(np.sum(np.exp(a - m)))


def norm(a, b):
    return math.sqrt(float((a * a).sum())) + np.linalg.norm(b)
"""
