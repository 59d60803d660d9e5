"""Passes on Triton kernels."""
