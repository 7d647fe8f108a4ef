"""docs/calibration.md, executed: the worked example."""

import doctest
from pathlib import Path

PAGE = Path(__file__).parents[3] / "docs" / "calibration.md"


def test_the_worked_example_gives_what_the_page_says():
    text = PAGE.read_text(encoding="utf-8").replace("```", "")
    example = doctest.DocTestParser().get_doctest(text, {}, PAGE.name, str(PAGE), 0)
    assert len(example.examples) > 10
    assert doctest.DocTestRunner().run(example).failed == 0
