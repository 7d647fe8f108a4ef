"""Auto-J (Li et al. 2024, arXiv:2310.05470): the pairwise test set, and the training rows for grading one answer.

pairwise: 58 scenarios with 24 pairs each. Truth: the human `label`, 0 = first, 1 = second, 2 = tie (373 of 1392);
single votes are not released. Tie is a class. Published measures: agreement (right in both orders) and consistency,
each per scenario group; no F1 is published. The category is the scenario group of the paper, the scenario itself is in
`extra`. There are 1182 distinct prompts; prompts that are equal after folding case and white space share a cluster
(1179 of them). Two rows are exact duplicates and are kept.

pairwise with `options: {form: training}`: the pairs that Auto-J was trained on, each with GPT-4's critique as
explanation. Truth: the human `gt_label`; a row whose critique decides otherwise is left out and counted. With `compat:
original`, as in myendless1/llm-as-a-judge, every row stays and the critique's decision is the truth that is learnt.

pointwise: 960 rows of training data. Truth: `pred_score`, GPT-4's rating from 1 to 10 (not people's). A row holds the
whole request to the judge; query and response are cut out of it. The scenario of many rows is just "default".
"""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from judgemerge.core.items import Item
from judgemerge.data.benchmarks import Entry
from judgemerge.data.benchmarks._explanations import both_orders, renamed
from judgemerge.data.benchmarks._rows import checked_options, counted_rows, item_of

CLASS_OF = {0: "first", 1: "second", 2: "tie"}
GROUPS = {
    "Summarization": "post_summarization text_summarization note_summarization",
    "Exam Questions": "math_reasoning solving_exam_question_with_math solving_exam_question_without_math",
    "Code": "code_simplification code_generation explaining_code code_correction_rewriting code_to_code_translation",
    "Rewriting": "text_simplification language_polishing instructional_rewriting text_correction paraphrasing",
    "Creative Writing": "writing_song_lyrics writing_social_media_post writing_blog_post writing_personal_essay "
    "creative_writing writing_advertisement writing_marketing_materials writing_presentation_script counterfactual",
    "Functional Writing": "writing_product_description writing_job_application writing_news_article writing_biography "
    "writing_email writing_legal_document writing_technical_document writing_scientific_paper functional_writing "
    "writing_cooking_recipe",
    "General Communication": "asking_how_to_question open_question analyzing_general explaining_general seeking_advice "
    "recommendation value_judgement verifying_fact chitchat roleplay planning brainstorming",
    "NLP Tasks": "ranking text_to_text_translation data_analysis classification_identification title_generation "
    "question_generation reading_comprehension keywords_extraction information_extraction topic_modeling others",
}
GROUP_OF = {scenario: group for group, scenarios in GROUPS.items() for scenario in scenarios.split()}
PAIR = re.compile(
    r"\[Query\]:(.*?)\n\*\*\*\n\[Response 1\]:(.*?)\n\*\*\*\n\[Response 2\]:(.*)\n\*\*\*\n\[END DATA\]", re.DOTALL
)
DECISION = re.compile(
    r"final decision is (?:that )?(neither response 1 nor response 2|response [12]|tie)\b", re.IGNORECASE
)
DECIDED = {"response 1": "first", "response 2": "second", "tie": "tie", "neither response 1 nor response 2": "tie"}
REQUEST = re.compile(r"\[Query\]: (.*?)\n\*\*\*\n\[Response\]: (.*)\n\*\*\*\n\[END DATA\]", re.DOTALL)


def load(paths: dict[str, Path], spec: Entry, counts: Counter) -> Iterator[Item]:
    """Yield the items of role `rows`: pairs, or single answers when the protocol is pointwise; counts rows.

    In training pairs it also counts those whose critique decides otherwise than people, or not at all.
    """
    if spec.protocol == "pointwise":
        return _training(paths, spec, counts)
    options = checked_options(spec, form=("test", "training"), compat=("original",))
    return (_training_pairs if options.get("form") == "training" else _pairs)(paths, spec, counts)


def _training(paths: dict[str, Path], spec: Entry, counts: Counter) -> Iterator[Item]:
    for row in counted_rows(paths, counts):
        request = REQUEST.search(row.get("usrmsg"))
        if request is None:
            raise row.error("field 'usrmsg' has no [Query] followed by a [Response]")
        about = {"category": row.get("source_dataset"), "extra": {"scenario": row.get("scenario")}}
        yield item_of(row, spec, request[1], (request[2],), truth=row.get("pred_score", float), **about)


def _training_pairs(paths: dict[str, Path], spec: Entry, counts: Counter) -> Iterator[Item]:
    original = spec.options.get("compat") == "original"
    for row in counted_rows(paths, counts):
        request, critique = PAIR.search(row.get("usrmsg")), row.get("target_output").strip()
        if request is None:
            raise row.error("field 'usrmsg' has no [Query] followed by [Response 1] and [Response 2]")
        prompt, *responses = (text.strip() for text in request.groups())
        truth, decided = CLASS_OF[row.get("gt_label", int, CLASS_OF)], _decision(critique)
        counts.update(critique_undecided=decided is None)
        counts.update(critique_against_people=decided not in (None, truth))
        if decided is None or not original and decided != truth:
            continue
        yield item_of(
            row,
            spec,
            prompt,
            responses,
            protocol="pairwise",
            truth=decided,
            category=row.get("source_dataset") if "source_dataset" in row.data else None,
            extra={"scenario": row.data.get("scenario"), "human": truth, **both_orders(renamed(critique))},
        )


def _decision(critique: str) -> str | None:
    """Return what the last decision sentence of a critique says, None when there is none."""
    decisions = DECISION.findall(critique)
    return DECIDED[decisions[-1].lower()] if decisions else None


def _pairs(paths: dict[str, Path], spec: Entry, counts: Counter) -> Iterator[Item]:
    for row in counted_rows(paths, counts):
        prompt, scenario = row.get("prompt"), row.get("scenario", str, GROUP_OF)
        yield item_of(
            row,
            spec,
            prompt,
            (row.get("response 1"), row.get("response 2")),
            protocol="pairwise",
            truth=CLASS_OF[row.get("label", int, CLASS_OF)],
            category=GROUP_OF[scenario],
            extra={"scenario": scenario},
        )
