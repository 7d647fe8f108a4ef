"""Auto-J (Li et al. 2024, arXiv:2310.05470): the pairwise test set, and the training rows for grading one answer.

pairwise: 58 scenarios with 24 pairs each. Truth: the human `label`, 0 = first, 1 = second, 2 = tie (373 of 1392);
single votes are not released. Tie is a class. Published measures: agreement (right in both orders) and consistency,
each per scenario group; no F1 is published. The category is the scenario group of the paper, the scenario itself is in
`extra`. There are 1182 distinct prompts; prompts that are equal after folding case and white space share a cluster
(1179 of them). Two rows are exact duplicates and are kept.

pointwise: 960 rows of training data. Truth: `pred_score`, GPT-4's rating from 1 to 10 (not people's). A row holds the
whole request to the judge; query and response are cut out of it. The scenario of many rows is just "default".
"""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from judgemerge.benchmarks._rows import cluster_of, read_rows
from judgemerge.items import Item

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
REQUEST = re.compile(r"\[Query\]: (.*?)\n\*\*\*\n\[Response\]: (.*)\n\*\*\*\n\[END DATA\]", re.DOTALL)


def load(paths: dict[str, Path], spec: dict, counts: Counter) -> Iterator[Item]:
    """Yield the items of role `rows`: test pairs, or training rows when the protocol is pointwise; counts rows."""
    return (_pairs if spec["protocol"] == "pairwise" else _training)(paths, spec, counts)


def _training(paths: dict[str, Path], spec: dict, counts: Counter) -> Iterator[Item]:
    for row in read_rows(paths["rows"]):
        counts["rows"] += 1
        request = REQUEST.search(row.get("usrmsg"))
        if request is None:
            raise row.error("field 'usrmsg' has no [Query] followed by a [Response]")
        yield Item(
            id=str(row.number),
            benchmark=spec["name"],
            protocol="pointwise",
            turns=(request[1],),
            responses=((request[2],),),
            truth=row.get("pred_score", float),
            category=row.get("source_dataset"),
            cluster=cluster_of(request[1]),
            origin={"source": spec["sources"]["rows"], "row": row.number},
            extra={"scenario": row.get("scenario")},
        )


def _pairs(paths: dict[str, Path], spec: dict, counts: Counter) -> Iterator[Item]:
    for row in read_rows(paths["rows"]):
        counts["rows"] += 1
        prompt, scenario = row.get("prompt"), row.get("scenario", str, GROUP_OF)
        yield Item(
            id=str(row.number),
            benchmark=spec["name"],
            protocol="pairwise",
            turns=(prompt,),
            responses=((row.get("response 1"),), (row.get("response 2"),)),
            truth=CLASS_OF[row.get("label", int, CLASS_OF)],
            category=GROUP_OF[scenario],
            cluster=cluster_of(prompt),
            origin={"source": spec["sources"]["rows"], "row": row.number},
            extra={"scenario": scenario},
        )
