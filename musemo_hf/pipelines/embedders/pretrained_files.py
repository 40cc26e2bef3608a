"""Files of pretrained models that are used but never packaged: found in a folder or on the Hub, and verified."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

VARIABLE = "MUSEMO_PRETRAINED"


class PretrainedModelError(OSError):
    """Raised where a pretrained model cannot be used: its file or its library is missing, or the file is another."""


def pretrained_folder() -> Path | None:
    """Return the folder of pretrained files that MUSEMO_PRETRAINED names, or None where it is unset or empty.

    Raises:
        PretrainedModelError: There is no such folder.
    """
    if not (named := os.environ.get(VARIABLE)):
        return None
    folder = Path(named).expanduser()
    if not folder.is_dir():
        raise PretrainedModelError(f"expected {VARIABLE} to name a folder of pretrained files, found none at {named}")
    return folder


@dataclass(frozen=True)
class PretrainedFile:
    """One file of a Hub repository, pinned by the hash of its content.

    Attributes:
        title: The name of the model in messages, such as "YAMNet".
        repository: The Hub repository of the file, such as "user/model".
        filename: The path of the file within the repository; its last part is its name in a local folder.
        sha256: The SHA-256 of the file in hexadecimal digits.
        extra: The extra of this package whose libraries read the file.
        revision: The branch, tag or commit of the repository.
    """

    title: str
    repository: str
    filename: str
    sha256: str
    extra: str
    revision: str = "main"

    def locate(self) -> Path:
        """Return the path of the verified file.

        The folder that the environment variable MUSEMO_PRETRAINED names replaces the download. Otherwise the file comes
        from the cache of `huggingface_hub`, and is downloaded where it is not in it.

        Raises:
            PretrainedModelError: The folder does not exist or lacks the file, or the file cannot be downloaded or has
                another content.
        """
        folder = pretrained_folder()
        path = self._from_hub() if folder is None else self._in_folder(folder)
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != self.sha256:
            raise PretrainedModelError(
                f"{self.title}: expected a file with the SHA-256 {self.sha256}, got {found} at {path}; remove the "
                f"file, and {self._ways()}"
            )
        return path

    def is_here(self) -> bool:
        """Return whether `locate` would find a file without a download; its content is not looked at.

        Raises:
            PretrainedModelError: MUSEMO_PRETRAINED names a folder that does not exist.
        """
        if (folder := pretrained_folder()) is not None:
            return (folder / Path(self.filename).name).is_file()
        from huggingface_hub import try_to_load_from_cache  # not loaded where the folder holds the file

        return isinstance(try_to_load_from_cache(self.repository, self.filename, revision=self.revision), str)

    def _in_folder(self, folder: Path) -> Path:
        path = folder / Path(self.filename).name
        if not path.is_file():
            raise PretrainedModelError(
                f"{self.title}: expected the file {path.name} in {folder}, which {VARIABLE} names, found none there; "
                f"{self._ways()}"
            )
        return path

    def _from_hub(self) -> Path:
        from huggingface_hub import hf_hub_download
        from huggingface_hub.errors import HfHubHTTPError

        try:
            return Path(hf_hub_download(self.repository, self.filename, revision=self.revision))
        except (OSError, HfHubHTTPError, ValueError) as error:
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise PretrainedModelError(
                f"{self.title}: expected its file from the Hub, got: {reason} Please {self._ways()}"
            ) from error

    def _ways(self) -> str:
        return (
            f"either let {VARIABLE} name a folder that holds {Path(self.filename).name}, or leave it unset, so that "
            f"the file is downloaded once from the Hub repository {self.repository}; it is read by the extra "
            f"{self.extra}: pip install 'musemo-hf[{self.extra}]'"
        )
