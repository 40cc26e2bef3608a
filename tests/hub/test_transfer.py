"""A push arrives once, whatever the Hub does in between; and where it cannot, it says what to do."""

import itertools
import subprocess
import sys
import time
from textwrap import dedent

import pytest

from .client import Client
from .conftest import TOKEN

# Waiting takes no time here, and is told of.
PUSH = """
    import time
    from musemo_hf.hub.transfer import HubPushError, push_folder
    waits = []
    time.sleep = waits.append
    try:
        result = [push_folder(FOLDER, REPO, tag=TAG), waits]
    except HubPushError as error:
        result = [type(error).__name__, str(error)]
"""
_numbers = itertools.count()


@pytest.fixture
def folder(tmp_path):
    """Two large files, a small one and a card."""
    path = tmp_path / "model"
    (path / "part").mkdir(parents=True)
    (path / "model.safetensors").write_bytes(b"weights %d" % next(_numbers))
    (path / "part/model.safetensors").write_bytes(b"more weights %d" % next(_numbers))
    (path / "config.json").write_text("{}")
    (path / "README.md").write_text("---\nlicense: mit\n---\nA model.\n")
    return path


@pytest.fixture
def repo(hub):
    """A name of its own for each test, and a Hub without faults or memories."""
    hub.heal()
    hub.requests.clear()
    yield f"ana/model{next(_numbers)}"
    hub.heal()


@pytest.fixture
def push(new_client, folder, repo):
    def run(client: Client | None = None, repo: str = repo, tag: str | None = None):
        facts = f"FOLDER, REPO, TAG = {str(folder)!r}, {repo!r}, {tag!r}\n"
        return (client or new_client()).run(facts + dedent(PUSH))

    return run


FILES = {".gitattributes", "README.md", "config.json", "model.safetensors", "part/model.safetensors"}


def test_a_push_is_one_commit_and_again_none(hub, push, repo):
    first, second = push(), push()
    assert first == second == [hub.repository("models", repo).commits[-1].oid, []]
    assert set(hub.files("models", repo)) == FILES
    assert len(hub.repository("models", repo).commits) == 2


@pytest.mark.parametrize(
    ("pattern", "kind", "options"),
    [
        ("POST /api/repos/create", "status", {"status": 503}),
        ("POST /api/validate-yaml", "status", {"status": 500}),
        ("GET /api/models/.*", "drop", {}),
        ("GET /api/models/.*", "truncate", {}),
        ("POST /api/models/.*/preupload/main", "status", {"status": 429, "headers": {"Retry-After": "7"}}),
        ("POST /.*/info/lfs/objects/batch", "status", {"status": 502}),
        ("PUT /lfs/.*", "status", {"status": 500, "after": 1}),
        ("PUT /lfs/.*", "drop", {"after": 1}),
        ("POST /api/models/.*/commit/main", "status", {"status": 503}),
        ("POST /api/models/.*/commit/main", "drop", {}),
        ("POST /api/models/.*/commit/main", "lost", {}),
    ],
)
def test_a_push_recovers(hub, push, repo, pattern, kind, options):
    fault = hub.fail(pattern, kind, **options)
    commit, waits = push()
    assert fault.hits
    assert waits, "the push must have met the fault, and come back"
    assert set(hub.files("models", repo, commit)) == FILES
    assert len(hub.repository("models", repo).commits) == 2


def test_retry_after_is_obeyed(hub, push):
    hub.fail("POST /api/models/.*/commit/main", status=429, headers={"Retry-After": "7"})
    assert push()[1] == [7.0]


def test_a_push_that_cannot_come_through_says_what_to_do_and_can_be_repeated(hub, push, repo):
    hub.fail("POST /api/models/.*/commit/main", status=503, times=99)
    kind, message = push()
    assert kind == "HubPushError"
    assert "answered 503" in message
    assert "same command again" in message
    assert set(hub.files("models", repo)) == {".gitattributes"}, "nothing is half-pushed"
    hub.heal()
    push()
    assert set(hub.files("models", repo)) == FILES
    assert sum(request.startswith("PUT /lfs/") for request in hub.requests) == 2, "each large file was sent once"


def test_a_push_that_is_killed_can_be_repeated(hub, push, folder, repo, new_client):
    hub.fail("PUT /lfs/.*", status=500, times=99, after=1)
    client = new_client()
    code = f"from musemo_hf.hub.transfer import push_folder\npush_folder({str(folder)!r}, {repo!r})"
    process = subprocess.Popen([sys.executable, "-c", code], env=client.environment(), stderr=subprocess.DEVNULL)
    while process.poll() is None and sum(request.startswith("PUT") for request in list(hub.requests)) < 2:
        time.sleep(0.05)
    process.kill()
    assert process.wait() < 0, "it must have been under way"
    assert set(hub.files("models", repo)) == {".gitattributes"}
    hub.heal()
    hub.requests.clear()
    push(client)
    assert set(hub.files("models", repo)) == FILES
    assert sum(request.startswith("PUT /lfs/") for request in hub.requests) == 1, "only what was missing"


def test_what_an_earlier_push_left_goes_and_the_rest_stays(hub, push, folder, repo, new_client):
    (folder / "old_code.py").write_text("old = 1\n")
    (folder / "part/old.json").write_text("{}")
    (folder / "notes.txt").write_text("mine\n")
    push()
    for name in ("old_code.py", "part/old.json", "notes.txt"):
        (folder / name).unlink()
    push()
    assert set(hub.files("models", repo)) == FILES | {"notes.txt"}


def test_a_tag_is_set_once(hub, push, folder, repo):
    commit, _ = push(tag="v1")
    assert push(tag="v1")[0] == commit
    assert hub.repository("models", repo).tags == {"v1": commit}
    (folder / "config.json").write_text('{"new": 1}')
    kind, message = push(tag="v1")
    assert kind == "HubPushError"
    assert "'v1'" in message
    assert hub.repository("models", repo).tags == {"v1": commit}


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("optimizer.safetensors", b"", "no training state"),
        ("random_states_0.pkl", b"", "no training state"),
        ("pytorch_model.bin", b"", ".safetensors"),
        ("app.py", b'token = "' + TOKEN.encode() + b'"', "access token"),
    ],
)
def test_what_must_not_be_published_is_refused(hub, push, folder, repo, name, content, expected):
    (folder / name).write_bytes(content)
    kind, message = push()
    assert kind == "HubPushError"
    assert name in message
    assert expected in message
    assert TOKEN not in message
    assert hub.requests == []


def test_a_missing_or_foreign_token_is_named(push, new_client):
    for client, repo in ((new_client(None), "ana/x"), (new_client("hf_wrong"), "ana/x"), (new_client(), "bob/x")):
        kind, message = push(client, repo)
        assert kind == "HubPushError"
        assert "hf auth login" in message
        assert f"write access to {repo.split('/')[0]}" in message


def test_a_hub_that_is_not_there_is_named(push, tmp_path):
    kind, message = push(Client("http://127.0.0.1:9", tmp_path / "home", TOKEN))
    assert kind == "HubPushError"
    assert "check the connection" in message


COMMAND_LINE = dedent("""
    import argparse, time
    from musemo_hf.commands.push import add_arguments, run
    from musemo_hf.hub import transfer
    transfer.ANSWER_TIMEOUT = 0.5
    time.sleep = lambda seconds: None
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    raise SystemExit(run(parser.parse_args(["metric", "ana/concordance_correlation"])))
""")


@pytest.mark.parametrize(
    ("request_", "kind", "expected"),
    [
        ("POST /api/spaces/.*/commit/main", "status", "answered 503"),
        ("POST /api/repos/create", "hang", "check the connection"),
        ("POST /api/spaces/.*/commit/main", "drop", "check the connection"),
    ],
)
def test_the_command_line_says_it_without_a_traceback(hub, repo, new_client, request_, kind, expected):
    hub.fail(request_, kind, times=99)
    done = new_client().start(["-c", COMMAND_LINE])
    assert done.returncode == 1
    assert expected in done.stderr
    assert "same command again" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_command_line_names_the_commit(hub, repo, new_client):
    done = new_client().start(["-c", COMMAND_LINE])
    assert done.returncode == 0, done.stderr
    assert hub.repository("spaces", "ana/concordance_correlation").commits[-1].oid in done.stdout
