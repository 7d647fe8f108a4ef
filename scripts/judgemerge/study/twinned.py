"""A study with the twins of published models in place of those that would be downloaded, or lie in a known folder."""

from collections.abc import Mapping
from typing import Any

from judgemerge.core.errors import JudgemergeError
from judgemerge.settings.models import Twin, Twins
from judgemerge.settings.study_file import Settings
from judgemerge.synthetic import twins

KEPT = ("chat_template", "template_arguments", "query_prompt")  # of an entry: how the model is asked


def with_twins(settings: Settings, where: str) -> dict[str, Any]:
    """Return the plain settings of a study, with twins in place of published models where the study asks for it.

    Raises JudgemergeError for a model of the hub that config/twins.yaml does not know.
    """
    plain = dict(settings.plain())
    if not settings.twins:
        return plain
    how, published = settings.twins if isinstance(settings.twins, Twins) else Twins(), set(twins.names())
    plain["models"] = _replaced(plain["models"], how, published, f"{where}: models")
    if settings.embedding is None:
        return plain
    embedding = dict(plain["embedding"])
    roles = {role: embedding[role] for role in ("embedder", "reranker") if role in embedding}
    embedding |= _replaced(roles, how, published, f"{where}: embedding")
    embedding["others"] = _replaced(embedding["others"], how, published, f"{where}: embedding.others")
    return plain | {"embedding": embedding}


def _replaced(entries: Mapping[str, Mapping], how: Twins, published: set[str], where: str) -> dict[str, Any]:
    """Return the entries, those of the hub and of known folders as twins."""
    replaced = {}
    for name, entry in entries.items():
        original = entry.get("repo") or entry.get("path")
        if "repo" in entry and original not in published:
            raise JudgemergeError(f"{where}.{name}.repo: {twins.missing(original)}")
        is_known = original in published
        twin = Twin(of=original or "", layers=how.layers, seed=how.seed, dtype=how.dtype).plain()
        kept = {key: entry[key] for key in KEPT if key in entry}
        replaced[name] = {"twin": twin, **kept} if is_known else entry
    return replaced


def check(study) -> None:
    """Refuse a twin of a model that config/twins.yaml does not know."""
    embedding = study.settings.embedding
    encoders = study.embedding.encoders if embedding else {}
    published = set()
    for key, entry in {**_keyed("models", study.models), **_keyed("embedding", encoders)}.items():
        twin = getattr(entry, "twin", None)
        published = published or (set(twins.names()) if twin else set())
        if twin and twin.of not in published:
            raise JudgemergeError(f"{study.where}: {key}.twin: {twins.missing(twin.of)}")


def _keyed(section: str, entries: Mapping[str, Any]) -> dict[str, Any]:
    return {f"{section}.{name}": entry for name, entry in entries.items()}
