"""Make what follows from the typed settings: config/study.schema.json for editors, docs/configuration.md for people.

    make reference

A test compares both files with scripts/judgemerge/settings/.
"""

import dataclasses
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

from judgemerge.settings import section  # noqa: E402
from judgemerge.settings.study_file import Settings, schema  # noqa: E402
from judgemerge.settings.training_keys import TrainingKeys  # noqa: E402

HEAD = """# Configuration

Every key of a study file, by section. `make reference` generates this page from `scripts/judgemerge/settings/`, which
defines each key once, with its type, default and checks. It also generates `config/study.schema.json`, with which
editors complete and check a study whose first line names it: `# yaml-language-server: $schema=../study.schema.json`.

A key without a default has to be set; one that is *unset* may be left out. [config/README.md](../config/README.md)
lists the catalogues (raw files, benchmarks, prompts, recorded judges), [glossary.md](glossary.md) explains the words.
"""
TRAINING = "LLaMA-Factory keys"
LIMITS = {
    "minimum": "≥ {}",
    "maximum": "≤ {}",
    "exclusiveMinimum": "> {}",
    "exclusiveMaximum": "< {}",
    "multipleOf": "a multiple of {}",
    "minItems": "at least {}",
    "maxItems": "at most {}",
    "minProperties": "at least {}",
}


def main() -> None:
    """Write both files."""
    for path, text in files().items():
        path.write_text(text, encoding="utf-8")


def files() -> dict[Path, str]:
    """Return the content of each file."""
    places: dict[type, str] = {}
    list(_sections(Settings, "", {}, places))  # links may lead to sections further below
    return {
        ROOT / "config" / "study.schema.json": json.dumps(schema(), indent=1, ensure_ascii=False) + "\n",
        ROOT / "docs" / "configuration.md": "\n".join([HEAD, *_sections(Settings, "", {}, places)]) + _training(),
    }


def _sections(
    kind: type[section.Section], path: str, written: dict[type, str], places: dict[type, str]
) -> Iterator[str]:
    """Yield a section, then those inside it; a section of several keys follows the first of them."""
    written[kind] = places[kind] = path
    rows = list(_rows(kind, path, places))
    yield f"## {f'`{path}`' if path else 'The study'}\n\n{' '.join(kind.__doc__.split())}\n\n{_table(rows)}"
    for entry in dataclasses.fields(kind):
        for inner, place in _inside(entry, path):
            if inner not in written:
                yield from _sections(inner, place, written, places)


def _inside(entry: dataclasses.Field, path: str) -> list[tuple[type, str]]:
    """Return the sections that the value of a key is made of, each with its place in a study."""
    place = f"{path}.{section.key_of(entry)}".lstrip(".")
    sections = []
    for kind in section.alternatives(entry.type):
        several = get_origin(kind) in (dict, tuple)
        kinds = section.alternatives(get_args(kind)[-1 if get_origin(kind) is dict else 0]) if several else (kind,)
        sections += [(inner, place + several * ".<name>") for inner in kinds if section.is_section(inner)]
    several_kinds = len(sections) > 1
    return [
        (kind, f"{at} ({', '.join(sorted(section.required(kind)))})" if several_kinds else at) for kind, at in sections
    ]


def _rows(kind: type[section.Section], path: str, places: dict[type, str]) -> Iterator[list[str]]:
    properties = section.schema_of(kind)["properties"]
    for entry in dataclasses.fields(kind):
        name = section.key_of(entry)
        where = [places.get(inner, place) for inner, place in _inside(entry, path)]
        meaning = section.description_of(entry).replace("<", "\\<")
        meaning += f" Keys: {', '.join(f'[`{place}`](#{_anchor(place)})' for place in where)}." if where else ""
        yield [f"`{name}`", _type(properties[name]), _default(entry), meaning]


def _type(entry: dict[str, Any]) -> str:
    """Return the type of a key in words."""
    if "$ref" in entry:
        return f"[{TRAINING}](#{_anchor(TRAINING)})"
    if "const" in entry or "enum" in entry:
        return " or ".join(f"`{json.dumps(word).strip(chr(34))}`" for word in entry.get("enum", [entry.get("const")]))
    if "oneOf" in entry:
        return " or ".join(dict.fromkeys(map(_type, entry["oneOf"])))
    words = entry["type"] if isinstance(entry["type"], str) else ", ".join(entry["type"])
    if words == "array":
        words = f"list of {_type(entry['items'])}"
    elif words == "object" and "additionalProperties" in entry and entry["additionalProperties"]:
        words = f"mapping of names to {_type(entry['additionalProperties'])}"
    elif words == "object":
        words = "section" if "properties" in entry else "mapping"
    return ", ".join([words, *(text.format(entry[name]) for name, text in LIMITS.items() if name in entry)])


def _default(entry: dataclasses.Field) -> str:
    default = entry.metadata["default"]
    if default is dataclasses.MISSING:
        return ""
    return "unset" if default is None else f"`{json.dumps(default, ensure_ascii=False)}`"


def _table(rows: list[list[str]]) -> str:
    lines = [["key", "type", "default", "meaning"], ["---"] * 4, *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


def _anchor(heading: str) -> str:
    """Return the anchor that GitHub gives a heading."""
    return "".join(sign for sign in heading.lower().replace(" ", "-") if sign.isalnum() or sign in "-_")


def _training() -> str:
    intro = (
        "`training`, and `settings` of an expert, a stage and the screening, take every key that LLaMA-Factory 0.9.5 "
        "knows (`scripts/judgemerge/settings/llamafactory_keys.json`), but for what judgemerge decides itself, such as "
        "paths and data sets: those are refused with the reason. These keys have a meaning of their own here, or "
        "narrower values:"
    )
    rows = [[row[0], row[1], row[3]] for row in _rows(TrainingKeys, "", {})]
    table = [["key", "type", "meaning"], ["---"] * 3, *rows]
    return f"\n## {TRAINING}\n\n{intro}\n\n" + "".join(f"| {' | '.join(row)} |\n" for row in table)


if __name__ == "__main__":
    main()
