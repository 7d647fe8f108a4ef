"""Reading the YAML catalogues of config/: one mapping per file, no key twice, one sentence when it is broken."""

import difflib
from pathlib import Path

import yaml

from judgemerge.core.errors import JudgemergeError, did_you_mean


class _UniqueKeyLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # libyaml reads ten times as fast
    """Refuses a key that occurs twice in one mapping (plain YAML keeps the last and says nothing).

    A key yes, no, on or off is the word that stands there, as in YAML 1.2: keys are names and the words of other
    people's files, of which YAML 1.1 makes booleans. Keys true and false stay booleans.
    """

    def construct_mapping(self, node, deep=False):
        seen = set()
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:bool" and key_node.value.lower() not in ("true", "false"):
                key_node.tag = "tag:yaml.org,2002:str"
            if key_node.tag == "tag:yaml.org,2002:merge":  # `<<: *name` takes keys over; own keys win
                continue
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                line = key_node.start_mark.line + 1
                raise JudgemergeError(
                    f"{key_node.start_mark.name}: line {line}: key '{key}' occurs twice; rename or delete one"
                )
            seen.add(key)
        return super().construct_mapping(node, deep)


class _WordLoader(_UniqueKeyLoader):
    """Refuses yes, no, on and off without quotes, which YAML 1.1 reads as truth values where words are meant."""


def _refuse_word(loader: _WordLoader, node: yaml.ScalarNode) -> bool:
    value = loader.construct_yaml_bool(node)
    if node.value.lower() not in ("true", "false"):
        raise JudgemergeError(
            f"{node.start_mark.name}: line {node.start_mark.line + 1}: YAML reads {node.value} without quotes as "
            f"{str(value).lower()}; put the word in quotes"
        )
    return value


_WordLoader.add_constructor("tag:yaml.org,2002:bool", _refuse_word)


def load_yaml(path: str | Path, words: bool = False) -> dict:
    """Return the mapping in a YAML file; a missing, broken or empty file raises JudgemergeError.

    With `words` the file holds labels and texts, and yes, no, on and off have to stand in quotes.
    """
    try:
        with open(path, encoding="utf-8") as file:
            value = yaml.load(file, Loader=_WordLoader if words else _UniqueKeyLoader)
    except FileNotFoundError:
        raise JudgemergeError(f"{path}: no such file; check the path in the study") from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else "?"
        raise JudgemergeError(f"{path}: line {line} is not YAML ({error.problem}); correct the line") from None
    except (yaml.reader.ReaderError, UnicodeDecodeError):
        raise JudgemergeError(f"{path}: is not text in UTF-8; save it as such") from None
    if not isinstance(value, dict):
        raise JudgemergeError(f"{path}: holds {type(value).__name__}, not a mapping from names to entries")
    return value


def named_file(name: str, where: str, folder: str | Path, kind: str) -> Path:
    """Return the YAML file that a study names: of a name in `folder`, or a path; `where` opens the error.

    `kind` says what the files of the folder are.
    """
    if Path(name).suffix in (".yaml", ".yml"):
        if not Path(name).is_file():
            raise JudgemergeError(f"{where} names '{name}', which is no file; correct the path")
        return Path(name)
    path = Path(folder) / f"{name}.yaml"
    if not path.is_file():
        names = sorted(other.stem for other in Path(folder).glob("*.yaml"))
        raise JudgemergeError(f"{where} names '{name}', no {kind} of {folder}{did_you_mean(name, names)}")
    return path


def check_keys(entry: object, required: dict[str, type | tuple], optional: dict[str, type | tuple], where: str) -> None:
    """Raise JudgemergeError unless `entry` is a mapping with the required keys, no unknown key, and the stated types.

    `where` opens the message (`config/sources.yaml: source 'x'`).
    """
    if not isinstance(entry, dict):
        raise JudgemergeError(f"{where} is {entry!r}, not a mapping; see the other entries of the file")
    types = {**required, **optional}
    for key, value in entry.items():
        if key not in types:
            near = difflib.get_close_matches(str(key), types, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(types)}"
            raise JudgemergeError(f"{where} has the unknown key '{key}'; {hint}")
        if not isinstance(value, types[key]) or isinstance(value, bool) and types[key] is int:
            allowed = types[key] if isinstance(types[key], tuple) else (types[key],)
            names = " or ".join(kind.__name__ for kind in allowed)
            raise JudgemergeError(f"{where}: {key} is {value!r}, not {names}")
    missing = [key for key in required if key not in entry]
    if missing:
        raise JudgemergeError(f"{where} has no {' and no '.join(missing)}; add it")
