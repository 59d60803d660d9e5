"""Algebra on the value graph; one family of rules a file."""
