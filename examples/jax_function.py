"""A jax function with a chain of products in the dearer order.

python -m semrep.opt examples/jax_function.py
"""

import jax
import jax.numpy as jnp


def propagate(transition, mixing, state):
    """One state vector through two matrices, and the total that each row would pass on.

    transition, mixing: (n, n). state: (n,). Returns (n,) and (n,).
    """
    step = transition @ mixing
    moved = step @ state
    passed = jnp.sum(jnp.matmul(mixing, transition), axis=1)
    return moved, passed


def semrep_inputs():
    keys = jax.random.split(jax.random.PRNGKey(0), 3)
    n = 768
    transition = jax.random.normal(keys[0], (n, n))
    mixing = jax.random.normal(keys[1], (n, n))
    state = jax.random.normal(keys[2], (n,))
    return [(transition, mixing, state)]
