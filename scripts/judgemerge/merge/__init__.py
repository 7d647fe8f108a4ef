"""Merges: the method table, what is refused before and after, recipes, grids, and the engines that compute them.

Importing this package is cheap (a study is checked at every start); torch is imported where tensors are touched.
"""

from judgemerge.merge.checks import check_merge, check_result
from judgemerge.merge.grids import expand_grids
from judgemerge.merge.recipes import adapters_read, own_engine, recipe
from judgemerge.merge.table import METHODS, NORMALIZED_BY_DEFAULT, RANGES, Method

__all__ = [
    "METHODS",
    "NORMALIZED_BY_DEFAULT",
    "RANGES",
    "Method",
    "adapters_read",
    "check_merge",
    "check_result",
    "expand_grids",
    "own_engine",
    "recipe",
]
