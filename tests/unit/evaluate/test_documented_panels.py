"""docs/panels.md, executed: effective votes and thresholds."""

import doctest
from pathlib import Path

PAGE = Path(__file__).parents[3] / "docs" / "panels.md"


def test_the_examples_give_what_the_page_says():
    text = PAGE.read_text(encoding="utf-8").replace("```", "")
    example = doctest.DocTestParser().get_doctest(text, {}, PAGE.name, str(PAGE), 0)
    assert len(example.examples) > 8
    assert doctest.DocTestRunner().run(example).failed == 0
