"""What a Hub keeps: repositories with commits, branches and tags, and a store of large files."""

import base64
import hashlib
from dataclasses import dataclass, field

LARGE = (".safetensors", ".parquet", ".png", ".wav", ".npz", ".bin")


def blob_id(content: bytes) -> str:
    """Git's name of a blob."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


class HubError(Exception):
    """An answer other than 200: status, the Hub's `X-Error-Code`, and a message."""

    def __init__(self, status: int, code: str, message: str):
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


@dataclass
class Commit:
    oid: str
    message: str
    files: dict[str, bytes]


@dataclass
class Repository:
    kind: str  # "models", "datasets" or "spaces"
    name: str  # "user/name"
    private: bool = False
    commits: list[Commit] = field(default_factory=list)
    branches: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    def __post_init__(self):
        self._append("main", "initial commit", {".gitattributes": b""})

    def _append(self, branch: str, message: str, files: dict[str, bytes]) -> Commit:
        text = f"{self.kind}/{self.name} {len(self.commits)} {message}"
        commit = Commit(hashlib.sha1(text.encode()).hexdigest(), message, files)
        self.commits.append(commit)
        self.branches[branch] = commit.oid
        return commit

    def at(self, revision: str) -> Commit:
        """The commit that a branch, a tag or a hash names."""
        oid = self.branches.get(revision) or self.tags.get(revision) or revision
        for commit in self.commits:
            if commit.oid == oid:
                return commit
        raise HubError(404, "RevisionNotFound", f"Invalid rev id: {revision}")

    def commit(self, branch: str, lines: list[dict], large: dict[str, bytes]) -> Commit:
        """Apply a commit's operations, all or none."""
        header, *operations = lines
        if branch not in self.branches:
            raise HubError(404, "RevisionNotFound", f"Invalid rev id: {branch}")
        parent = header["value"].get("parentCommit")
        if parent not in (None, self.branches[branch]):
            raise HubError(412, "", "A commit has happened since. Please refresh and try again.")
        files = dict(self.at(branch).files)
        for operation in operations:
            apply_operation(files, operation["key"], operation["value"], large)
        return self._append(branch, header["value"]["summary"], files)

    def branch(self, name: str, start: str) -> None:
        if name in self.branches:
            raise HubError(409, "", f"Reference already exists: {name}")
        self.branches[name] = self.at(start).oid

    def tag(self, name: str, revision: str) -> None:
        if name in self.tags:
            raise HubError(409, "", f"Tag reference exists already: {name}")
        self.tags[name] = self.at(revision).oid


def apply_operation(files: dict[str, bytes], key: str, value: dict, large: dict[str, bytes]) -> None:
    path = value["path"]
    if key == "file":
        files[path] = base64.b64decode(value["content"])
    elif key == "lfsFile":
        if value["oid"] not in large:
            raise HubError(400, "", f"{path}: its LFS object {value['oid']} was never uploaded")
        files[path] = large[value["oid"]]
    elif key == "deletedFile":
        if path not in files:
            raise HubError(404, "EntryNotFound", "A file with this name doesn't exist")
        del files[path]
    elif key == "deletedFolder":
        for name in [name for name in files if name.startswith(path.rstrip("/") + "/")]:
            del files[name]
    else:
        raise HubError(400, "", f"unknown operation {key}")


def is_large(path: str) -> bool:
    return path.endswith(LARGE)


def file_entry(path: str, content: bytes) -> dict:
    """One file as `/tree` and `/paths-info` describe it."""
    entry: dict = {"type": "file", "path": path, "size": len(content), "oid": blob_id(content)}
    if is_large(path):
        entry["lfs"] = {"oid": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 134}
    return entry


def tree(files: dict[str, bytes], folder: str, recursive: bool) -> list[dict]:
    """Files and folders under `folder`."""
    prefix = f"{folder}/" if folder else ""
    found: dict[str, dict] = {}
    for path, content in sorted(files.items()):
        if not path.startswith(prefix):
            continue
        parts = path[len(prefix) :].split("/")
        for depth in range(1, len(parts) if recursive else min(len(parts), 2)):
            name = prefix + "/".join(parts[:depth])
            found[name] = {"type": "directory", "path": name, "size": 0, "oid": blob_id(name.encode())}
        if recursive or len(parts) == 1:
            found[path] = file_entry(path, content)
    if folder and not found:
        raise HubError(404, "EntryNotFound", f"{folder} does not exist")
    return list(found.values())
