"""Digests of our own code, so that cheap rules run again when the code that decides their result changes."""

import hashlib
from pathlib import Path

_HERE = Path(__file__).resolve().parent


def source_digest(*names: str) -> str:
    """Return one short digest of the named modules or sub-packages, e.g. `agreement`, `benchmarks.pandalm`."""
    digest = hashlib.sha256()
    for name in sorted(names):
        base = _HERE.joinpath(*name.split("."))
        paths = sorted(base.rglob("*.py")) if base.is_dir() else [base.with_suffix(".py")]
        for path in paths:
            digest.update(path.relative_to(_HERE).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]
