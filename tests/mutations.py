"""Random changes of rows and settings read from YAML or JSON: keys lost, misspelt and doubled, values of any kind."""

import copy
import functools

ODD_TEXTS = (
    "",
    " ",
    "tiny",
    "linear",
    "demo_pairwise",
    "../../etc/passwd",
    "/",
    "a\nb",
    "\x00",
    "{prompt}",
    "ü",
    "判",
    "🦙",
)
ODD_NUMBERS = (0, -1, 1, 2, 3.5, 1e308, -1e308, float("nan"), float("inf"), 10**30, -(10**30), 0.0, 1e-320)
ODD_SHAPES = (
    [],
    {},
    [[[[[]]]]],
    [None],
    [{"a": {"b": {"c": [1, {"d": None}]}}}],
    {"": {"": {"": ""}}},
    {1: 2, None: None},
)
DEEP = functools.reduce(lambda inner, _: {"deep": inner}, range(60), {})
WRONG_VALUES = (None, True, *ODD_NUMBERS, *ODD_TEXTS, *ODD_SHAPES, DEEP, ["tiny", "tiny"], "x" * 5000)
KINDS = ("delete", "rename", "replace", "swap", "copy", "null", "nest", "number", "text")


def places(value, path=()):
    """Yield the path of everything inside."""
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, entry in entries:
        yield (*path, key)
        yield from places(entry, (*path, key))


def at(value, path):
    """Return what stands at a path."""
    return functools.reduce(lambda inner, key: inner[key], path, value)


def names_in(value):
    """Return every text, keys included."""
    if isinstance(value, dict):
        return [*map(str, value), *(name for entry in value.values() for name in names_in(entry))]
    if isinstance(value, list):
        return [name for entry in value for name in names_in(entry)]
    return [value] if isinstance(value, str) else []


def misspelt(rng, text):
    """Return a text with a letter lost, doubled or added, or in capitals."""
    where = rng.randrange(max(1, len(text)))
    doubled = text[:where] + text[where : where + 1] + text[where:]
    return rng.choice([text[:where] + text[where + 1 :], doubled, text.upper(), text + "é"])


def change(value, rng, names):
    """Change one thing; return what and where."""
    path = rng.choice(sorted(places(value), key=str))
    *above, last = path
    parent, kind = at(value, above), rng.choice(KINDS)
    if kind == "delete":
        del parent[last]
    elif kind == "rename" and isinstance(parent, dict):
        parent[misspelt(rng, str(last))] = parent.pop(last)
    elif kind == "rename":
        parent[last] = misspelt(rng, str(parent[last]))
    elif kind == "replace":
        parent[last] = copy.deepcopy(rng.choice(WRONG_VALUES))
    elif kind == "null":
        parent[last] = None
    elif kind == "nest":
        parent[last] = rng.choice([[parent[last]], {"value": parent[last]}, {str(last): parent[last]}])
    elif kind == "number":
        parent[last] = rng.choice([rng.randint(-5, 5), rng.gauss(0, 10), rng.randint(-(2**70), 2**70)])
    elif kind == "text":
        parent[last] = "".join(map(chr, rng.choices([*range(0xD800), *range(0xE000, 0x11000)], k=rng.randint(1, 9))))
    elif kind == "copy" and isinstance(parent, list):
        parent.append(copy.deepcopy(parent[last]))
    elif kind == "copy":
        parent[f"{last}_2"] = copy.deepcopy(parent[last])
    else:  # a name of the file in another place
        parent[last] = rng.choice(names)
    return kind, path


def changed(original, rng):
    """Return a copy with one to three changes, and what was changed."""
    value, names = copy.deepcopy(original), sorted(set(names_in(original)))
    return value, [change(value, rng, names) for _ in range(rng.choice([1, 1, 1, 2, 3])) if value]
