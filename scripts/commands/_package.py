"""Importing this module makes the package judgemerge importable, wherever a command of a checkout was started from."""

import sys
from pathlib import Path

_scripts = Path(__file__).resolve().parents[1]
if (_scripts / "judgemerge").is_dir():  # where the package is installed, the commands lie in it
    sys.path.insert(0, str(_scripts))
