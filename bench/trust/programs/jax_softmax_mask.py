"""Softmax over the places that a mask allows."""

import jax
import jax.numpy as jnp


def masked_softmax(x, mask):
    kept = jnp.where(mask, x, -jnp.inf)
    top = jnp.max(kept, axis=-1, keepdims=True)
    e = jnp.where(mask, jnp.exp(kept - top), 0.0)
    return e / jnp.sum(e, axis=-1, keepdims=True)


def semrep_inputs():
    keys = jax.random.split(jax.random.PRNGKey(0))
    x = jax.random.normal(keys[0], (4, 30))
    mask = jax.random.bernoulli(keys[1], 0.7, (4, 30)).at[:, 0].set(True)
    return [(x, mask)]
