"""Placeholder."""
def write() -> str:
    return ""
