"""How far verdicts can be trusted: faults that must be caught, rewrites that must be accepted."""
