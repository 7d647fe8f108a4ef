"""The catalogue of raw files (config/sources.yaml): where each one is and what it must contain."""

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import quote, urlsplit

from judgemerge.core.catalogues import check_keys, load_yaml
from judgemerge.core.errors import JudgemergeError, did_you_mean

GITHUB_KEYS = {"repo": str, "commit": str, "path": str}
CONTENT_KEYS = {"sha256": str, "bytes": int, "licence": str}
UNSEEN_KEYS = {"unseen": bool, "licence": str}
PATTERNS = {
    "repo": (r"[\w.-]+/[\w.-]+", "owner/name"),
    "commit": (r"[0-9a-f]{40}", "40 hexadecimal digits"),
    "sha256": (r"[0-9a-f]{64}", "64 hexadecimal digits"),
}


@dataclass(frozen=True)
class Source:
    """One raw file: a file of a GitHub repository at one commit, or the file at `address`; `bytes` is its size.

    `unseen`: the makers of the catalogue never had the file, so size and checksum are unknown and nothing is checked.
    """

    key: str
    sha256: str
    bytes: int
    licence: str
    repo: str = ""
    commit: str = ""
    path: str = ""
    address: str = ""
    unseen: bool = False

    @property
    def url(self) -> str:
        """The https address of the file; a path on this machine when `is_local`."""
        return self.address or f"https://raw.githubusercontent.com/{self.repo}/{self.commit}/{quote(self.path)}"

    @property
    def is_local(self) -> bool:
        """Whether the file is named by a path on this machine."""
        return "://" not in self.url

    def copy(self, mirror: str | Path | None) -> Path | None:
        """Return the place of the file on this machine: its own, or that in a mirror; None without a mirror."""
        if self.is_local:
            return Path(self.url)
        return Path(mirror) / self.mirror_path if mirror else None

    def is_at_hand(self, mirror: str | Path | None) -> bool:
        """Return whether the file lies there."""
        copy = self.copy(mirror)
        return copy is not None and copy.is_file()

    @property
    def mirror_path(self) -> PurePosixPath:
        """The place of the file in a mirror: owner/repo/commit/path, or host/path of another address."""
        if not self.address:
            return PurePosixPath(self.repo, self.commit, self.path)
        parts = urlsplit(self.address)
        return PurePosixPath(parts.netloc, parts.path.lstrip("/"))


def load_sources(path: str | Path) -> dict[str, Source]:
    """Return the sources of a catalogue by key; an entry that cannot be right raises JudgemergeError."""
    return {key: _source(key, entry, f"{path}: source '{key}'") for key, entry in load_yaml(path).items()}


def get_source(sources: dict[str, Source], key: str, where: str) -> Source:
    """Return the source of that key; `where` opens the message when there is none."""
    if key not in sources:
        raise JudgemergeError(f"{where}: unknown source '{key}'{did_you_mean(key, sources)}")
    return sources[key]


def _source(key: str, entry: dict, where: str) -> Source:
    place = {"address": str} if isinstance(entry, dict) and "address" in entry else GITHUB_KEYS
    content = UNSEEN_KEYS if isinstance(entry, dict) and entry.get("unseen") else CONTENT_KEYS
    check_keys(entry, place | content, {}, where)
    for name, (pattern, meaning) in PATTERNS.items():
        if name in entry and not re.fullmatch(pattern, entry[name]):
            raise JudgemergeError(f"{where}: {name} is '{entry[name]}', not {meaning}")
    if PurePosixPath(entry.get("path", "")).is_absolute() or ".." in PurePosixPath(entry.get("path", "")).parts:
        raise JudgemergeError(
            f"{where}: path '{entry['path']}' leaves the repository; give it from the repository root"
        )
    return Source(**{"key": key, "sha256": "", "bytes": 0, **entry})
