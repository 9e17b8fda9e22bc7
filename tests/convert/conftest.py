"""All conversions of these tests share their child processes."""

import pytest


@pytest.fixture(scope="session", autouse=True)
def _workers(_conversion_workers):
    pass
