"""The rooms of the package stand above each other: a module imports from rooms below its own, and no circle closes.

An import for types alone (`if TYPE_CHECKING:`) may name what stands above: nothing is imported for it.
"""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path("scripts/judgemerge")
# Each room imports only from rooms before it.
ROOMS = (
    *("core", "settings", "synthetic", "prompting", "data", "quantize", "judge", "train", "merge"),
    *("evaluate", "search", "compare", "embed", "study", "report", "label", "page", "api"),
)


def modules(package: Path) -> dict[str, Path]:
    """Return every module of a package: dotted name → file."""
    files = {file: file.relative_to(package.parent).with_suffix("").parts for file in package.rglob("*.py")}
    return {".".join(parts).removesuffix(".__init__"): file for file, parts in files.items()}


def imports(tree: ast.AST, names: dict[str, Path], for_types: bool) -> Iterator[str]:
    """Yield the modules that a syntax tree imports, those for types alone only where asked."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test) and not for_types:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in names)
        elif isinstance(node, ast.ImportFrom) and node.module in names:
            inner = (f"{node.module}.{alias.name}" for alias in node.names)
            yield from (name if name in names else node.module for name in inner)
        yield from imports(node, names, for_types)


def import_graph(package: Path, for_types: bool) -> dict[str, set[str]]:
    """Return module → the modules of the package that it imports."""
    names = modules(package)
    trees = {name: ast.parse(file.read_text(encoding="utf-8")) for name, file in names.items()}
    return {name: set(imports(tree, names, for_types)) - {name} for name, tree in trees.items()}


def circle(graph: dict[str, set[str]]) -> list[str]:
    """Return the modules of a circle, none where there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return []


def upward_imports(graph: dict[str, set[str]], rooms: tuple[str, ...]) -> list[str]:
    """Return `module -> module` for every import from a room that stands above the importing one's."""
    level = {room: number for number, room in enumerate(rooms)}
    pairs = [(name, other) for name, others in graph.items() for other in others if name.count(".") and "." in other]
    return sorted(f"{name} -> {other}" for name, other in pairs if level[_room(name)] < level[_room(other)])


def _room(name: str) -> str:
    return name.split(".")[1]


def test_no_module_imports_itself_through_others():
    assert circle(import_graph(PACKAGE, for_types=False)) == []


def test_every_room_imports_only_from_rooms_below_it():
    assert upward_imports(import_graph(PACKAGE, for_types=False), ROOMS) == []


def test_every_room_has_its_place_in_the_order():
    assert {file.parent.name for file in PACKAGE.glob("*/__init__.py")} == set(ROOMS)


@pytest.mark.parametrize(
    ("text", "circles", "upward"),
    [
        ("from package.high import part", True, True),
        ("def late():\n    import package.high.part", True, True),
        ("if TYPE_CHECKING:\n    from package.high.part import Thing", True, False),
        ("import package.low", False, False),
    ],
)
def test_an_import_from_above_is_noticed_wherever_it_stands(tmp_path, text, circles, upward):
    package = tmp_path / "package"
    for name, content in {"low/__init__": "", "low/part": text, "high/__init__": "", "high/part": ""}.items():
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / f"{name}.py").write_text(content, encoding="utf-8")
    (package / "high" / "part.py").write_text("from package.low import part", encoding="utf-8")
    assert bool(circle(import_graph(package, for_types=True))) == circles
    assert bool(upward_imports(import_graph(package, for_types=False), ("low", "high"))) == upward
