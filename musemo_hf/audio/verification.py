"""Verification of what is loaded: checksums of files, and values of a model that are finite.

The checksums are in a file that `sha256sum --check` reads too. The folders of the models link to this file of `audio`,
because each folder is pushed to the Hub on its own.
"""

import hashlib
import logging
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

CHECKSUMS = "SHA256SUMS"
WEIGHTS = ("config.json", "*.safetensors", "*.safetensors.index*.json")  # files of a model, of each variant
SETTINGS = ("preprocessor_config.json",)  # files of a feature extractor

logger = logging.getLogger(__name__)


class DamagedFileError(OSError):
    """A file is missing or differs from the one that was saved."""


def write_checksums(folder: str | Path, patterns: Iterable[str] = ("**/*",)) -> None:
    """Write the SHA-256 of files into the `SHA256SUMS` of their folder.

    Args:
        folder: The folder.
        patterns: The files, as patterns of `Path.glob`. The lines of other files stay as they are.
    """
    folder = Path(folder)
    matching = {path for pattern in patterns for path in folder.glob(pattern) if path.is_file()}
    found = {path.relative_to(folder).as_posix(): path for path in matching if path.name != CHECKSUMS}
    stays = {name: digest for name, digest in _read(folder).items() if (folder / name).is_file()}
    lines = stays | {name: _digest(path) for name, path in found.items()}
    part = folder / f"{CHECKSUMS}.{os.getpid()}.part"
    part.write_text("".join(f"{digest}  {name}\n" for name, digest in sorted(lines.items())), encoding="utf-8")
    os.replace(part, folder / CHECKSUMS)


def verify_checksums(folder: str | Path) -> bool:
    """Compare the files of a folder with its `SHA256SUMS`.

    Args:
        folder: The folder. One that has no such file, as those of other libraries, is not verified.

    Returns:
        Whether there was something to compare with.

    Raises:
        DamagedFileError: A file is missing or differs.
    """
    folder = Path(folder)
    if not (folder / CHECKSUMS).is_file():
        logger.debug("%s has no %s, so its files are not verified", folder, CHECKSUMS)
        return False
    lines = _read(folder)
    if not lines:
        raise DamagedFileError(f"expected checksums in {folder / CHECKSUMS}, found none")
    for name, digest in lines.items():
        path = folder / name
        if not path.is_file():
            raise DamagedFileError(f"expected {path}, which {CHECKSUMS} lists, found no such file")
        if (found := _digest(path)) != digest:
            raise DamagedFileError(
                f"expected {path} with the SHA-256 {digest[:16]}..., got {found[:16]}...: the file was damaged or "
                f"changed since it was saved. Get it again or, if the change is meant, delete {folder / CHECKSUMS}"
            )
    return True


def check_values(path: Any, model: Any) -> None:
    """Refuse a model that was loaded with NaN or infinity in its tensors.

    Args:
        path: The folder or repository, for the message.
        model: The model.

    Raises:
        ValueError: A tensor is not finite.
    """
    values = {name: value for name, value in model.state_dict().items() if value.is_floating_point()}
    spoilt = [name for name, value in values.items() if value.device.type != "meta" and not value.isfinite().all()]
    if spoilt:
        more = f" and {len(spoilt) - 4} more" if len(spoilt) > 4 else ""
        raise ValueError(f"{path}: expected finite weights, got NaN or infinity in {', '.join(spoilt[:4])}{more}")


class ChecksumsMixin:
    """Writes checksums beside the files that are saved, and verifies them before they are loaded.

    Attributes:
        own_files: The patterns of the files that the class saves.
    """

    own_files: tuple[str, ...] = SETTINGS

    def save_pretrained(self, save_directory: Any, *args: Any, **options: Any) -> Any:
        """Save as the library does, with the checksums of the files."""
        result = super().save_pretrained(save_directory, *args, **options)  # type: ignore[misc]
        if options.get("is_main_process", True):
            write_checksums(save_directory, self.own_files)
        return result

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: Any, *args: Any, **options: Any) -> Any:
        """Load as the library does, and refuse damaged files.

        Raises:
            DamagedFileError: A file differs from the one that was saved.
        """
        path = pretrained_model_name_or_path
        if path is not None and (folder := Path(path) / (options.get("subfolder") or "")).is_dir():
            verify_checksums(folder)
        return super().from_pretrained(path, *args, **options)  # type: ignore[misc]


class VerifiedModelMixin(ChecksumsMixin):
    """Verifies the values of a model too."""

    own_files = WEIGHTS

    def save_pretrained(
        self,
        save_directory: Any,
        is_main_process: bool = True,
        *,
        variant: str | None = None,
        max_shard_size: int | str | None = None,
        safe_serialization: bool = True,
        use_flashpack: bool = False,
        **options: Any,
    ) -> Any:
        """Save as the library does, with the checksums of the files.

        The options that pipelines of diffusers pass on are named, since they pass on only what they find here.

        Args:
            save_directory: The folder.
            is_main_process: Whether this process writes the checksums too.
            variant: A name within those of the files of weights, such as "fp16"; the weights are written as they are.
            max_shard_size: The largest file, such as "5GB"; None for the library's own.
            safe_serialization: True, since weights are written as safetensors alone.
            use_flashpack: False, for the same reason.
            **options: Further options of the library.

        Raises:
            ValueError: Another format of weights is asked for.
        """
        if use_flashpack or not safe_serialization:
            got = f"safe_serialization={safe_serialization} and use_flashpack={use_flashpack}"
            raise ValueError(f"expected safetensors, the only format in which weights are written, got {got}")
        given = {"variant": variant, "max_shard_size": max_shard_size}
        options |= {name: value for name, value in given.items() if value is not None}
        return super().save_pretrained(save_directory, is_main_process=is_main_process, **options)

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: Any, *args: Any, **options: Any) -> Any:
        """Load as the library does, and refuse damaged files and values.

        Raises:
            DamagedFileError: A file differs from the one that was saved.
            ValueError: A value is NaN or infinite.
        """
        loaded = super().from_pretrained(pretrained_model_name_or_path, *args, **options)
        check_values(pretrained_model_name_or_path, loaded[0] if isinstance(loaded, tuple) else loaded)
        return loaded

    @classmethod
    def extract_init_dict(cls, config_dict: dict[str, Any], **options: Any) -> Any:
        """Read a configuration as diffusers does, and refuse the options that it would drop without a word.

        Models of transformers have no such method, and refuse unknown options themselves.

        Raises:
            TypeError: An option is neither one of `from_pretrained` nor a setting of the model.
        """
        settings = cls._get_init_keys(cls) - {"self", "kwargs"}  # type: ignore[attr-defined]
        if unknown := sorted(options.keys() - settings):
            known = ", ".join(sorted(settings))
            raise TypeError(f"expected options of {cls.__name__} out of {known}, got {', '.join(unknown)}")
        return super().extract_init_dict(config_dict, **options)  # type: ignore[misc]


def _read(folder: Path) -> dict[str, str]:
    """Return name -> SHA-256 of the lines of a folder's `SHA256SUMS`; of a damaged line too, which matches no file."""
    path = folder / CHECKSUMS
    lines = path.read_bytes().decode("utf-8", "replace").splitlines() if path.is_file() else []
    return {name: digest for digest, _, name in (line.partition("  ") for line in lines)}


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
