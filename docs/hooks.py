"""Pages of the site that come from elsewhere: the files at the root of the repository, and the help of the commands.

MkDocs calls `on_config` and `on_files` (`hooks:` in mkdocs.yml).
"""

import argparse
import re
import sys
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parent.parent
# file of the repository -> page of the site
ROOT_PAGES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "CHANGELOG.md": "changelog.md",
}
COMMANDS, METRICS = "reference/commands.md", "reference/metrics.md"
LINK = re.compile(r"(?<=\]\()([^)\s#:]+)(#[^)\s]*)?(?=\))")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Leave pages out of the navigation that no file and no function of this module makes."""
    made = {*ROOT_PAGES.values(), COMMANDS, METRICS}
    docs = Path(config.docs_dir)
    config.nav = [entry for entry in (_existing(entry, docs, made) for entry in config.nav or []) if entry]
    return config


def _existing(entry: Any, docs: Path, made: set[str]) -> Any:
    if isinstance(entry, str):
        return entry if entry in made or (docs / entry).is_file() else None
    ((title, content),) = entry.items()
    if isinstance(content, list):
        content = [part for part in (_existing(part, docs, made) for part in content) if part]
    else:
        content = _existing(content, docs, made)
    return {title: content} if content else None


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made from other files."""
    for source, page in ROOT_PAGES.items():
        content = site_links((ROOT / source).read_text(encoding="utf-8"))
        files.append(File.generated(config, page, content=content))
    files.append(File.generated(config, COMMANDS, content=commands_page()))
    files.append(File.generated(config, METRICS, content=metrics_page()))
    return files


def site_links(text: str) -> str:
    """Turn the links of a file at the root of the repository into those of its page.

    Links to files that have no page stay as text.
    """

    def target(match: re.Match) -> str:
        path, anchor = match[1], match[2] or ""
        return (ROOT_PAGES.get(path) or path.removeprefix("docs/")) + anchor

    text = re.sub(r'(?<=src=")docs/', "", LINK.sub(target, text))
    return re.sub(r"\[([^\]]+)\]\(((?:notebooks|LICENSE|CITATION)[^)]*)\)", r"\1", text)


def commands_page() -> str:
    """Write the help of `musemo` and of each of its commands."""
    sys.path.insert(0, str(ROOT))
    from musemo_hf.cli import FORMER_NAMES, build_parser

    parser = build_parser()
    (commands,) = (action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    helps = {name: command for name, command in commands.choices.items() if name not in FORMER_NAMES}
    parts = ["# Commands\n\n`musemo COMMAND --help` prints what stands here."]
    for name, command in {"": parser, **helps}.items():
        title = f"musemo {name}".strip()
        command.formatter_class = _Wide
        parts.append(f"## {title}\n\n```text\n{command.format_help().strip()}\n```")
    return "\n\n".join(parts) + "\n"


def metrics_page() -> str:
    """Join the cards of the metrics, without their headers for the Hub."""
    cards = sorted((ROOT / "musemo_hf" / "metrics").glob("*/README.md"))
    texts = [card.read_text(encoding="utf-8").split("---\n", 2)[2].strip() for card in cards]
    about = "# Metrics\n\nModules of `evaluate`, loaded by `evaluate.load(metric_path(name))`."
    return "\n\n".join(
        [about, "::: musemo_hf.metrics.metric_path", *(re.sub("^#", "##", t, flags=re.M) for t in texts)]
    )


class _Wide(argparse.RawDescriptionHelpFormatter):
    """Help of one width, whatever the terminal."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=80, max_help_position=24)
