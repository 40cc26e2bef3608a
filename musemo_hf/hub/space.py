"""Pushing the Gradio Space with this package beside it, since a Space can install only what is published."""

import shutil
import tempfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Unpack

from huggingface_hub import SpaceCard

from musemo_hf.hub.cards import render_card
from musemo_hf.hub.transfer import HubPushError, PushOptions, push_folder

PACKAGE = Path(__file__).resolve().parent.parent
SPACE = PACKAGE / "spaces_demo"  # in the repository a link, in a wheel a folder
CARD = "README.md"
OLDEST_GRADIO = "6.20.0"  # the oldest version that the project admits


def gradio_version() -> str:
    """Return the version for a Space to run: the one installed here, with which its page was tried."""
    try:
        return version("gradio")
    except PackageNotFoundError:
        return OLDEST_GRADIO


def push_space(
    repo_id: str,
    folder: str | Path | None = None,
    report: dict[str, Any] | None = None,
    **options: Unpack[PushOptions],
) -> str:
    """Push the Gradio Space: its folder, this package with its checkpoints, and a card.

    Args:
        repo_id: The repository as "user/name".
        folder: The folder with `app.py`, by default that of the package. Its README.md becomes the first part of the
            card.
        report: The `report.json` of the ablation, for the card.
        **options: `private`, `token` and `tag`, see `push_folder`.

    Returns:
        The hash of the repository's newest commit.

    Raises:
        HubPushError: There is no `app.py` in the folder, or `push_folder` fails.
    """
    source = Path(folder or SPACE)
    if not (source / "app.py").is_file():
        raise HubPushError(f"expected the folder of a Space with app.py, found none in {source}; give it as `folder`")
    with tempfile.TemporaryDirectory() as temporary:
        staging = Path(temporary) / "space"
        ignored = shutil.ignore_patterns("__pycache__", ".*", "*.pyc")
        shutil.copytree(source, staging, ignore=ignored)
        package = shutil.ignore_patterns("__pycache__", ".*", "*.pyc", SPACE.name)
        shutil.copytree(PACKAGE, staging / "musemo_hf", ignore=package, dirs_exist_ok=True)
        _drop_package(staging / "requirements.txt")
        metadata, body = read_card(source / CARD)
        facts = {"sdk_version": gradio_version(), "metadata": metadata, "body": body.replace("USER/NAME", repo_id)}
        card = render_card("space", report, repo_id=repo_id, **facts)
        (staging / CARD).write_text(card, encoding="utf-8")
        return push_folder(staging, repo_id, "space", "Upload Space", **options)


def read_card(readme: Path) -> tuple[dict[str, Any], str]:
    """Read the YAML and the text of a Space's own card; both are empty where there is no card."""
    if not readme.is_file():
        return {}, ""
    card = SpaceCard.load(readme, ignore_metadata_errors=True)
    return card.data.to_dict(), card.text.strip()


def _drop_package(requirements: Path) -> None:
    """Remove this package from a Space's requirements, since it lies beside the page."""
    if requirements.is_file():
        lines = requirements.read_text(encoding="utf-8").splitlines(keepends=True)
        kept = [line for line in lines if not line.lower().replace("_", "-").startswith("musemo-hf")]
        requirements.write_text("".join(kept), encoding="utf-8")
