"""Bilinear sampling of an image at real positions, clamped to the border."""

import jax
import jax.numpy as jnp


def sample(image, ys, xs):
    h, w = image.shape
    y = jnp.clip(ys, 0.0, h - 1.0)
    x = jnp.clip(xs, 0.0, w - 1.0)
    y0 = jnp.floor(y).astype(jnp.int32)
    x0 = jnp.floor(x).astype(jnp.int32)
    y1 = jnp.minimum(y0 + 1, h - 1)
    x1 = jnp.minimum(x0 + 1, w - 1)
    fy, fx = y - y0, x - x0
    top = image[y0, x0] * (1 - fx) + image[y0, x1] * fx
    bottom = image[y1, x0] * (1 - fx) + image[y1, x1] * fx
    return top * (1 - fy) + bottom * fy


def semrep_inputs():
    keys = jax.random.split(jax.random.PRNGKey(0), 3)
    image = jax.random.normal(keys[0], (7, 9))
    ys = jax.random.uniform(keys[1], (25,), minval=-2.0, maxval=9.0)
    xs = jax.random.uniform(keys[2], (25,), minval=-2.0, maxval=11.0)
    return [(image, ys, xs)]
