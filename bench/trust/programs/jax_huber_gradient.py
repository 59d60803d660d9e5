"""Huber loss of a linear model and its gradients."""

import jax
import jax.numpy as jnp


def loss(params, x, y):
    w, b = params
    error = jnp.abs(x @ w + b - y)
    small = 0.5 * error**2
    large = error - 0.5
    return jnp.mean(jnp.where(error <= 1.0, small, large))


def value_and_gradients(w, b, x, y):
    value, grads = jax.value_and_grad(loss)((w, b), x, y)
    return value, grads[0], grads[1]


def semrep_inputs():
    keys = jax.random.split(jax.random.PRNGKey(0), 4)
    shapes = [(6,), (), (20, 6), (20,)]
    return [tuple(jax.random.normal(k, s) for k, s in zip(keys, shapes, strict=True))]
