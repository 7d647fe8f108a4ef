"""Two models compared by judges of their answers.

Called, the package is the function `judgemerge.compare` of api/agreement.py, which has the name of this stage.
"""

import sys
from types import ModuleType
from typing import Any


class _Stage(ModuleType):
    """The package of a stage that has the name of a public function: `from judgemerge import compare` gives this."""

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        """Say which of two judges agrees better with people; see judgemerge.api.agreement.compare."""
        from judgemerge import public

        return public("compare")(*arguments, **options)


sys.modules[__name__].__class__ = _Stage
