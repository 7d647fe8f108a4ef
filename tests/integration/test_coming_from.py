"""Whoever comes from an original's README finds each of its commands; what stands beside it is executed by a test.

Commands between backquotes are run or planned by test_documented_commands.py; RUN_BY names the test that does the work
of the others, at tiny scale.
"""

import re
from pathlib import Path

import pytest
import yaml

from judgemerge.settings import study_file

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = "tests/integration/test_documented_commands.py::test_scripts_do_what_the_documents_say"
SMALL = "tests/integration/test_small_scales.py::test_smollm2_is_tuned_merged_and_judges"
PAGE = "tests/integration/test_judge_page.py"
STUDY = "tests/integration/test_pairs_from_grades_study.py"
# Beginning of a row's first cell → the test that executes what stands beside it.
RUN_BY = {
    "meld": {
        "`git clone …/LLaMA-Factory.git`": "tests/integration/test_documented_commands.py::test_make_knows",
        "`git clone …/Meta-Llama-3-8B-Instruct`": "tests/unit/data/test_hub.py",
        "`cp …/pairwise.json": "tests/unit/data/test_meld_training.py",
        "`bash scripts/train_pointwise.sh`": "tests/unit/train/test_training.py",
        "`bash scripts/merge_models.sh`": "tests/unit/train/test_exports.py",
        "`mergekit-yaml": COMMANDS,
        "llama.cpp's `convert_hf_to_gguf.py`": "tests/integration/test_quantization.py",
        "`pairwise_infer.py --model meld": COMMANDS,
        "`pointwise_infer.py": COMMANDS,
        "`--model all`": "tests/integration/test_workflow.py",
        "`pairwise_eval.py": "tests/unit/evaluate/test_published.py",
        "`ollama create": "tests/unit/quantize/test_deploying.py",
        "`streamlit run main.py`": f"{PAGE}::test_a_list_and_a_chat_the_whole_way",
    },
    "orpo": {
        '"Foundation LLMs"': "tests/unit/train/test_screening.py",
        '"Change Fine-tuning Architecture"': "tests/unit/train/test_orpo.py",
        "`ORPO_Unsloth_Example.ipynb`": "tests/unit/train/test_orpo.py",
        '"Tune Hyperparameters"': "tests/unit/search/test_searching.py",
        '"Evaluation": `judge.ipynb`': COMMANDS,
        '"ROUGE, BLEU': "tests/unit/page/test_page_overlap.py",
        '"User Interface"': f"{PAGE}::test_a_list_and_a_chat_the_whole_way",
    },
    "unified": {
        "`Data/make_raw_files_dir.sh`": "tests/unit/data/test_fetching.py",
        "`Data/scripts/process/": "tests/unit/evaluate/test_unified.py",
        "`Data/scripts/prompts/combine.py`": "tests/unit/evaluate/test_unified.py",
        "`Data/scripts/prompts/half_panda.py`": "tests/unit/evaluate/test_unified.py",
        "entry in `dataset_info.json`": "tests/unit/train/test_training.py",
        "folder `Models`": "tests/unit/data/test_hub.py",
        "`Train_scripts/*.sh`": SMALL,
        "`Configs/inference_chatglm.yaml`": SMALL,
        "`Configs/inference_chatglm_lora_sft.yaml`": "tests/unit/search/test_checkpoints.py",
        "`Test_scripts/judge_model.py`": COMMANDS,
        "`Test_scripts/test.py`": "tests/unit/evaluate/test_unified.py",
    },
    "prometheus": {
        "`pip install prometheus-eval`": "tests/integration/test_documented_commands.py::test_make_knows",
        "`PrometheusEval(": COMMANDS,
        "`single_relative_grade`": COMMANDS,
        "answers to a retrieved context": "tests/unit/prompting/test_published_texts.py::test_a_retrieved_context",
        "`SCORE_RUBRIC_TEMPLATE`": "tests/unit/judge/test_pairs_from_grades.py",
        "`LiteLLM`": "tests/integration/test_endpoint_study.py",
        "`MockLLM`": "tests/unit/judge/test_baselines.py",
        "`run_direct_assessment.py`": STUDY,
        "`prepare_dataset.py`": "tests/unit/data/test_prometheus.py",
        "`accelerate launch": "tests/unit/evaluate/test_unified.py",
        "mergekit, `merge_method: linear`": "tests/unit/merge/test_merging_methods.py",
        "`hf_merge.py": COMMANDS,
        "BiGGen-Bench: `run_chat_inference.py`": "tests/unit/compare/test_model_comparisons.py",
        "BiGGen-Bench: `run_response_eval.py`": "tests/unit/judge/test_recorded_biggen.py",
    },
}


def table_below(page, heading):
    """Return the rows of the table below a heading that begins so, cells as text."""
    text = (ROOT / f"docs/studies/{page}.md").read_text(encoding="utf-8")
    (section,) = re.findall(rf"(?ms)^## {heading}[^\n]*\n(.*?)(?=^## |\Z)", text)
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip("| "))] for line in lines[1:]]


@pytest.mark.parametrize("page", RUN_BY)
def test_each_counterpart_is_executed_by_a_test(page):
    rows = table_below(page, "If you come from")
    for cell, here in rows:
        tests = [test for begin, test in RUN_BY[page].items() if cell.startswith(begin)]
        assert len(tests) == 1 and here, cell
        path, _, name = tests[0].partition("::")
        assert f"def {name}" in (ROOT / path).read_text(encoding="utf-8") if name else (ROOT / path).is_file(), cell
    assert len(rows) == len(RUN_BY[page])


def test_each_parameter_of_the_seed_is_a_key_of_the_study():
    keys = {
        cell: here for cell, here in table_below("embedder", "If you come from `finetune.py`") if cell.startswith("`")
    }
    assert len(keys) == 16
    properties = study_file.schema()["properties"]
    for cell, here in keys.items():
        for path in re.findall(r"`(embedding(?:\.\w+)+)", here):
            place = {"properties": properties}
            for name in path.split("."):
                options = [place, *place.get("oneOf", [])]
                place = next((one["properties"][name] for one in options if name in one.get("properties", {})), None)
                assert place is not None, f"{cell}: {path}"


def test_the_readmes_experts_are_those_of_the_study():
    study = yaml.safe_load((ROOT / "config/studies/unified.yaml").read_text(encoding="utf-8"))
    assert study["experts"]["qlora"]["checkpoints"]["steps"][:3] == [400, 500, 1000]
    assert {"gemma_2b", "gemma_7b"} <= set(study["judges"])
