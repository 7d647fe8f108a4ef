"""Every merge method: the modules here declare them, by families. A new one is one more function, or one more module.

Importing this package is cheap, for a study is checked at every start: kernels import torch when they compute.
"""

import importlib
import pkgutil

from judgemerge.merge.table import METHODS

for module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{module.name}")

STREAMED = tuple(name for name, method in METHODS.items() if method.is_streamed)
