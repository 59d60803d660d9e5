"""Suites that measure semrep, its peers beside it: `python -m bench --help`."""
