"""A small part that is labelled: forty pairs or answers, of which some are drawn."""

import functools

import pytest
from label_cases import open_part


@pytest.fixture
def part(tmp_path):
    """Return a function that opens the desk of a part; called again it opens the same one, as after a restart."""
    return functools.partial(open_part, tmp_path)
