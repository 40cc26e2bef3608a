"""Uploading a folder to a repository on the Hub: in one commit or none, and repeatable."""

import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal, TypedDict, TypeVar, Unpack

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, get_session
from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError

Kind = Literal["model", "dataset", "space"]
Result = TypeVar("Result")

PASSING = (408, 409, 412, 429, 500, 502, 503, 504)  # answers that a later attempt may not get
ANSWER_TIMEOUT = 120.0  # seconds without a byte from the Hub; by default the client waits for ever
OWN_SUFFIXES = (".py", ".json", ".safetensors", "SHA256SUMS")  # files of an earlier push with these endings are deleted
REFUSED_SUFFIXES = (".pkl", ".pickle", ".bin", ".pt", ".pth", ".ckpt")
TOKEN = re.compile(rb"\bhf_[A-Za-z0-9]{30,}")
# What the client's HTTP library raises, whichever that is: also lost connections, and a proxy's page for an answer.
HTTP_ERRORS = (HfHubHTTPError.__mro__[1], json.JSONDecodeError)


class HubPushError(RuntimeError):
    """A push that failed; the message says what to do."""


class PushOptions(TypedDict, total=False):
    """The options that every push takes; `push_folder` describes them."""

    private: bool
    token: str | None
    tag: str | None


def push_folder(
    folder: str | Path,
    repo_id: str,
    kind: Kind = "model",
    message: str = "Upload with musemo",
    **options: Unpack[PushOptions],
) -> str:
    """Make a repository hold the files of a folder.

    There is one commit, so that a push which breaks off leaves the repository as it was; large files that did arrive
    are not sent again by the next push. Where nothing changed there is no commit. Code, weights and configuration of an
    earlier push that the folder lacks are deleted from models and Spaces; other files of the repository stay.

    Args:
        folder: The folder to push, without its hidden files.
        repo_id: The repository as "user/name"; it is created where there is none.
        kind: "model", "dataset" or "space" (with Gradio).
        message: The message of the commit.
        **options: `private` (whether a repository that is created is private), `token` (an access token with write
            access; by default that of `HF_TOKEN` or `hf auth login`) and `tag` (a name for the resulting revision).

    Returns:
        The hash of the repository's newest commit; the one before where nothing changed.

    Raises:
        HubPushError: The folder holds pickles, optimizer states or a token; the Hub refuses, or does not answer.
    """
    files = _list_files(Path(folder))
    check_files(Path(folder), files)
    api = HfApi(token=options.get("token"), library_name="musemo_hf")
    sdk = "gradio" if kind == "space" else None

    def push() -> str:
        private = options.get("private", False)
        api.create_repo(repo_id, repo_type=kind, private=private, exist_ok=True, space_sdk=sdk)
        head = api.repo_info(repo_id, repo_type=kind)
        present = {file.rfilename for file in head.siblings or []} if kind != "dataset" else set()
        stale = sorted(path for path in present - set(files) if path.endswith(OWN_SUFFIXES))
        # Not `upload_folder(delete_patterns=)`: where hf_xet is installed, it commits in batches, and a push that
        # breaks off leaves half of the files (huggingface_hub 2.4).
        commit = api.create_commit(
            repo_id,
            [CommitOperationAdd(path, Path(folder, path)) for path in files]
            + [CommitOperationDelete(path) for path in stale],
            commit_message=message,
            repo_type=kind,
            parent_commit=head.sha,
        )
        if (tag := options.get("tag")) is not None:
            set_tag(api, repo_id, kind, tag, commit.oid)
        return commit.oid

    return with_retries(push, repo_id)


def set_tag(api: HfApi, repo_id: str, kind: Kind, tag: str, commit: str) -> None:
    """Name a commit; a commit that has the name already keeps it.

    Raises:
        HubPushError: The tag names another commit.
    """
    tagged = {ref.name: ref.target_commit for ref in api.list_repo_refs(repo_id, repo_type=kind).tags}
    if tagged.get(tag, commit) != commit:
        raise HubPushError(f"{repo_id}: expected a new tag, got {tag!r}, which names commit {tagged[tag][:12]}")
    if tag not in tagged:
        api.create_tag(repo_id, tag=tag, revision=commit, repo_type=kind)


def check_files(folder: Path, files: list[str]) -> None:
    """Refuse files that must not be published: pickles, optimizer states, an access token.

    Raises:
        HubPushError: There is such a file, which the message names, or there are no files.
    """
    if not files:
        raise HubPushError(f"expected files to push, found none in {folder}")
    for path in files:
        name = Path(path).name
        if name.endswith(REFUSED_SUFFIXES) or name.startswith(("optimizer", "random_states")):
            raise HubPushError(f"expected weights as .safetensors and no training state, got {path}")
        if TOKEN.search((folder / path).read_bytes()):
            raise HubPushError(f"expected no secrets, but {path} holds what looks like an access token of the Hub")


def _list_files(folder: Path) -> list[str]:
    found = [path.relative_to(folder) for path in sorted(folder.rglob("*")) if path.is_file()]
    shown = [path for path in found if not any(part.startswith(".") or part == "__pycache__" for part in path.parts)]
    return [path.as_posix() for path in shown]


def with_retries(action: Callable[[], Result], repo_id: str, attempts: int = 5, wait: float = 1.0) -> Result:
    """Call a function until the Hub accepts what it sends.

    Args:
        action: The function, which must be repeatable.
        repo_id: The repository that the error message names.
        attempts: The largest number of calls.
        wait: The pause after the first failure in seconds, doubled after each; `Retry-After` takes precedence where the
            Hub sends it.

    Raises:
        HubPushError: The Hub refused the request, or did not accept it in `attempts` attempts.
    """
    for attempt in range(1, attempts + 1):
        get_session().timeout = ANSWER_TIMEOUT  # each time: the client makes a new session after a lost connection
        try:
            return action()
        except (*HTTP_ERRORS, RuntimeError, OSError) as error:  # the client wraps failed transfers in the latter two
            cause = _http_cause(error)
            if cause is None:
                raise
            status = cause.response.status_code if isinstance(cause, HfHubHTTPError) else None
            passes = status is None or status in PASSING  # without a status the connection was lost
            if not passes or attempt == attempts:
                raise HubPushError(_advice(cause, status, repo_id, attempt)) from error
            time.sleep(_retry_after(cause) or wait * 2 ** (attempt - 1))
    raise AssertionError("unreachable")


def _http_cause(error: BaseException | None) -> BaseException | None:
    while error is not None and not isinstance(error, HTTP_ERRORS):
        error = error.__cause__
    return error


def _retry_after(error: BaseException) -> float | None:
    value = error.response.headers.get("Retry-After", "") if isinstance(error, HfHubHTTPError) else ""
    return float(value) if value.isdigit() else None


def _advice(error: BaseException, status: int | None, repo_id: str, attempts: int) -> str:
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
