"""Every name that a file takes from another of this repository is there, also where the import stands in a function.

Such an import fails only when the function is called, and what runs for an hour is called by no test.
"""

import ast
from collections.abc import Iterator, Set
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
FOLDERS = ("scripts", "benchmarks", "tools", "tests")
PACKAGE = "judgemerge"
SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def modules(root: Path) -> dict[Path, str]:
    """Return the dotted name of every file of the repository, as whoever runs it imports it; several may share one."""
    found = {}
    for file in [*root.glob("*.py"), *(file for folder in FOLDERS for file in root.glob(f"{folder}/**/*.py"))]:
        inside = file.relative_to(root).with_suffix("").parts
        name = ".".join(inside[inside.index(PACKAGE) :]) if PACKAGE in inside else inside[-1]
        found[file] = name.removesuffix(".__init__")
    return found


def defined(tree: ast.Module) -> set[str]:
    """Return the names that a module binds outside of functions and classes."""
    names, waiting = set(), list(tree.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, SCOPES):
            names.add(node.name)
            continue
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}
        waiting += ast.iter_child_nodes(node)
    return names


def taken(tree: ast.Module, known: Set[str]) -> Iterator[tuple[int, str, str]]:
    """Yield line, module and name of all that a file takes from known modules: imported, or by `module.name`."""
    nodes = list(ast.walk(tree))
    bound: dict[str, str] = {}
    other = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    other |= {node.arg for node in nodes if isinstance(node, ast.arg)}
    for node in nodes:
        if not isinstance(node, ast.Import | ast.ImportFrom):
            continue
        source = f"{node.module}." if isinstance(node, ast.ImportFrom) else ""
        for module in [node.module] if source else [alias.name for alias in node.names]:
            if module and module.startswith(f"{PACKAGE}.") and module not in known:
                yield node.lineno, *module.rsplit(".", 1)
        for alias in node.names:
            name = alias.asname or alias.name
            if source + alias.name in known:
                bound[name] = source + alias.name
            else:
                other.add(name)
                if source.removesuffix(".") in known:
                    yield node.lineno, node.module, alias.name
    for node in nodes:
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            module = None if node.value.id in other else bound.get(node.value.id)
            if module:
                yield node.lineno, module, node.attr


def missing(root: Path) -> list[str]:
    """Return `file:line: module has no name` for each name that is taken and is not there."""
    named = modules(root)
    trees = {file: ast.parse(file.read_text(encoding="utf-8")) for file in named}
    names: dict[str, set[str]] = {}
    for file, tree in trees.items():
        names.setdefault(named[file], {"__name__", "__file__", "__doc__", "__path__"}).update(defined(tree))
    return [
        f"{file.relative_to(root)}:{line}: {module} has no {attribute}"
        for file, tree in trees.items()
        for line, module, attribute in taken(tree, names.keys())
        if not {attribute, "__getattr__"} & names.get(module, set()) and f"{module}.{attribute}" not in names
    ]


def test_every_name_taken_from_a_file_of_the_repository_is_there():
    assert missing(ROOT) == []


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("def late():\n    from timing import gone", "benchmarks/run.py:2: timing has no gone"),
        ("import timing\ntiming.gone()", "benchmarks/run.py:2: timing has no gone"),
        ("def late():\n    import judgemerge.gone", "benchmarks/run.py:2: judgemerge has no gone"),
        ("def late():\n    from judgemerge.gone.part import a", "benchmarks/run.py:2: judgemerge.gone has no part"),
        ("from timing import there\nimport timing\ntiming.there()", None),
        ("def late(timing):\n    timing.gone()", None),
        ("def late():\n    from elsewhere import timing\n    timing.gone()\nimport timing", None),
    ],
)
def test_a_name_that_is_not_there_is_noticed_wherever_it_is_taken(tmp_path, text, complaint):
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "benchmarks/timing.py").write_text("def there(): ...\n", encoding="utf-8")
    (tmp_path / "benchmarks/run.py").write_text(text, encoding="utf-8")
    assert missing(tmp_path) == ([complaint] if complaint else [])
