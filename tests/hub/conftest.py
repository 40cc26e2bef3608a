"""A Hub for each module, and clients of it."""

import itertools
from pathlib import Path

import pytest

from .client import Client
from .hub_server import HubServer

TOKEN = "hf_" + "SecretOfAna" * 3


@pytest.fixture(scope="module")
def hub():
    with HubServer(users={TOKEN: "ana"}) as server:
        yield server


@pytest.fixture(scope="module")
def new_client(hub, tmp_path_factory):
    """Makes a client with an empty cache."""
    number = itertools.count()

    def make(token: str | None = TOKEN) -> Client:
        return Client(hub.url, Path(tmp_path_factory.mktemp(f"home{next(number)}")), token)

    return make
