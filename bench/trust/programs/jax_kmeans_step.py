"""Nearest centre of each point, and the centres moved to their means."""

import jax
import jax.numpy as jnp


def kmeans_step(points, centres):
    d = jnp.sum((points[:, None, :] - centres[None, :, :]) ** 2, axis=-1)
    label = jnp.argmin(d, axis=1)
    chosen = jax.nn.one_hot(label, centres.shape[0], dtype=points.dtype)
    size = jnp.sum(chosen, axis=0)
    moved = chosen.T @ points / jnp.maximum(size, 1.0)[:, None]
    return jnp.where(size[:, None] > 0, moved, centres), label


def semrep_inputs():
    keys = jax.random.split(jax.random.PRNGKey(0))
    return [(jax.random.normal(keys[0], (30, 3)), jax.random.normal(keys[1], (4, 3)))]
