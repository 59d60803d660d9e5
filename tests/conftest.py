from __future__ import annotations

import os

import pytest

# What an earlier run found out must not decide this one.
os.environ["SEMREP_STORE"] = ":memory:"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="also run tests marked slow")
    parser.addoption(
        "--update-cases", action="store_true", help="rewrite the `after` blocks of case files"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--slow"):
        skip = pytest.mark.skip(reason="slow; run with --slow")
        for item in items:
            if "slow" in item.keywords:
                item.add_marker(skip)
    if any("gpu" in item.keywords for item in items):
        import torch

        if not torch.cuda.is_available():
            skip = pytest.mark.skip(reason="no CUDA or ROCm device here")
            for item in items:
                if "gpu" in item.keywords:
                    item.add_marker(skip)
