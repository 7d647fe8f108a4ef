"""Fetch the JavaScript libraries of explorer.html and of the documentation's site from the npm registry, by `npm pack`.

What is fetched stands in LIBRARIES and OF_SITE; files come to scripts/judgemerge/report/web/vendor/ and to
tools/site_vendor/, with each library's licence, and manifest.json says version, licence and checksum of each.
`--check` compares the files with the manifest, offline. Call it after a change of a version:
`.venv/bin/python tools/vendor_web.py`.
"""

import argparse
import hashlib
import json
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "scripts" / "judgemerge" / "report" / "web" / "vendor"
SITE_FOLDER = ROOT / "tools" / "site_vendor"
# In the order in which a page needs them. Newer majors of both come as modules alone, which one file cannot hold.
LIBRARIES = {
    "preact": ("10.29.8", {"dist/preact.min.umd.js": "preact.js", "hooks/dist/hooks.umd.js": "preact-hooks.js"}),
    "@tanstack/table-core": ("8.21.3", {"build/umd/index.production.js": "table-core.js"}),
}
# Lets the search of the site work on files, without a server.
OF_SITE = {"iframe-worker": ("1.0.4", {"shim/index.js": "iframe-worker.js"})}
WANTED = {FOLDER: LIBRARIES, SITE_FOLDER: OF_SITE}
ALLOWED = {"MIT", "BSD-3-Clause", "Apache-2.0", "ISC"}


def fetch(folder_of_libraries: Path, name: str, version: str, wanted: Mapping[str, str]) -> dict:
    """Write the wanted files of one library, and its licence; return its entry in the manifest."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["npm", "pack", f"{name}@{version}", "--json", "--pack-destination", folder]
        process = subprocess.run(command, capture_output=True, text=True, check=True)
        packed = json.loads(process.stdout)
        (packed,) = packed.values() if isinstance(packed, dict) else packed
        with tarfile.open(next(Path(folder).glob("*.tgz"))) as archive:
            licence = json.loads(_read(archive, "package.json"))["license"]
            if licence not in ALLOWED:
                sys.exit(f"tools/vendor_web.py: {name} {version} is under {licence}; take a library under a free one")
            texts = {file: _read(archive, path) for path, file in wanted.items()}
            notice = f"{name.rpartition('/')[2]}.LICENSE"
            texts[notice] = _read(archive, "LICENSE")
    for file, text in texts.items():
        (folder_of_libraries / file).write_bytes(text)
    return {
        "name": name,
        "version": version,
        "licence": licence,
        "notice": notice,
        "archive": packed["integrity"],
        "scripts": list(wanted.values()),
        "sha256": {file: hashlib.sha256(text).hexdigest() for file, text in texts.items()},
    }


def _read(archive: tarfile.TarFile, path: str) -> bytes:
    return archive.extractfile(f"package/{path}").read()


def differences(folder: Path = FOLDER) -> list[str]:
    """Return the files that are not what the manifest says, and those that it does not name."""
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    expected = {file: digest for entry in manifest for file, digest in entry["sha256"].items()}
    found = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.iterdir()
        if path.name != "manifest.json"
    }
    return sorted(file for file in expected | found if expected.get(file) != found.get(file))


def main() -> None:
    """Fetch all libraries, or check those that are here."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="compare the files with manifest.json and fetch nothing")
    if parser.parse_args().check:
        changed = [file for folder in WANTED for file in differences(folder)]
        sys.exit(f"not as manifest.json says: {', '.join(changed)}; run tools/vendor_web.py" if changed else None)
    for folder, libraries in WANTED.items():
        folder.mkdir(parents=True, exist_ok=True)
        for path in folder.iterdir():
            path.unlink()
        entries = [fetch(folder, name, version, wanted) for name, (version, wanted) in libraries.items()]
        (folder / "manifest.json").write_text(json.dumps(entries, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
