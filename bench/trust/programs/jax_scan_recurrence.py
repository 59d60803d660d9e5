"""A linear recurrence along the first axis."""

import jax
import jax.numpy as jnp


def recurrence(decay, x, start):
    def step(state, item):
        a, b = item
        state = a * state + b
        return state, state

    last, states = jax.lax.scan(step, start, (jnp.tanh(decay), x))
    return last, states


def semrep_inputs():
    keys = jax.random.split(jax.random.PRNGKey(0), 3)
    return [
        (
            jax.random.normal(keys[0], (12, 5)),
            jax.random.normal(keys[1], (12, 5)),
            jax.random.normal(keys[2], (5,)),
        )
    ]
