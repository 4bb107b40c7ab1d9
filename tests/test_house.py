"""The house rules that a reader of the code relies on, read from the code itself."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "ddvideo"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())

FLOORS = (
    {"errors", "types", "config", "arrays", "text", "hint_options", "version"},
    {"media", "motion", "nn", "losses", "metrics", "graph", "detail", "hardware", "bounding_box"},
    {"compositing", "chunks", "shots", "recipes", "store"},
    {"tasks"},
    {"fit", "merge"},
    {"runners", "report"},
    {"pipeline"},
    {"cli"},
    {"__init__", "__main__"},
)
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
HEAVY = {"torch", "ray", "av", "cv2", "kornia", "skimage", "scenedetect"}

SOURCES = sorted(PACKAGE.rglob("*.py"))
WRITTEN = sorted(
    path for folder in ("ddvideo", "tests", "benchmarks", "sample_clips") for path in (ROOT / folder).rglob("*.py")
)


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in SOURCES}


def room_of(module: str) -> str:
    """The part of the package that a floor is given to: ``ddvideo.media.colour`` is in ``media``."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def imported(path: Path, *, when_loaded: bool = False) -> Iterator[tuple[int, str]]:
    """Line and absolute name of everything a file imports; ``when_loaded``: only what loading the file runs."""
    package = module_name(path) if path.name == "__init__.py" else module_name(path).rpartition(".")[0]
    waiting: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                name = f"{base}.{alias.name}"
                yield node.lineno, name if name in MODULES else base
        elif when_loaded and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        elif when_loaded and isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            waiting.extend(node.orelse)
        else:
            waiting.extend(ast.iter_child_nodes(node))


def allowed(room: str, other: str) -> bool:
    """Downwards only; on the ground floor the plain files stand on each other."""
    return FLOOR[other] < FLOOR[room] or FLOOR[other] == FLOOR[room] == 0


def test_every_module_has_a_floor() -> None:
    assert {room_of(name) for name in MODULES} <= set(FLOOR)


@pytest.mark.parametrize("module", sorted(MODULES))
def test_imports_go_down_the_floors(module: str) -> None:
    room = room_of(module)
    wrong = [
        f"line {line}: {name} (floor {FLOOR[room_of(name)]}) from {room} (floor {FLOOR[room]})"
        for line, name in imported(MODULES[module])
        if name.partition(".")[0] == "ddvideo" and room_of(name) != room and not allowed(room, room_of(name))
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("module", sorted(name for name in MODULES if name.startswith("ddvideo.tasks.")))
def test_a_task_imports_no_other_task(module: str) -> None:
    """What two tasks share lies on a lower floor; a task knows itself and the contract, the contract knows no task."""
    folders = {path.name for path in (PACKAGE / "tasks").iterdir() if path.is_dir() and path.name != "__pycache__"}
    own = module.split(".")[2]
    used = {name.split(".")[2] for _, name in imported(MODULES[module]) if name.startswith("ddvideo.tasks.")}
    assert not (used & folders) - {own}


def test_the_import_reader_sees_every_kind_of_import(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "ddvideo" / "media" / "probe.py"
    file.parent.mkdir(parents=True)
    file.write_text(
        "import torch.nn\nfrom ddvideo import cli\nfrom . import colour\nfrom ..errors import InputError\n"
        "if TYPE_CHECKING:\n    import av\ndef f():\n    import ray\nclass C:\n    import cv2\n"
    )
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    monkeypatch.setitem(MODULES, "ddvideo.cli", file)
    monkeypatch.setitem(MODULES, "ddvideo.media.colour", file)
    inside = {"torch.nn", "ddvideo.cli", "ddvideo.media.colour", "ddvideo.errors", "cv2"}
    assert {name for _, name in imported(file, when_loaded=True)} == inside
    assert {name for _, name in imported(file)} == inside | {"av", "ray"}


def users_of(library: str, *, when_loaded: bool = False) -> set[str]:
    """The modules that import a library."""
    return {
        name
        for name, path in MODULES.items()
        for _, what in imported(path, when_loaded=when_loaded)
        if what.split(".")[0] == library
    }


def test_ray_is_imported_by_the_runners_only_and_only_when_it_is_used() -> None:
    users = users_of("ray")
    assert users
    assert {room_of(name) for name in users} == {"runners"}
    assert not users_of("ray", when_loaded=True)


def test_help_loads_nothing_heavy() -> None:
    """Follows what loading the command runs; a heavy library is told with the chain that leads to it."""
    seen: dict[str, str] = {"ddvideo.__main__": ""}
    waiting = ["ddvideo.__main__"]
    heavy = []
    while waiting:
        module = waiting.pop()
        for line, name in imported(MODULES[module], when_loaded=True):
            if name.split(".")[0] in HEAVY:
                heavy.append(f"{name} at {module}:{line}, loaded by {seen[module] or 'the command'}")
            parts = name.split(".")
            for parent in (".".join(parts[: k + 1]) for k in range(len(parts))):
                if parent in MODULES and parent not in seen:
                    seen[parent] = module
                    waiting.append(parent)
    assert "ddvideo.cli.main" in seen
    assert not heavy, "\n".join(heavy)


def test_help_is_quick_and_loads_nothing_heavy_when_run() -> None:
    code = (
        "import runpy, sys\nsys.argv = ['ddvideo', '--help']\n"
        "try:\n    runpy.run_module('ddvideo', run_name='__main__')\n"
        "except SystemExit as stop:\n    assert not stop.code, stop.code\n"
        f"print('HEAVY', sorted({HEAVY!r} & set(sys.modules)))\n"
    )
    seconds = []
    for _ in range(3):
        started = time.perf_counter()
        done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
        seconds.append(time.perf_counter() - started)
        assert done.returncode == 0, done.stderr
        assert "HEAVY []" in done.stdout
        assert "segment" in done.stdout
        if seconds[-1] < 0.5:
            break
    bare = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import click"], cwd=ROOT, check=True, timeout=60)
    bare = time.perf_counter() - bare
    # On a machine that is busy with other work, even an almost empty Python takes long: allow for that.
    assert min(seconds) < max(0.5, 4 * bare)


@pytest.mark.parametrize("path", WRITTEN, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_file_is_over_400_lines(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


@pytest.mark.parametrize("module", sorted(MODULES))
def test_public_modules_name_what_they_offer(module: str) -> None:
    path = MODULES[module]
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree), "no docstring"
    names = [
        node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")
    ]
    offered = [
        node for node in tree.body if isinstance(node, ast.Assign | ast.AnnAssign) and "__all__" in ast.unparse(node)
    ]
    assert offered or not names, "public names without __all__"


def test_every_package_is_shipped() -> None:
    folders = {module_name(path) for path in SOURCES if path.name == "__init__.py"}
    assert set(PROJECT["tool"]["setuptools"]["packages"]) == folders | {"ddvideo._pipelines"}


def test_every_data_file_is_shipped() -> None:
    tables = PROJECT["tool"]["setuptools"]["package-data"]
    for path in PACKAGE.rglob("*"):
        if path.is_file() and path.suffix not in {".py", ".pyc"}:
            patterns = tables.get(module_name(path.parent / "__init__.py"), [])
            assert any(path.match(pattern) for pattern in patterns), f"{path.relative_to(ROOT)} is in no wheel"


def test_every_direct_dependency_is_pinned() -> None:
    pins = {
        re.split(r"[=<>~]", line)[0].lower().replace("_", "-")
        for line in (ROOT / "constraints.txt").read_text().splitlines()
    }
    wanted = [*PROJECT["project"]["dependencies"], *PROJECT["project"]["optional-dependencies"]["dev"]]
    missing = [name for name in wanted if re.split(r"[=<>~\[; ]", name)[0].lower().replace("_", "-") not in pins]
    assert not missing, missing


def run_elsewhere(code: str, folder: Path) -> str:
    """Run ``code`` as an installed user would: away from the checkout, without its folder on the path."""
    try:
        importlib.metadata.version("ddvideo")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("ddvideo is not installed in this environment: make setup")
    done = subprocess.run([sys.executable, "-I", "-c", code], cwd=folder, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_recipes_are_found_in_the_installed_package(tmp_path: Path) -> None:
    code = (
        "from importlib.resources import files\n"
        "for item in files('ddvideo._pipelines').iterdir():\n"
        "    if item.name.endswith('.toml'): print(item.name, len(item.read_bytes()))\n"
    )
    found = dict(line.split() for line in run_elsewhere(code, tmp_path).splitlines())
    assert found == {path.name: str(path.stat().st_size) for path in (ROOT / "pipelines").glob("*.toml")}
    assert "segment.toml" in found


def test_nothing_but_ddvideo_becomes_importable(tmp_path: Path) -> None:
    code = (
        "from importlib.util import find_spec\n"
        "names = 'ddvideo cli pipelines _pipelines sample_clips benchmarks tests docs'.split()\n"
        "specs = [spec for name in names if (spec := find_spec(name))]\n"
        "print([spec.name for spec in specs if spec.origin or spec.submodule_search_locations])\n"
    )
    assert run_elsewhere(code, tmp_path).strip() == "['ddvideo']"
