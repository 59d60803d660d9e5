"""Passes on scalar code in straight lines."""
