"""Search from module to module. Strategies share one interface: `Strategy` in `strategy.py`."""
