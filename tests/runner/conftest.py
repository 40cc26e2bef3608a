"""Tasks that worker processes can import."""

from pathlib import Path

import pytest


@pytest.fixture
def example(monkeypatch):
    """The module of example tasks, on the path of this process and its workers."""
    monkeypatch.syspath_prepend(Path(__file__).parent)
    import example_tasks

    return example_tasks
