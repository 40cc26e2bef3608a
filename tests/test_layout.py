"""The layout that CONTRIBUTING.md describes is the layout of the package: import directions, cycles, sizes."""

import ast
import re
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import musemo_hf

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "musemo_hf"
MOST_FILES, MOST_LINES = 15, 400


def module_files() -> dict[str, Path]:
    """Dotted name of each module of the package -> its file."""
    files = {}
    for path in (ROOT / PACKAGE).rglob("*.py"):
        parts = path.relative_to(ROOT).with_suffix("").parts
        files[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return files


def imports_of(module: str, text: str, is_package: bool, known: set[str]) -> set[str]:
    """The modules of the package that a module imports, also under TYPE_CHECKING, in functions and by importlib.

    A name that is imported from a package counts as the module of that name, or as the module that a lazy package
    takes it from. The name that is given to `import_module` has to be written out, up to a placeholder at its end.
    """
    package = module if is_package else module.rpartition(".")[0]
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            start = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            origin = ".".join([*start, *filter(None, [node.module])])
            found |= {_origin(origin, alias.name, known) for alias in node.names}
        elif isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in ("import_module", "__import__"):
            found.add(_written(node.args[0], module))
    return {nearest(name, known) for name in found if name.split(".")[0] == PACKAGE} - {module}


def _origin(package: str, name: str, known: set[str]) -> str:
    if package == PACKAGE and name in musemo_hf._EXPORTS:
        return musemo_hf._EXPORTS[name]
    return f"{package}.{name}" if f"{package}.{name}" in known else package


def _written(argument: ast.expr, module: str) -> str:
    parts = argument.values if isinstance(argument, ast.JoinedStr) else [argument]
    assert isinstance(parts[0], ast.Constant), f"{module}: import_module({ast.unparse(argument)}) cannot be checked"
    name = str(parts[0].value)
    return name if len(parts) == 1 else name.rpartition(".")[0]


def nearest(name: str, known: set[str]) -> str:
    """The module that a dotted name is or is in."""
    while name not in known:
        name = name.rpartition(".")[0]
    return name


@pytest.fixture(scope="module")
def graph() -> dict[str, set[str]]:
    """Module -> modules of the package that it imports."""
    files = module_files()
    return {
        module: imports_of(module, path.read_text(encoding="utf-8"), path.name == "__init__.py", set(files))
        for module, path in files.items()
        if module != PACKAGE  # it exports names of every part, each imported when it is first used
    }


@pytest.fixture(scope="module")
def directions() -> dict[str, set[str]]:
    """What CONTRIBUTING.md says: a part of the package -> the parts that it may import."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    rows = re.findall(rf"^\| `{PACKAGE}/([\w/]+?)(?:\.py|/)` \|.*\| (.+) \|$", text, re.MULTILINE)
    allowed = {part.replace("/", "."): set(re.findall(r"`([\w.]+)`", cell)) for part, cell in rows}
    unknown = set().union(*allowed.values()) - set(allowed)
    assert not unknown, f"CONTRIBUTING.md lets parts import {unknown}, which it does not describe"
    missing = [part for part, _ in rows if not any((ROOT / PACKAGE / f"{part}{end}").exists() for end in ("", ".py"))]
    assert not missing, f"CONTRIBUTING.md describes {missing}, which the package does not have"
    return allowed


def part_of(module: str, parts: set[str]) -> str:
    """The part of the package that a module is in."""
    name = module.removeprefix(f"{PACKAGE}.")
    found = [part for part in parts if name == part or name.startswith(f"{part}.")]
    assert found, f"CONTRIBUTING.md does not say where {module} belongs"
    return max(found, key=len)


def test_the_table_says_something(directions):
    assert {"audio", "data", "models", "evaluation", "training", "experiments", "hub", "commands"} <= set(directions)


def test_imports_follow_the_stated_directions(graph, directions):
    wrong = []
    for module, imported in graph.items():
        own = part_of(module, set(directions))
        for target in imported - {PACKAGE}:
            part = part_of(target, set(directions))
            allowed = directions[own] | {own}
            if not any(part == name or part.startswith(f"{name}.") for name in allowed):
                wrong.append(f"{module} imports {target}: {own} may import {', '.join(directions[own]) or 'nothing'}")
    assert not wrong, "\n".join(sorted(wrong))


def test_the_stated_directions_have_no_cycle(directions):
    try:
        tuple(TopologicalSorter(directions).static_order())
    except CycleError as error:
        pytest.fail(f"CONTRIBUTING.md allows a cycle: {error.args[1]}")


def test_no_module_imports_itself_through_others(graph):
    try:
        tuple(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(f"import cycle: {' -> '.join(error.args[1])}")


def test_folders_and_files_are_small():
    folders = [
        ROOT / PACKAGE,
        *(path for path in (ROOT / PACKAGE).rglob("*") if path.is_dir() and not path.is_symlink()),
    ]
    full = {
        str(folder.relative_to(ROOT)): count
        for folder in folders
        if (count := sum(path.is_file() and path.suffix != ".pyc" for path in folder.iterdir())) > MOST_FILES
    }
    assert not full, f"more than {MOST_FILES} files in a folder: {full}"
    parts = (PACKAGE, "training", "spaces_demo", "benchmarks", "tests")
    files = [path for part in parts for path in (ROOT / part).rglob("*.py")]
    long = {
        str(path.relative_to(ROOT)): count
        for path in files
        if (count := len(path.read_text(encoding="utf-8").splitlines())) > MOST_LINES
    }
    assert not long, f"more than {MOST_LINES} lines in a file: {long}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("from musemo_hf.audio import mel", {"musemo_hf.audio.mel"}),
        ("import musemo_hf.audio.mel as m", {"musemo_hf.audio.mel"}),
        ("from .mel import log_mel", {"musemo_hf.audio.mel"}),
        ("from ..data import arrays", {"musemo_hf.data.arrays"}),
        ("def f():\n    from musemo_hf.data.arrays import SongArrays", {"musemo_hf.data.arrays"}),
        ("if TYPE_CHECKING:\n    from musemo_hf.data.arrays import SongArrays", {"musemo_hf.data.arrays"}),
        ("import_module('musemo_hf.data.arrays')", {"musemo_hf.data.arrays"}),
        ("from musemo_hf import metric_path, __version__", {"musemo_hf.metrics", "musemo_hf"}),
        ("importlib.import_module(f'musemo_hf.data.{name}')", {"musemo_hf.data"}),
        ("import numpy", set()),
    ],
)
def test_every_way_to_import_is_seen(text, expected):
    known = {
        "musemo_hf",
        "musemo_hf.metrics",
        "musemo_hf.audio",
        "musemo_hf.audio.mel",
        "musemo_hf.data",
        "musemo_hf.data.arrays",
    }
    assert imports_of("musemo_hf.audio.decoding", text, False, known) == expected
