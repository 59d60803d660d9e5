"""Normal forms: the representation that other passes read, and their inverses."""
