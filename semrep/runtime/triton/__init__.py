"""Triton's interpreter, mended and watched: `bridge.install` comes first."""
