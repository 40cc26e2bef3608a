"""The Gradio Space -> the Hub, with this package beside it, since a Space can install only what is published."""

import shutil
import tempfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from huggingface_hub import SpaceCard

from musemo_hf.hub.cards import render_card
from musemo_hf.hub.transfer import HubPushError, push_folder

PACKAGE = Path(__file__).resolve().parent.parent
SPACE = PACKAGE.parent / "spaces_demo"
CARD = "README.md"
OLDEST_GRADIO = "6.20.0"  # that the project admits


def gradio_version() -> str:
    """The version that a Space shall run: the one installed here, on which its page was tried."""
    try:
        return version("gradio")
    except PackageNotFoundError:
        return OLDEST_GRADIO


def push_space(
    repo_id: str,
    folder: str | Path | None = None,
    report: dict[str, Any] | None = None,
    private: bool = False,
    token: str | None = None,
    tag: str | None = None,
) -> str:
    """Push the Gradio Space: its folder, this package beside it (with its checkpoints), and a card.

    Args:
        repo_id: "user/name".
        folder: with `app.py`; the repository's `spaces_demo/` where None. Its README.md becomes the card's first part.
        report: `report.json` of the ablation, for the card.
        private: of a repository that is made.
        token: with write access; from `HF_TOKEN` or `hf auth login` where None.
        tag: a name for the resulting revision.

    Returns:
        The hash of the repository's newest commit; the one before where nothing changed.

    Raises:
        HubPushError: there is no `app.py` in the folder; see `push_folder`.
    """
    source = Path(folder or SPACE)
    if not (source / "app.py").is_file():
        raise HubPushError(f"expected the folder of a Space with app.py, found none in {source}; give it as `folder`")
    with tempfile.TemporaryDirectory() as temporary:
        staging = Path(temporary) / "space"
        ignored = shutil.ignore_patterns("__pycache__", ".*", "*.pyc")
        shutil.copytree(source, staging, ignore=ignored)
        shutil.copytree(PACKAGE, staging / "musemo_hf", ignore=ignored, dirs_exist_ok=True)
        _without_package(staging / "requirements.txt")
        metadata, body = read_card(source / CARD)
        facts = {"sdk_version": gradio_version(), "metadata": metadata, "body": body.replace("USER/NAME", repo_id)}
        card = render_card("space", report, repo_id=repo_id, **facts)
        (staging / CARD).write_text(card, encoding="utf-8")
        return push_folder(staging, repo_id, "space", "Upload Space", private, token, tag, space_sdk="gradio")


def read_card(readme: Path) -> tuple[dict[str, Any], str]:
    """YAML and text of a Space's own card; nothing where there is none."""
    if not readme.is_file():
        return {}, ""
    card = SpaceCard.load(readme, ignore_metadata_errors=True)
    return card.data.to_dict(), card.text.strip()


def _without_package(requirements: Path) -> None:
    """The package lies beside the page, so that nothing of that name is to be installed."""
    if requirements.is_file():
        lines = requirements.read_text(encoding="utf-8").splitlines(keepends=True)
        kept = [line for line in lines if not line.lower().replace("_", "-").startswith("musemo-hf")]
        requirements.write_text("".join(kept), encoding="utf-8")
