"""A stand-in that speaks the Hub's HTTP to the real clients, and that can be told to fail.

    with HubServer(users={"hf_secret": "ana"}) as hub:
        hub.fail("GET /ana/model/resolve/.*", status=503, times=2)
        ...  # clients with HF_ENDPOINT=hub.url

What it answers is what `huggingface_hub`, `transformers`, `diffusers`, `datasets` and `evaluate` ask.
"""

import hashlib
import json
import re
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

import yaml

from .hub_store import HubError, Repository, blob_id, file_entry, is_large, tree

KINDS = {"model": "models", "dataset": "datasets", "space": "spaces"}
PREFIXES = {"models": "", "datasets": "datasets/", "spaces": "spaces/"}


@dataclass
class Fault:
    """What happens to requests that match, `times` times, after `after` of them have passed.

    kind: "status" (answers `status`), "truncate" (breaks off in mid-body), "drop" (closes without a word), "hang"
    (never answers), "lost" (does what was asked, then closes without a word).
    """

    pattern: str
    kind: str = "status"
    status: int = 503
    times: int = 1
    after: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    hits: int = 0

    def strikes(self, request: str) -> bool:
        if re.fullmatch(self.pattern, request) is None:
            return False
        self.hits += 1
        return self.after < self.hits <= self.after + self.times


class HubServer:
    """Serves on a free port of 127.0.0.1 between `with` and its end."""

    def __init__(self, users: dict[str, str]):
        self.users = users  # token -> user
        self.repositories: dict[tuple[str, str], Repository] = {}
        self.large: dict[str, bytes] = {}
        self.faults: list[Fault] = []
        self.requests: list[str] = []
        self.lock = threading.RLock()
        self.closing = threading.Event()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (HubHandler,), {"hub": self}))
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        self.store = f"http://localhost:{self._http.server_port}"  # another host to clients, as the Hub's storage is

    def __enter__(self):
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *error):
        self.closing.set()
        self._http.shutdown()
        self._http.server_close()

    def fail(self, pattern: str, kind: str = "status", **options) -> Fault:
        """Make requests ("METHOD path") that match the pattern fail."""
        fault = Fault(pattern, kind, **options)
        self.faults.append(fault)
        return fault

    def heal(self) -> None:
        self.faults.clear()

    def repository(self, kind: str, name: str) -> Repository:
        try:
            return self.repositories[kind, name]
        except KeyError:
            raise HubError(404, "RepoNotFound", f"Repository not found: {kind} {name}") from None

    def files(self, kind: str, name: str, revision: str = "main") -> dict[str, bytes]:
        return self.repository(kind, name).at(revision).files


class HubHandler(BaseHTTPRequestHandler):
    hub: HubServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    truncating = False

    def log_message(self, *args):
        pass

    def do_request(self):
        url = urlsplit(self.path)
        self.query = parse_qs(url.query)
        self.body = self.read_body()
        request = f"{self.command} {unquote(url.path)}"
        with self.hub.lock:
            self.hub.requests.append(request)
            fault = next((fault for fault in self.hub.faults if fault.strikes(request)), None)
        self.truncating = fault is not None and fault.kind == "truncate"
        if fault is None or self.truncating:
            return self.answer(url.path)
        if fault.kind == "status":
            return self.send(fault.status, b"<html>as a proxy answers</html>", **fault.headers)
        if fault.kind == "hang":
            self.hub.closing.wait()
        if fault.kind == "lost":
            self.wfile = open("/dev/null", "wb")  # noqa: SIM115 (the answer goes nowhere)
            self.answer(url.path)
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_request

    def read_body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        chunks = []
        while size := int(self.rfile.readline().strip(), 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

    def answer(self, path: str) -> None:
        try:
            with self.hub.lock:
                for method, pattern, route in ROUTES:
                    match = re.fullmatch(pattern, path)
                    if match and self.command in method:
                        return route(self, **{name: unquote(value or "") for name, value in match.groupdict().items()})
            raise HubError(404, "", f"no route for {self.command} {path}")
        except HubError as error:
            headers = {"X-Error-Code": error.code, "X-Error-Message": error.message}
            self.send_json({"error": error.message}, error.status, **{k: v for k, v in headers.items() if v})

    def send(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        self.wfile.write(body[: len(body) // 2] if self.truncating else body)
        if self.truncating:
            self.close_connection = True

    def send_json(self, value, status: int = 200, **headers: str) -> None:
        self.send(status, json.dumps(value).encode(), **{"Content-Type": "application/json", **headers})

    def user(self) -> str | None:
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ").strip()
        if token and token not in self.hub.users:
            raise HubError(401, "", "Invalid credentials in Authorization header")
        return self.hub.users.get(token)

    def readable(self, kind: str, name: str) -> Repository:
        repository = self.hub.repository(kind, name)
        if repository.private and self.user() != name.split("/")[0]:
            raise HubError(401, "RepoNotFound", "Repository not found")
        return repository

    def writable(self, kind: str, name: str) -> Repository:
        self.check_owner(name)
        return self.hub.repository(kind, name)

    def check_owner(self, name: str) -> None:
        user = self.user()
        if user is None:
            raise HubError(401, "", "Invalid username or password.")
        if user != name.split("/")[0]:
            raise HubError(403, "", f"You don't have the rights to write to {name}")

    # -- the answers

    def whoami(self) -> None:
        if (user := self.user()) is None:
            raise HubError(401, "", "Invalid username or password.")
        token = {"displayName": "test", "role": "write"}
        self.send_json({"type": "user", "name": user, "orgs": [], "auth": {"accessToken": token}})

    def validate_yaml(self) -> None:
        content = json.loads(self.body)["content"]
        match = re.match(r"---\n(.*?)\n---\n", content, re.DOTALL)
        try:
            metadata = yaml.safe_load(match[1]) if match else None
        except yaml.YAMLError as error:
            return self.send_json({"errors": [{"message": str(error)}], "warnings": []}, 400)
        warnings = [] if metadata else [{"message": "empty or missing yaml metadata in repo card"}]
        self.send_json({"errors": [], "warnings": warnings})

    def create(self) -> None:
        wanted = json.loads(self.body)
        kind = KINDS[wanted.get("type") or "model"]
        name = f"{wanted.get('organization') or self.user()}/{wanted['name']}"
        self.check_owner(name)
        answer = {"url": f"{self.hub.url}/{PREFIXES[kind]}{name}", "name": name, "id": "0"}
        if (kind, name) in self.hub.repositories:
            return self.send_json({"error": "You already created this repo", **answer}, 409)
        private = wanted.get("visibility") == "private" or bool(wanted.get("private"))
        self.hub.repositories[kind, name] = Repository(kind, name, private)
        self.send_json(answer)

    def info(self, kind: str, name: str, revision: str = "main") -> None:
        repository = self.readable(kind, name)
        commit = repository.at(revision or "main")
        date = "2026-01-01T00:00:00.000Z"
        siblings = [{"rfilename": path} for path in sorted(commit.files)]
        self.send_json(
            {"_id": "0", "id": name, "modelId": name, "author": name.split("/")[0], "sha": commit.oid, "gated": False}
            | {"lastModified": date, "createdAt": date, "private": repository.private, "disabled": False, "tags": []}
            | {"downloads": 0, "likes": 0, "siblings": siblings}
        )

    def refs(self, kind: str, name: str) -> None:
        repository = self.readable(kind, name)
        branches = [{"name": n, "ref": f"refs/heads/{n}", "targetCommit": c} for n, c in repository.branches.items()]
        tags = [{"name": n, "ref": f"refs/tags/{n}", "targetCommit": c} for n, c in repository.tags.items()]
        self.send_json({"branches": branches, "converts": [], "tags": tags, "pullRequests": []})

    def list_tree(self, kind: str, name: str, revision: str, folder: str) -> None:
        recursive = self.query.get("recursive", ["false"])[0].lower() in ("true", "1")
        self.send_json(tree(self.readable(kind, name).at(revision).files, folder, recursive))

    def paths_info(self, kind: str, name: str, revision: str) -> None:
        files = self.readable(kind, name).at(revision).files
        form = self.headers.get("Content-Type", "").startswith("application/x-www-form-urlencoded")
        paths = (parse_qs(self.body.decode()) if form else json.loads(self.body))["paths"]
        self.send_json([file_entry(path, files[path]) for path in paths if path in files])

    def preupload(self, kind: str, name: str, revision: str) -> None:
        files = self.writable(kind, name).at(revision).files
        answers = []
        for path in [file["path"] for file in json.loads(self.body)["files"]]:
            mode = "lfs" if is_large(path) else "regular"
            answer = {"path": path, "uploadMode": mode, "shouldIgnore": False}
            if path in files:
                answer["oid"] = hashlib.sha256(files[path]).hexdigest() if mode == "lfs" else blob_id(files[path])
            answers.append(answer)
        self.send_json({"files": answers})

    def lfs_batch(self, prefix: str, name: str) -> None:
        self.writable(prefix.rstrip("/") or "models", name)
        objects = []
        for wanted in json.loads(self.body)["objects"]:
            if wanted["oid"] not in self.hub.large:
                wanted["actions"] = {"upload": {"href": f"{self.hub.store}/lfs/{wanted['oid']}"}}
            objects.append(wanted)
        self.send_json({"transfer": "basic", "objects": objects})

    def lfs_put(self, oid: str) -> None:
        if hashlib.sha256(self.body).hexdigest() != oid:
            raise HubError(400, "", "the content does not have the announced hash")
        self.hub.large[oid] = self.body
        self.send(200, b"")

    def lfs_get(self, oid: str) -> None:
        if self.headers.get("Authorization"):
            raise HubError(400, "", "the token was sent to the storage, which is another host")
        self.send_content(self.hub.large[oid], {"ETag": f'"{oid}"'})

    def commit(self, kind: str, name: str, revision: str) -> None:
        lines = [json.loads(line) for line in self.body.splitlines()]
        commit = self.writable(kind, name).commit(revision, lines, self.hub.large)
        url = f"{self.hub.url}/{PREFIXES[kind]}{name}/commit/{commit.oid}"
        self.send_json({"success": True, "commitOid": commit.oid, "commitUrl": url, "hookOutput": ""})

    def tag(self, kind: str, name: str, revision: str) -> None:
        self.writable(kind, name).tag(json.loads(self.body)["tag"], revision)
        self.send_json({})

    def branch(self, kind: str, name: str, revision: str) -> None:
        self.writable(kind, name).branch(revision, json.loads(self.body).get("startingPoint", "main"))
        self.send_json({})

    def resolve(self, prefix: str, name: str, revision: str, path: str) -> None:
        commit = self.readable(prefix.rstrip("/") or "models", name).at(revision)
        headers = {"X-Repo-Commit": commit.oid, "Accept-Ranges": "bytes"}
        if path not in commit.files:
            headers |= {"X-Error-Code": "EntryNotFound", "X-Error-Message": "Entry not found"}
            return self.send_json({"error": "Entry not found"}, 404, **headers)
        content = commit.files[path]
        if not is_large(path):
            return self.send_content(content, headers | {"ETag": f'"{blob_id(content)}"'})
        oid = hashlib.sha256(content).hexdigest()
        linked = {"X-Linked-Size": str(len(content)), "X-Linked-ETag": f'"{oid}"'}
        self.send(302, b"", **headers, **linked, Location=f"{self.hub.store}/lfs/{oid}")

    def send_content(self, content: bytes, headers: dict[str, str]) -> None:
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
        if asked is None:
            return self.send(200, content, **headers)
        start, end = int(asked[1]), min(int(asked[2] or len(content) - 1), len(content) - 1)
        if start >= len(content):
            return self.send(416, b"", **headers, **{"Content-Range": f"bytes */{len(content)}"})
        headers |= {"Content-Range": f"bytes {start}-{end}/{len(content)}"}
        self.send(206, content[start : end + 1], **headers)


NAME, REPO = r"(?P<name>[^/]+/[^/]+)", r"/api/(?P<kind>models|datasets|spaces)/(?P<name>[^/]+/[^/]+)"
PREFIX = r"/(?P<prefix>datasets/|spaces/|)"
READ = ("GET", "HEAD")
ROUTES: list[tuple[tuple[str, ...], str, Callable]] = [
    (READ, "/api/whoami-v2", HubHandler.whoami),
    (("POST",), "/api/validate-yaml", HubHandler.validate_yaml),
    (("POST",), "/api/repos/create", HubHandler.create),
    (READ, REPO, HubHandler.info),
    (READ, REPO + r"/revision/(?P<revision>[^/]+)", HubHandler.info),
    (READ, REPO + r"/refs", HubHandler.refs),
    (READ, REPO + r"/tree/(?P<revision>[^/]+)(?:/(?P<folder>.*))?", HubHandler.list_tree),
    (("POST",), REPO + r"/paths-info/(?P<revision>[^/]+)", HubHandler.paths_info),
    (("POST",), REPO + r"/preupload/(?P<revision>[^/]+)", HubHandler.preupload),
    (("POST",), REPO + r"/commit/(?P<revision>[^/]+)", HubHandler.commit),
    (("POST",), REPO + r"/tag/(?P<revision>[^/]+)", HubHandler.tag),
    (("POST",), REPO + r"/branch/(?P<revision>[^/]+)", HubHandler.branch),
    (("POST",), PREFIX + NAME + r"\.git/info/lfs/objects/batch", HubHandler.lfs_batch),
    (("PUT",), r"/lfs/(?P<oid>[0-9a-f]{64})", HubHandler.lfs_put),
    (READ, r"/lfs/(?P<oid>[0-9a-f]{64})", HubHandler.lfs_get),
    (READ, PREFIX + NAME + r"/resolve/(?P<revision>[^/]+)/(?P<path>.+)", HubHandler.resolve),
]
