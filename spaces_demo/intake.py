"""The entrance of the page's server: how much a request may bring, and what it may not ask for."""

from typing import Any

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse
from storage import Storage, StorageFullError

MAX_UPLOAD_BYTES = 60 * 1024**2
FORM_BYTES = 64 * 1024  # what a form adds to its file
MAX_CALL_BYTES = 256 * 1024  # arguments of a call, which name files and contain none
DRAINED_BYTES = 256 * 1024**2  # read and thrown away, so that a client that sends too much gets to read the answer


class Intake:
    """Refuses, as ASGI middleware, requests that are too large, and addresses of other servers.

    Gradio limits each file of an upload, and not their number nor the form's other fields, and fetches whatever
    address follows `/file=`.

    Args:
        app: The application behind it.
        storage: The temporary files, in which an upload has to find room.
    """

    def __init__(self, app: Any, storage: Storage) -> None:
        self.app = app
        self.storage = storage

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer or pass on a request."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        path = scope["path"]
        if any(f"{route}=http" in path for route in ("/file", "/proxy")):
            return await _refuse(403, "This page fetches nothing from other servers.")(scope, receive, send)
        if scope["method"] in ("GET", "HEAD", "OPTIONS"):
            return await self.app(scope, receive, send)
        is_upload = path.rstrip("/").endswith("/upload")
        most = MAX_UPLOAD_BYTES + FORM_BYTES if is_upload else MAX_CALL_BYTES
        length = Headers(scope=scope).get("content-length", "")
        announced = int(length) if length.isdecimal() else most
        said = f"Expected a request of at most {most // 1024:,} KB, got more."
        if announced > most:
            await _drain(receive)
            return await _refuse(413, said)(scope, receive, send)
        limited = _limited(receive, most, said)
        if not is_upload:
            return await self.app(scope, limited, send)
        try:
            with self.storage.reserve(announced):
                await self.app(scope, limited, send)
        except StorageFullError as error:
            await _drain(receive)
            await _refuse(507, str(error))(scope, receive, send)


def _refuse(status: int, said: str) -> PlainTextResponse:
    return PlainTextResponse(said, status, {"Connection": "close"})


def _limited(receive: Any, most: int, said: str) -> Any:
    """Return a `receive` that ends a request with status 413 once its body has more than `most` bytes."""
    seen = 0

    async def limited() -> Any:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > most:
            await _drain(receive)
            raise HTTPException(413, said)
        return message

    return limited


async def _drain(receive: Any) -> None:
    """Read the rest of a body, of which nothing is kept."""
    seen = 0
    while seen < DRAINED_BYTES:
        message = await receive()
        seen += len(message.get("body", b""))
        if message["type"] == "http.disconnect" or not message.get("more_body", False):
            return
