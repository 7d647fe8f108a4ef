import ast
import re
import shutil
import sys
from pathlib import Path

import pytest

from judgemerge.core import digests

ROOT = Path(__file__).parents[3]
RULES = [*sorted((ROOT / "rules").rglob("*.smk"))]
# Rules that train, merge, quantize, ask a model or fetch: an edited comment must not cost a GPU hour or a download.
EXPENSIVE = {
    "check_export",
    "collect_grams",
    "convert_gguf",
    "download_model",
    "export_expert",
    "fetch_encoder",
    "fetch_source",
    "generate_answers",
    "judge_answers",
    "judge_checkpoints",
    "judge_endpoint",
    "judge_suite",
    "keep_merged",
    "keep_trained",
    "link_model",
    "make_encoder",
    "make_model",
    "make_twin",
    "make_twin_encoder",
    "merge_models",
    "merge_trials",
    "mix_cocktail",
    "mix_embedders",
    "quantize_model",
    "rank_queries",
    "rerank_queries",
    "score_pairs",
    "screen_base",
    "train_encoder",
    "train_expert",
    "train_trial",
    "unpack_documents",
    "unpack_model",
    "weigh_models",
    "write_questions",
}


@pytest.fixture
def sources(tmp_path, monkeypatch):
    """A copy of scripts/ whose files a test may change; returns the digests' view of it."""
    folder = tmp_path / "scripts"
    shutil.copytree(ROOT / "scripts", folder, ignore=shutil.ignore_patterns("__pycache__"))
    return digests.Sources(folder, tmp_path / "imports.json")


def scripts_below(folder):
    """Return the scripts of all rules; commands are run by people, and have no digest."""
    kept_out = ("judgemerge", "commands")
    return sorted(path for path in folder.glob("*/*.py") if path.parent.name not in kept_out)


def importers(folder):
    """Return for each script the files that Python itself loads for it, found without the code under test.

    modulefinder runs nothing; it reads the bytecode of what is imported, where the code under test reads the syntax.
    Bytecode does not tell what is imported for type checkers only, so that is taken out of a copy first.
    """
    import modulefinder

    closures, copy = {}, folder.with_name("imported")
    shutil.copytree(folder, copy)
    for path in copy.rglob("*.py"):
        path.write_text(path.read_text("utf-8").replace("if TYPE_CHECKING:", "if False:"), "utf-8")
    folder = copy
    for script in scripts_below(folder):
        finder = modulefinder.ModuleFinder(path=[str(folder)])
        finder.run_script(str(script))
        files = (Path(module.__file__) for module in finder.modules.values() if module.__file__)
        closures[script.relative_to(folder).with_suffix("").as_posix()] = {
            path.relative_to(folder).as_posix() for path in files
        }
    return closures


def script_digests(sources, monkeypatch):
    """Return the digest of every script, by a view of the files as they are now."""
    now = digests.Sources(sources.folder, sources.cache)
    monkeypatch.setattr(digests, "our_sources", lambda: now)
    scripts = [path.relative_to(now.folder).with_suffix("").as_posix() for path in scripts_below(now.folder)]
    return {script: digests.script_digest.__wrapped__(script) for script in scripts}


def test_the_digest_of_a_script_changes_exactly_with_the_files_that_it_imports(sources, monkeypatch):
    before = script_digests(sources, monkeypatch)
    closures = {script: digests.imported_files(sources, f"{script}.py", {}) for script in before}
    for path in sorted(sources.folder.rglob("*.py")):
        name, text = path.relative_to(sources.folder).as_posix(), path.read_bytes()
        path.write_bytes(text + b"\n# another word\n")
        after = script_digests(sources, monkeypatch)
        path.write_bytes(text)
        assert {script for script in before if after[script] != before[script]} == {
            script for script in before if name in closures[script]
        }, name


def test_imports_are_those_that_python_itself_follows(sources):
    for script, files in importers(sources.folder).items():
        ours = digests.imported_files(sources, f"{script}.py", {})
        assert files <= ours, f"{script} imports {sorted(files - ours)}"
        # More than Python's own list are only the packages that load their modules by name, and what these import.
        packages = {path for path in ours if sources.read(path).loads_its_modules}
        assert ours == files or packages, f"{script} does not import {sorted(ours - files)}"


def test_one_item_set_depends_on_its_own_loader_only(sources):
    files = digests.imported_files(sources, "data/write_items.py", {"benchmarks": "pandalm"})
    assert "judgemerge/data/benchmarks/pandalm.py" in files
    assert "judgemerge/data/benchmarks/autoj.py" not in files
    demo = digests.imported_files(sources, "data/write_items.py", {"benchmarks": "demo"})
    assert {"judgemerge/prompting/dimensions.py", "judgemerge/data/benchmarks/meld_training.py"} <= demo


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("import os.path", ["os.path"]),
        ("from judgemerge.core import files, items as i", ["judgemerge.core.files", "judgemerge.core.items"]),
        ("def f():\n    from judgemerge.evaluate.metrics import kappa", ["judgemerge.evaluate.metrics.kappa"]),
        ("if TYPE_CHECKING:\n    import torch\nelse:\n    import numpy", ["numpy"]),
        ("try:\n    import tomllib\nexcept ImportError:\n    import tomli", ["tomli", "tomllib"]),
    ],
)
def test_import_statements(text, names):
    assert digests.parse(text.encode()).imports == names


def test_what_was_read_is_read_again_when_it_changes_and_only_then(sources, monkeypatch):
    digests.imported_files(sources, "judge/parse_replies.py", {})
    sources.save()
    parsed = []
    monkeypatch.setattr(digests, "parse", lambda text: parsed.append(text) or digests.Source("", [], False))
    again = digests.Sources(sources.folder, sources.cache)
    digests.imported_files(again, "judge/parse_replies.py", {})
    assert not parsed
    (sources.folder / "judgemerge/prompting/parsing.py").write_text("import os\n")
    again = digests.Sources(sources.folder, sources.cache)
    digests.imported_files(again, "judge/parse_replies.py", {})
    assert parsed == [b"import os\n"]


def test_a_broken_cache_is_made_anew(sources):
    sources.cache.write_text("{")
    assert digests.Sources(sources.folder, sources.cache).read("judge/parse_replies.py").imports


def rules_with_scripts():
    """Return (file, rule, script, the script that its digest is of) of every rule that runs a script."""
    for path in RULES:
        for block in re.split(r"(?m)^(?=(?:use )?rule )", path.read_text("utf-8")):
            script = re.search(r'"\.\./scripts/([\w/]+)\.py"', block)
            if script:
                digest = re.search(
                    r'code=(?:(?:script_digest|CONTENTS\.digest|CONTENTS\.first_page_digest)\("([\w/]+)"|of\(([\w.]+))',
                    block,
                )
                yield path.name, script[1], digest and (digest[1] or digest[2])


def test_every_cheap_rule_runs_again_when_its_code_changes_and_no_expensive_one():
    rules, of_members = list(rules_with_scripts()), {"item_sets.code", "suites.recorded_code"}
    assert len(rules) > 60
    wrong = [
        (file, script, digest)
        for file, script, digest in rules
        if digest not in ({None} if Path(script).name in EXPENSIVE else {script, *of_members})
    ]
    assert not wrong
    assert {Path(script).name for _, script, digest in rules if not digest} == EXPENSIVE


def test_scripts_are_read_without_being_run():
    before = set(sys.modules)
    digests.script_digest.__wrapped__("judge/judge_suite")
    assert not {"torch", "pandas", "numpy"} & (set(sys.modules) - before)
    assert isinstance(ast.parse(""), ast.Module)
