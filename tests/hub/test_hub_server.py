"""The stand-in behaves as the Hub does, to the real `huggingface_hub` client."""

import socket
from textwrap import dedent

import pytest

from .client import Client
from .conftest import TOKEN


@pytest.fixture(scope="module")
def seen(hub, new_client):
    """Everything that one client did with a repository, from its making to its download."""
    return new_client().run("""
        import os
        from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi
        api = HfApi()
        result = {"user": api.whoami()["name"], "url": api.create_repo("ana/thing", private=True)}
        api.create_repo("ana/thing", exist_ok=True)
        add = lambda **files: [CommitOperationAdd(path.replace("__", "."), data) for path, data in files.items()]
        card = b"---\\nlicense: mit\\n---\\nhello"
        first = api.create_commit("ana/thing", add(README__md=card, w__safetensors=b"0123456789"), commit_message="one")
        again = api.create_commit("ana/thing", add(README__md=card, w__safetensors=b"0123456789"), commit_message="one")
        result["same"] = first.oid == again.oid
        api.create_tag("ana/thing", tag="v1")
        api.create_branch("ana/thing", branch="dev", revision="v1")
        operations = add(**{"folder/a__txt": b"A"}) + [CommitOperationDelete("README.md")]
        api.create_commit("ana/thing", operations, commit_message="two")
        result["files"] = sorted(api.list_repo_files("ana/thing"))
        result["tagged"] = sorted(api.list_repo_files("ana/thing", revision="v1"))
        result["tree"] = sorted(entry.path for entry in api.list_repo_tree("ana/thing", recursive=True))
        refs = api.list_repo_refs("ana/thing")
        result["refs"] = [[ref.name for ref in refs.branches], [ref.name for ref in refs.tags]]
        result["info"] = api.get_paths_info("ana/thing", ["w.safetensors"])[0].lfs.size
        result["weights"] = open(api.hf_hub_download("ana/thing", "w.safetensors", revision="dev")).read()
        result["snapshot"] = sorted(os.listdir(api.snapshot_download("ana/thing")))
        from huggingface_hub import HfFileSystem
        with HfFileSystem().open("ana/thing/w.safetensors", block_size=4) as file:
            file.seek(3)
            result["range"] = file.read(4).decode()
        def refused(call):
            try:
                call()
            except Exception as error:
                return type(error).__name__
        result["errors"] = [
            refused(lambda: api.hf_hub_download("ana/thing", "none.txt")),
            refused(lambda: api.hf_hub_download("ana/thing", "w.safetensors", revision="v9")),
            refused(lambda: api.repo_info("ana/none")),
            refused(lambda: api.repo_info("ana/thing", token=False)),
            refused(lambda: api.create_repo("bob/thing")),
            refused(lambda: api.create_commit("ana/thing", add(README__md=b"---\\na: [\\n---\\n"), commit_message="x")),
            refused(lambda: api.create_tag("ana/thing", tag="v1")),
        ]
    """)


def test_a_repository_is_made_filled_tagged_and_read(seen, hub):
    assert (seen["user"], seen["url"]) == ("ana", f"{hub.url}/ana/thing")
    assert seen["same"], "a commit that changes nothing is none"
    assert seen["files"] == [".gitattributes", "folder/a.txt", "w.safetensors"]
    assert seen["tagged"] == [".gitattributes", "README.md", "w.safetensors"]
    assert seen["tree"] == [".gitattributes", "folder", "folder/a.txt", "w.safetensors"]
    assert seen["refs"] == [["main", "dev"], ["v1"]]
    assert (seen["info"], seen["weights"], seen["range"]) == (10, "0123456789", "3456")
    assert seen["snapshot"] == [".gitattributes", "folder", "w.safetensors"]


def test_what_the_hub_refuses_comes_as_the_clients_own_errors(seen):
    assert seen["errors"] == [
        "RemoteEntryNotFoundError",
        "RevisionNotFoundError",
        "RepositoryNotFoundError",
        "RepositoryNotFoundError",
        "HfHubHTTPError",
        "ValueError",
        "HfHubHTTPError",
    ]


DOWNLOAD = """
    from huggingface_hub import hf_hub_download
    try:
        result = open(hf_hub_download("ana/thing", "w.safetensors")).read()
    except Exception as error:
        result = [type(error).__name__, str(error)]
"""


@pytest.mark.usefixtures("seen")
@pytest.mark.parametrize(
    ("pattern", "kind", "options"),
    [
        ("GET /lfs/.*", "truncate", {}),
        ("HEAD /ana/thing/.*", "status", {"status": 429, "headers": {"Retry-After": "0"}, "times": 2}),
        ("HEAD /ana/thing/.*", "status", {"status": 503, "times": 2}),
        ("GET /lfs/.*", "drop", {}),
    ],
)
def test_a_download_recovers(hub, new_client, pattern, kind, options):
    fault = hub.fail(pattern, kind, **options)
    assert new_client().run(DOWNLOAD) == "0123456789"
    hub.heal()
    assert fault.hits > fault.times, "the client must have met the fault, and come back"


def test_a_hub_that_is_not_there_is_named_as_such(tmp_path):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
    kind, message = Client(url, tmp_path).run("import time; time.sleep = lambda seconds: None\n" + dedent(DOWNLOAD))
    assert kind == "LocalEntryNotFoundError"
    assert "check your connection" in message


def test_a_commit_that_fails_half_way_leaves_nothing(hub, new_client):
    code = """
        from huggingface_hub import HfApi, CommitOperationAdd
        api = HfApi()
        api.create_repo("ana/half", exist_ok=True)
        files = [CommitOperationAdd(name, b"x" * 9) for name in ("a.txt", "w.safetensors")]
        try:
            result = api.create_commit("ana/half", files, commit_message="all").oid
        except Exception as error:
            result = type(error).__name__
    """
    hub.fail("POST /api/models/ana/half/commit/main", "drop")
    assert new_client().run(code) == "RemoteProtocolError"
    hub.heal()
    assert list(hub.files("models", "ana/half")) == [".gitattributes"]
    new_client().run(code)
    assert list(hub.files("models", "ana/half")) == [".gitattributes", "a.txt", "w.safetensors"]
    assert sum(request.startswith("PUT /lfs/") for request in hub.requests) == 2, "ana/thing's, and this one's once"


def test_a_wrong_token_is_refused(hub, new_client):
    code = """
        from huggingface_hub import HfApi
        try:
            result = HfApi().whoami()
        except Exception as error:
            result = str(error)
    """
    assert "Invalid" in new_client(TOKEN + "x").run(code)
