"""A folder -> a repository on the Hub: one commit, or none, and again as often as one likes."""

import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, TypeVar

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, get_session
from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError

Kind = Literal["model", "dataset", "space"]
Result = TypeVar("Result")

PASSING = (408, 409, 412, 429, 500, 502, 503, 504)  # answers that a later attempt may not get
ANSWER_TIMEOUT = 120.0  # seconds without a byte from the Hub; the client by itself waits for ever
OWN_SUFFIXES = (".py", ".json", ".safetensors")  # what an earlier push left under other names goes
REFUSED_SUFFIXES = (".pkl", ".pickle", ".bin", ".pt", ".pth", ".ckpt")
TOKEN = re.compile(rb"\bhf_[A-Za-z0-9]{30,}")
# What the client's HTTP library raises, whichever that is: also lost connections, and a proxy's page for an answer.
HTTP_ERRORS = (HfHubHTTPError.__mro__[1], json.JSONDecodeError)


class HubPushError(RuntimeError):
    """A push that did not come through; the message says what to do."""


def push_folder(
    folder: str | Path,
    repo_id: str,
    kind: Kind = "model",
    message: str = "Upload with musemo",
    private: bool = False,
    token: str | None = None,
    tag: str | None = None,
    space_sdk: str | None = None,
) -> str:
    """Make a repository hold what a folder holds.

    One commit, so that a push which breaks off leaves the repository as it was; large files that did arrive are not
    sent again by the next. Where nothing changed there is no commit. Code, weights and configuration of an earlier
    push that the folder lacks are deleted from models and Spaces; other files of the repository are left alone.

    Args:
        folder: what to push, without hidden files.
        repo_id: "user/name"; made where there is none.
        kind: "model", "dataset" or "space".
        message: of the commit.
        private: of a repository that is made.
        token: with write access; from `HF_TOKEN` or `hf auth login` where None.
        tag: a name for the resulting revision.
        space_sdk: of a Space that is made.

    Returns:
        The hash of the repository's newest commit.

    Raises:
        HubPushError: the folder holds pickles, optimizer states or a token; the Hub refuses, or does not answer.
    """
    files = list(_files(Path(folder)))
    check_files(Path(folder), files)
    api = HfApi(token=token, library_name="musemo_hf")

    def push() -> str:
        api.create_repo(repo_id, repo_type=kind, private=private, exist_ok=True, space_sdk=space_sdk)
        head = api.repo_info(repo_id, repo_type=kind)
        present = {file.rfilename for file in head.siblings or []} if kind != "dataset" else set()
        stale = sorted(path for path in present - set(files) if path.endswith(OWN_SUFFIXES))
        commit = api.create_commit(
            repo_id,
            [CommitOperationAdd(path, Path(folder, path)) for path in files]
            + [CommitOperationDelete(path) for path in stale],
            commit_message=message,
            repo_type=kind,
            parent_commit=head.sha,
        )
        if tag is not None:
            set_tag(api, repo_id, kind, tag, commit.oid)
        return commit.oid

    return with_retries(push, repo_id)


def set_tag(api: HfApi, repo_id: str, kind: Kind, tag: str, commit: str) -> None:
    """Name a commit; the same name on the same commit is fine.

    Raises:
        HubPushError: the tag names another commit.
    """
    tagged = {ref.name: ref.target_commit for ref in api.list_repo_refs(repo_id, repo_type=kind).tags}
    if tagged.get(tag, commit) != commit:
        raise HubPushError(f"{repo_id}: expected a new tag, got {tag!r}, which names commit {tagged[tag][:12]}")
    if tag not in tagged:
        api.create_tag(repo_id, tag=tag, revision=commit, repo_type=kind)


def check_files(folder: Path, files: list[str]) -> None:
    """Refuse what must not be published: pickles, optimizer states, a token.

    Raises:
        HubPushError: names the file.
    """
    if not files:
        raise HubPushError(f"expected files to push, found none in {folder}")
    for path in files:
        name = Path(path).name
        if name.endswith(REFUSED_SUFFIXES) or name.startswith(("optimizer", "random_states")):
            raise HubPushError(f"expected weights as .safetensors and no training state, got {path}")
        if TOKEN.search((folder / path).read_bytes()):
            raise HubPushError(f"expected no secrets, but {path} holds what looks like an access token of the Hub")


def _files(folder: Path) -> Iterator[str]:
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder)
        hidden = any(part.startswith(".") or part == "__pycache__" for part in relative.parts)
        if path.is_file() and not hidden:
            yield relative.as_posix()


def with_retries(action: Callable[[], Result], repo_id: str, attempts: int = 5, wait: float = 1.0) -> Result:
    """Run something that may be run again, until the Hub takes it.

    Args:
        action: must be repeatable.
        repo_id: for the message.
        attempts: how often.
        wait: seconds after the first failure, doubled after each; `Retry-After` wins where the Hub sends it.

    Raises:
        HubPushError: refused, or not taken in `attempts` attempts.
    """
    for attempt in range(1, attempts + 1):
        get_session().timeout = ANSWER_TIMEOUT  # each time: the client makes a new session after a lost connection
        try:
            return action()
        except (*HTTP_ERRORS, RuntimeError, OSError) as error:  # the client wraps failed transfers in the latter two
            cause = _http_cause(error)
            if cause is None:
                raise
            if not _passes(cause) or attempt == attempts:
                raise HubPushError(_advice(cause, repo_id, attempt)) from error
            time.sleep(_retry_after(cause) or wait * 2 ** (attempt - 1))
    raise AssertionError("unreachable")


def _http_cause(error: BaseException | None) -> BaseException | None:
    while error is not None and not isinstance(error, HTTP_ERRORS):
        error = error.__cause__
    return error


def _status(error: BaseException) -> int | None:
    return error.response.status_code if isinstance(error, HfHubHTTPError) else None


def _passes(error: BaseException) -> bool:
    return _status(error) in (None, *PASSING)  # None: the connection was lost


def _retry_after(error: BaseException) -> float | None:
    value = error.response.headers.get("Retry-After", "") if isinstance(error, HfHubHTTPError) else ""
    return float(value) if value.isdigit() else None


def _advice(error: BaseException, repo_id: str, attempts: int) -> str:
    status = _status(error)
    if status in (401, 403) or isinstance(error, RepositoryNotFoundError):
        what = (
            f"the Hub refused the token (status {status}): log in with `hf auth login`, or set HF_TOKEN to a token "
            f"with write access to {repo_id.split('/')[0]}"
        )
    elif status is None:
        what = f"no usable answer from the Hub in {attempts} attempts: check the connection ({error!r})"
    elif status in PASSING:
        what = f"the Hub answered {status} in {attempts} attempts: wait a little"
    else:
        what = f"the Hub answered {status}: {error}"
    return f"{repo_id}: {what}. Nothing is half-pushed; the same command again sends only what is missing"
