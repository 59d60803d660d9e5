"""Passes of this family; one pass, or one family of rules, a file."""
