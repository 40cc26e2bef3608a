"""Pushing an `evaluate` module as a Space from which `evaluate.load("<user>/<name>")` works without this package."""

import ast
import re
import tempfile
from pathlib import Path
from typing import Unpack

from musemo_hf.hub.cards import render_card
from musemo_hf.hub.space import CARD, gradio_version, read_card
from musemo_hf.hub.transfer import PushOptions, push_folder
from musemo_hf.metrics import metric_path

PACKAGE = "musemo_hf.evaluation"
EVALUATION = Path(__file__).resolve().parent.parent / "evaluation"


def push_metric(repo_id: str, metric: str | None = None, **options: Unpack[PushOptions]) -> str:
    """Push `<user>/spectrogram_quality` or `<user>/concordance_correlation`.

    The repository gets the script, the files of `musemo_hf.evaluation` that the script needs, and the page, the
    requirements and the card of the metric's folder.

    Args:
        repo_id: The repository as "user/name". `evaluate` looks for `name.py` in it, so that the name has to be that of
            the metric.
        metric: The name of a packaged metric, by default the name in `repo_id`.
        **options: `private`, `token` and `tag`, see `push_folder`.

    Returns:
        The hash of the repository's newest commit.

    Raises:
        ValueError: There is no such metric, or the repository has another name.
        HubPushError: See `push_folder`.
    """
    name = repo_id.split("/")[-1]
    metric = metric or name
    source = Path(metric_path(metric))
    if name != metric:
        raise ValueError(f"expected a repository named {metric}, as evaluate looks for its script there, got {repo_id}")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        files = flatten(source / f"{metric}.py")
        for path in source.iterdir():
            if path.is_file() and path.name not in (f"{metric}.py", CARD):
                files[path.name] = path.read_text(encoding="utf-8")
        metadata, body = read_card(source / CARD)
        body = _load_from_repository(body, repo_id)
        files[CARD] = render_card("metric", repo_id=repo_id, sdk_version=gradio_version(), metadata=metadata, body=body)
        for path_name, text in files.items():
            (folder / path_name).write_text(text, encoding="utf-8")
        return push_folder(folder, repo_id, "space", "Upload metric", **options)


def flatten(script: Path) -> dict[str, str]:
    """Lay out a script and the modules of `musemo_hf.evaluation` that it needs as files of one folder.

    `evaluate` fetches only the files that the script itself names in relative imports, so that each is named there.

    Returns:
        A map from file name to text, with the script first.

    Raises:
        ValueError: A file needs more of this package than `musemo_hf.evaluation`.
    """
    text = script.read_text(encoding="utf-8")
    needed = _closure(text, script.name)
    names = sorted(module.split(".")[-1] for module in needed)
    if len(set(names)) < len(names):
        raise ValueError(f"expected modules of {PACKAGE} with different names, got {', '.join(sorted(needed))}")
    files = {script.name: _name_all(_rewrite(text), names)}
    for module in sorted(needed, key=lambda dotted: dotted.split(".")[-1]):
        files[f"{module.split('.')[-1]}.py"] = _rewrite(_source(module))
    return files


def _source(module: str) -> str:
    """Read the text of a module of `evaluation`, such as "distances.frechet"."""
    return (EVALUATION / f"{module.replace('.', '/')}.py").read_text(encoding="utf-8")


def _closure(text: str, origin: str) -> set[str]:
    """Return the modules of `evaluation` that a text imports, directly or through others."""
    found: set[str] = set()
    waiting = [(text, origin, "")]
    while waiting:
        for module in _needs(*waiting.pop()) - found:
            found.add(module)
            waiting.append((_source(module), f"{module}.py", module.rpartition(".")[0]))
    return found


def _needs(text: str, origin: str, package: str) -> set[str]:
    """Return the modules of `evaluation` that a text imports itself, as dotted names below it.

    Args:
        text: The text of the module.
        origin: The name of the module in an error.
        package: The package below `evaluation` that relative imports start from; "" for `evaluation` itself.
    """
    modules: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import) and any(alias.name.split(".")[0] == "musemo_hf" for alias in node.names):
            raise ValueError(f"{origin}:{node.lineno}: expected `from {PACKAGE}.x import y`, got an import")
        if not isinstance(node, ast.ImportFrom):
            continue
        module = node.module or ""
        if node.level == 0 and module.split(".")[0] != "musemo_hf":
            continue
        if node.level > 1 or not module or (node.level == 0 and not module.startswith(f"{PACKAGE}.")):
            raise ValueError(f"{origin}:{node.lineno}: expected imports of modules of {PACKAGE} only, got {module}")
        modules.add(".".join(filter(None, [package, module])) if node.level else module.removeprefix(f"{PACKAGE}."))
    return modules


def _rewrite(text: str) -> str:
    """Make imports of `evaluation` relative, without comments, which `evaluate` takes for an address."""
    absolute = rf"^(\s*)from {re.escape(PACKAGE)}\.(?:\w+\.)*(\w+) import "
    text = re.sub(absolute, r"\1from .\2 import ", text, flags=re.MULTILINE)
    return re.sub(r"^(from \.\w* import [^#\n]*?) *#.*$", r"\1", text, flags=re.MULTILINE)


def _name_all(text: str, modules: list[str]) -> str:
    """Name each module in an import of the script's own, after its other imports."""
    named = re.findall(r"^from \.(\w+) import ", text, flags=re.MULTILINE)
    missing = [f"from .{module} import __name__ as _{module}\n" for module in modules if module not in named]
    if not missing:
        return text
    last = max((n.end_lineno or 0) for n in ast.parse(text).body if isinstance(n, (ast.Import, ast.ImportFrom)))
    lines = text.splitlines(keepends=True)
    return "".join([*lines[:last], "# evaluate fetches only the files that this one names\n", *missing, *lines[last:]])


def _load_from_repository(text: str, repo_id: str) -> str:
    """Rewrite examples to load the metric from its repository instead of from this package."""
    text = re.sub(r"^>>> from musemo_hf import metric_path\n", "", text, flags=re.MULTILINE)
    return re.sub(r'metric_path\("\w+"\)', f'"{repo_id}"', text)
