"""Suite `npbench`: the kernels of NPBench against NumPy, Numba and jax.jit.

Ziogas, Ben-Nun, Schneider, Hoefler, NPBench: a benchmarking suite for high-performance NumPy,
ICS 2021. Nothing of it is kept here: the texts are read from a checkout.
"""
