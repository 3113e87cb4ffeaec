"""The rules of the house that a machine can keep: who may import whom, and what is public."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import glyphlab

SOURCE = Path(glyphlab.__file__).parent

# A room may import itself and what stands in its row.
MAY_IMPORT = {
    "errors": set(),
    "files": {"errors"},
    "drawing": set(),
    "process": set(),
    "runfolder": set(),
    "imaging": {"errors", "files"},
    "data": {"errors", "files", "imaging"},
    "networks": {"errors", "files", "data", "imaging"},
    "training": {"errors", "files", "drawing", "process", "runfolder", "data", "imaging", "networks"},
    "evaluation": {
        "errors",
        "files",
        "drawing",
        "process",
        "runfolder",
        "data",
        "imaging",
        "networks",
        "training",
        "recognition",
    },
    "recognition": {"errors", "files", "process", "runfolder", "imaging"},
    "web": {"errors", "files", "process", "imaging", "recognition"},
    "cli": {
        "errors",
        "files",
        "process",
        "data",
        "imaging",
        "networks",
        "training",
        "evaluation",
        "recognition",
        "web",
    },
}
NEVER_TORCH = {"errors", "files", "drawing", "process", "runfolder", "data", "imaging", "recognition", "web"}


def imports_of(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names.add(node.module or "")
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def test_rooms_import_only_what_they_may() -> None:
    wrong: list[str] = []
    for path in sorted(SOURCE.rglob("*.py")):
        room = path.relative_to(SOURCE).parts[0].removesuffix(".py")
        if room in {"__init__", "__main__"}:
            continue
        for name in imports_of(path):
            parts = name.split(".")
            if parts[0] == "torch" and room in NEVER_TORCH:
                wrong.append(f"{path.name} imports torch")
            ours = parts[0] == "glyphlab" and len(parts) > 1 and parts[1] != "__version__"
            if ours and parts[1] not in MAY_IMPORT[room] | {room}:
                wrong.append(f"{room}/{path.name} imports {name}")
    assert not wrong


def test_nothing_loads_a_pickle_or_imports_torchvision() -> None:
    for path in sorted(SOURCE.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        assert "allow_pickle=True" not in text, path
        assert "torch.load(" not in text or "weights_only=True" in text, path
        assert not imports_of(path) & {"pickle", "dill", "torchvision", "timm"}, path


def test_public_names_are_pinned() -> None:
    assert glyphlab.__all__ == [
        "DataError",
        "Evaluation",
        "GlyphClassifier",
        "GlyphSet",
        "GlyphlabError",
        "ImageError",
        "ModelError",
        "Prediction",
        "Recipe",
        "RecipeError",
        "Recognizer",
        "Run",
        "RunError",
        "__version__",
        "compare",
        "evaluate",
        "export_run",
        "load_dataset",
        "report",
        "resume",
        "train",
    ]
    for name in glyphlab.__all__:
        assert getattr(glyphlab, name) is not None


def test_importing_glyphlab_and_its_command_line_loads_nothing_heavy() -> None:
    code = (
        "import sys, glyphlab, glyphlab.cli.main;"
        "print([n for n in ('torch', 'numpy', 'cv2', 'matplotlib', 'sklearn', 'pydantic') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
