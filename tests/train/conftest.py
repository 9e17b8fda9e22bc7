"""These tests train in their own process."""

import pytest

from tests.train import command


@pytest.fixture(scope="session")
def train():
    """The function that trains the shared runs."""
    return command.train
