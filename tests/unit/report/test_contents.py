"""The report finds tables by their modules, and knows from the study alone what it holds and from which files."""

import subprocess
import sys

import pytest

from judgemerge.core.catalogues import load_yaml
from judgemerge.report.contents import Contents
from judgemerge.report.tables import TABLES
from judgemerge.study.load import load_study


@pytest.fixture
def demo(repository, monkeypatch):
    """Return what the report of the demo holds."""
    monkeypatch.chdir(repository)
    return Contents(load_study(load_yaml("config/config.yaml"), "config/config.yaml", "config"))


def test_the_snakefile_reads_all_tables_without_anything_heavy(repository):
    code = (
        "import sys; from judgemerge.report.tables import TABLES; TABLES.load_all();"
        "print([name for name in ('pandas', 'numpy', 'matplotlib', 'scipy') if name in sys.modules])"
    )
    folder = repository / "scripts"
    process = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True)
    assert process.stdout.strip() == "[]"


@pytest.mark.parametrize("name", TABLES.names)
def test_every_table_says_in_words_what_it_and_its_columns_are(name):
    table = TABLES.load(name).TABLE
    assert table.title and table.caption.endswith(".")
    assert table.columns and all(column.description for column in table.columns.values())
    assert all(figure.label and figure.caption.endswith(".") for figure in table.figures.values())


def test_a_study_has_the_tables_and_figures_that_it_has_data_for(demo):
    # At least these: a table of one's own is one module, and no list has it.
    assert set(demo.tables) >= {
        *("agreement", "bias", "comparisons", "humans", "items", "overlap", "replaceability", "replies", "training"),
        "merge_or_jury",
    }
    assert not set(demo.tables) & {
        "panels",
        "quantization",
        "published",
        "retrieval",
        "screening",
        "unified",
        "endpoints",
    }
    assert set(demo.tables) - set(demo.pages) == {"training"}
    assert {"items", "replaceability", "replies"} <= set(demo.tabulated)
    assert set(demo.figures) >= {
        *("accuracy", "consistency", "grading", "merges", "differences", "humans"),
        *("bias_position", "bias_length", "curves", "replaceability", "merge_or_jury"),
    }


def test_files_are_named_by_what_the_study_calls_them(demo):
    inputs = demo.table_inputs("replies")
    assert "results/demo/verdicts/ties/demo.jsonl" in inputs and len(inputs) == len(set(inputs))
    assert demo.suites("replies") == {"demo_pairwise": "demo", "demo_pointwise": "demo"}
    assert demo.figure_table("curves") == "results/demo/tables/training.csv"
    assert demo.page_inputs("bias") == ["results/demo/tables/agreement.csv"]
    assert {path.rpartition("/")[2] for path in demo.recorded()} >= {
        f"{name}.csv" for name in ("agreement", "bias", "comparisons", "humans")
    }


def test_the_record_of_the_run_names_models_sources_and_judges_that_may_fail(demo):
    assert {judge for judge, _ in demo.fallible_pairs()}.isdisjoint({"longer", "random", "majority"})
    assert ("ties", "demo_pairwise") in demo.fallible_pairs()
    assert "results/demo/models/ties.json" in demo.manifests()
    assert all(entry["url"] and entry["licence"] for entry in demo.sources().values())


def test_a_study_is_asked_for_its_tables_figures_checks_and_cards(demo):
    files = demo.files()
    assert len(files) == len(set(files)) and "results/demo/run.json" not in files
    assert "results/demo/tables/published.ok" not in files
    assert "results/demo/cards" in files
    for expert in demo.study.lora_experts:
        assert f"results/demo/checks/{expert}.export.json" in files


def test_published_numbers_are_checked_where_there_are_any(repository, monkeypatch):
    monkeypatch.chdir(repository)
    study = load_study(load_yaml("config/studies/replay.yaml"), "config/studies/replay.yaml", "config")
    assert f"results/{study.name}/tables/published.ok" in Contents(study).files()


def test_tables_with_parts_come_once_for_each(repository, monkeypatch):
    monkeypatch.chdir(repository)
    settings = load_yaml("config/studies/orpo.yaml") | {"scale": "tiny"}
    contents = Contents(load_study(settings, "config/studies/orpo.yaml", "config"))
    for search in contents.study.searches:
        assert contents.title(f"search_{search}") == f"Search {search}"
        tables = [f"results/orpo_tiny/tables/search_{search}.{part}.csv" for part in ("importance", "optimism", "test")]
        assert contents.page_inputs(f"search_{search}") == tables
        assert contents.figure_labels(f"search_{search}") == {"figure": f"Search {search}"}


def test_captions_of_figures_lead_to_their_table_in_the_explorer_where_there_is_one(demo, repository):
    caption = demo.figure_caption_in_report("accuracy")
    assert caption.startswith(demo.figure_caption("accuracy"))
    assert caption.endswith("`The numbers behind it, and their items <explorer.html#:agreement>`__")
    path = "config/studies/embedder.yaml"
    embedder = Contents(load_study({**load_yaml(path), "scale": "tiny"}, path, "config"))
    assert not embedder.has_explorer
    assert all(embedder.figure_caption_in_report(name) == embedder.figure_caption(name) for name in embedder.figures)


def test_first_page_and_pages_are_told_what_the_explorer_has(demo):
    first, page = demo.first_page_parameters(), demo.page_parameters("agreement")
    assert ("ties", "demo_pairwise") in first["explored"] and first["explored"] == page["explored"]
    assert first["page_of"]["agreement"] == "tables/agreement.html" and first["pictures"][0][3] == "agreement"
