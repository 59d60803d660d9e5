"""Passes that make array operations of Python's loops."""
