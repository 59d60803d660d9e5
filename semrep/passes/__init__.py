"""Semantics-preserving passes. A pass says where it could act and what it would write there."""
