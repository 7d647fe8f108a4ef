import sys

import pytest

from judgemerge.core.errors import JudgemergeError
from judgemerge.core.registry import Modules, Parts

PACKAGE = {
    "__init__": '"""Shapes."""\n',
    "square": "SIDES = 4\n\n\ndef area(side):\n    return side**2\n",
    "circle": "SIDES = 0\n",
    "_shared": "",
}


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package `shapes` of two modules and one that they share."""
    folder = tmp_path / "shapes"
    folder.mkdir()
    for name, text in PACKAGE.items():
        (folder / f"{name}.py").write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    __import__("shapes")
    yield "shapes"
    for name in [name for name in sys.modules if name.split(".")[0] == "shapes"]:
        del sys.modules[name]


def test_the_modules_of_a_package_are_named_without_being_imported(package):
    assert Modules(package, "shape").names == ("circle", "square")
    assert "shapes.square" not in sys.modules


def test_a_module_is_imported_when_it_is_asked_for(package):
    modules = Modules(package, "shape", needs=("SIDES",))
    assert modules.load("square").area(3) == 9
    assert [module.SIDES for module in modules.load_all()] == [0, 4]


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("sqare", "unknown shape 'sqare'; did you mean 'square'?"),
        ("_shared", "unknown shape '_shared'"),
        ("circle", r"circle.py: there is no function area\(side\); add it as .*shapes/__init__.py says"),
    ],
)
def test_a_module_that_is_not_there_or_lacks_something_is_named(package, name, sentence):
    with pytest.raises(JudgemergeError, match=sentence):
        Modules(package, "shape", needs=("area(side)",)).load(name)


def test_a_decorated_function_is_a_part_and_stays_a_function():
    parts = Parts("rule")

    @parts.adds("double", lambda function: (function, "twice"))
    def double(number):
        return 2 * number

    assert double(2) == 4
    assert dict(parts) == {"double": (double, "twice")}
    assert "double" in parts and "triple" not in parts and parts.get("triple") is None


def test_an_unknown_part_and_a_second_of_the_same_name_are_errors():
    parts = Parts("rule")
    parts.add("double", 2)
    with pytest.raises(JudgemergeError, match="unknown rule 'doubel'; did you mean 'double'?"):
        parts["doubel"]
    with pytest.raises(JudgemergeError, match="rule 'double' is defined twice; rename one"):
        parts.add("double", 3)


def test_the_parts_of_all_modules_are_there_when_the_first_is_asked_for(package, tmp_path):
    (tmp_path / "shapes" / "__init__.py").write_text(
        "from judgemerge.core.registry import Modules, Parts\n"
        "CORNERS = Parts('corner', Modules(__name__, 'family of corners'))\n",
        encoding="utf-8",
    )
    (tmp_path / "shapes" / "square.py").write_text(
        "from shapes import CORNERS\nfor name in ('north', 'east'):\n    CORNERS.add(name, 90)\n", encoding="utf-8"
    )
    del sys.modules["shapes"]
    parts = __import__("shapes").CORNERS
    assert "shapes.square" not in sys.modules
    assert list(parts) == ["north", "east"] and len(parts) == 2
