"""Importing this module makes the package judgemerge importable, wherever a command was started from."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
