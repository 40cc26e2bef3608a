"""The code that a pushed pipeline carries, so that diffusers loads it without this package."""

import ast
import json
import re
from pathlib import Path

from musemo_hf.models.vocoder import MusemoVocoder
from musemo_hf.pipelines.emotion_to_music import MusemoPipeline

PACKAGE = "musemo_hf"
ROOT = Path(__file__).resolve().parent.parent
INDEX = "model_index.json"
ENTRY = "pipeline"
# component -> the module in its folder that names its class; diffusers copies all of them into one folder
STUBS = {"generator": "musemo_generator", "feature_extractor": "musemo_feature_extractor"}


def add_code(folder: Path, pipeline: MusemoPipeline) -> None:
    """Add its code to the folder of a saved pipeline, and name it in `model_index.json`.

    Of a component's folder diffusers (0.42) fetches one file of code, and of the files at the root those that the
    pipeline's own file imports itself. So all modules are at the root, `pipeline.py` names each of them, and the file
    in a component's folder takes the class from there.
    """
    stubs = STUBS | ({"vocoder": "musemo_vocoder"} if isinstance(pipeline.vocoder, MusemoVocoder) else {})
    modules = {name: type(getattr(pipeline, name)).__module__ for name in stubs}
    index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
    index["_class_name"] = [ENTRY, MusemoPipeline.__name__]
    for name, stub in stubs.items():
        class_name = type(getattr(pipeline, name)).__name__
        index[name] = [stub, class_name]
        # not a relative import, whose file diffusers would look for in this folder
        text = (
            f'"""The class of this component; its code is at the root of the repository."""\n\n'
            f"from importlib import import_module\n\n"
            f'{class_name} = import_module(".{_flat(modules[name])}", __package__).{class_name}\n'
        )
        (folder / name / f"{stub}.py").write_text(text, encoding="utf-8")
    for file, text in flatten([MusemoPipeline.__module__, *modules.values()]).items():
        (folder / file).write_text(text, encoding="utf-8")
    (folder / INDEX).write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")


def flatten(modules: list[str]) -> dict[str, str]:
    """Lay out modules of this package, and those that they import, as files of one folder.

    Args:
        modules: The dotted names of modules; the first contains the pipeline.

    Returns:
        A map from file name to text, with `pipeline.py`, which imports from all others.

    Raises:
        ValueError: Two modules with different texts have one name, or a module imports from a package.
    """
    files: dict[str, str] = {}
    for module in sorted(_closure(modules)):
        file, text = f"{_flat(module)}.py", _rewrite(_path(module).read_text(encoding="utf-8"))
        if files.setdefault(file, text) != text:
            raise ValueError(f"expected modules of different names in one repository, got two of {file}")
    names = "".join(f"from .{Path(file).stem} import __name__ as _{Path(file).stem}\n" for file in files)
    about = '"""Emotion to music. diffusers fetches only the files that this one names."""\n\n'
    files[f"{ENTRY}.py"] = f"{about}{names}from .{_flat(modules[0])} import {MusemoPipeline.__name__}\n"
    return files


def _flat(module: str) -> str:
    return module.rpartition(".")[2]


def _path(module: str) -> Path:
    return ROOT.joinpath(*module.split(".")[1:]).with_suffix(".py")


def _closure(modules: list[str]) -> set[str]:
    """Return modules and all that they import, also in functions, as dotted names."""
    found, waiting = set(modules), list(modules)
    while waiting:
        module = waiting.pop()
        for needed in _imports(module) - found:
            found.add(needed)
            waiting.append(needed)
    return found


def _imports(module: str) -> set[str]:
    needed = set()
    for node in ast.walk(ast.parse(_path(module).read_text(encoding="utf-8"))):
        if not isinstance(node, ast.ImportFrom):
            continue
        start = module.split(".")[: -node.level] if node.level else []
        name = ".".join([*start, *filter(None, [node.module])])
        if name.split(".")[0] != PACKAGE:
            continue
        if not _path(name).is_file():
            raise ValueError(f"{module}:{node.lineno}: expected an import from a module, got the package {name}")
        needed.add(name)
    return needed


def _rewrite(text: str) -> str:
    """Make imports of this package relative to one folder."""
    return re.sub(rf"^(\s*)from {PACKAGE}\.(?:\w+\.)*(\w+) import ", r"\1from .\2 import ", text, flags=re.MULTILINE)
