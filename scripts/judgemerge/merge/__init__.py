"""Merges: the methods, what is refused before and after, recipes, grids, and the engines that compute them.

Importing this package is cheap (a study is checked at every start); torch is imported where tensors are touched.
"""

from judgemerge.merge.grids import expand_grids
from judgemerge.merge.methods import METHODS
from judgemerge.merge.recipes import Merge, adapters_read, own_engine, recipe
from judgemerge.merge.result_checks import check_result

__all__ = [
    "METHODS",
    "Merge",
    "adapters_read",
    "check_result",
    "expand_grids",
    "own_engine",
    "recipe",
]
