"""Every merge method: the modules here declare them, by families. A new one is one more function, or one more module.

Importing this package is cheap, for a study is checked at every start: kernels import torch when they compute.
"""

from judgemerge.core.registry import Modules
from judgemerge.merge.table import METHODS

Modules(__name__, "family of merge methods").load_all()

STREAMED = tuple(name for name, method in METHODS.items() if method.is_streamed)
