"""Where things lie that go with the package: in a checkout beside it, installed in the package itself.

setup.py puts them there; nothing is in the repository twice.
"""

from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

from judgemerge.core.errors import JudgemergeError

PACKAGE = Path(__file__).resolve().parents[1]
IS_INSTALLED = (PACKAGE / "config").is_dir()


def catalogue_folder() -> Path:
    """Return the folder of the catalogues (prompts, metrics, rubrics, chat templates …): config/ of the checkout."""
    return PACKAGE / "config" if IS_INSTALLED else PACKAGE.parents[1] / "config"


def command_folder() -> Path:
    """Return the folder of what people type: scripts/commands/ of the checkout."""
    return PACKAGE / "commands" if IS_INSTALLED else PACKAGE.parent / "commands"


def how_to_install(extra: str) -> str:
    """Return the command that adds what an extra of the package has."""
    return f"pip install 'judgemerge[{extra}]'" + ("" if IS_INSTALLED else ", or make venv in a checkout")


def require(what: str, extra: str, packages: Iterable[str]) -> None:
    """Refuse to go on without packages that an extra has; `what` is what needs them."""
    lacking = next((name for name in packages if find_spec(name) is None), None)
    if lacking:
        raise JudgemergeError(
            f"{what} needs the package '{lacking}', which is not installed; do so with {how_to_install(extra)}"
        )
