"""Rows of raw files that nobody here can fetch, in the shape of the real ones: what `stand_ins` writes.

Every function returns the rows of one file; those for single rows are also what tests of the loaders read.
"""

import random
from collections.abc import Iterator, Sequence

SUBJECTS = (
    "a fruit",
    "a prime",
    "a river",
    "a poem",
    "a loop",
    "a colour",
    "an island",
    "a bridge",
    "a proof",
    "a bird",
)
VERBS = ("Name", "Describe", "Explain", "Compare", "Summarise", "Translate", "Draw", "Question")
WORDS = [
    "the",
    "a",
    "of",
    "and",
    "in",
    "is",
    "it",
    "that",
    "was",
    "for",
    "on",
    "as",
    "with",
    "by",
    "at",
    "from",
    "which",
    "this",
    "are",
    "be",
    "has",
    "had",
    "not",
    "but",
    "or",
    "an",
    "were",
    "they",
    "one",
    "all",
    "stone",
    "water",
    "light",
    "garden",
    "number",
    "answer",
    "reason",
    "table",
    "window",
    "morning",
    "paper",
    "train",
    "music",
    "letter",
    "story",
    "river",
    "bridge",
    "quick",
    "small",
    "early",
    "green",
    "plain",
    "right",
    "wrong",
    "short",
    "clear",
    "whole",
    "never",
    "often",
    "again",
    "between",
    "because",
    "however",
    "therefore",
]
SCORES = (1, 2, 3, 4, 5)
CATEGORIES = (
    "casual conversation", "coding", "math", "nlp task", "professional knowledge", "reasoning", "roleplay", "writing"
)  # fmt: skip


def _random(*names: object) -> random.Random:
    return random.Random(" ".join(map(str, names)))


def sentence(*names: object, n_words: int = 9) -> str:
    """Return a sentence of no meaning, the same for the same names."""
    drawn = _random("sentence", *names)
    return f"{' '.join(drawn.choice(WORDS) for _ in range(n_words))}.".capitalize()


def question(of: str, number: int) -> str:
    """Return a question that no other file and no other number has."""
    verb, subject = VERBS[number % len(VERBS)], SUBJECTS[number // len(VERBS) % len(SUBJECTS)]
    return f"{verb} {subject}, number {number} of {of}. {sentence(of, number, 'question', n_words=5)}"


# ---- Prometheus ----


def request(
    response: str = "Pear.",
    reference: str | None = "Apple.",
    instruction: str = "Name a fruit.",
    criterion: str = "Is it a fruit?",
) -> str:
    """Return a whole request of Prometheus: task, instruction, answer, reference, rubric."""
    shown = f"###Reference Answer (Score 5):\n{reference}\n\n" if reference else ""
    words = ("bad", "weak", "fair", "good", "great")
    rubric = "\n".join(f"Score {score}: It is {word}." for score, word in zip(SCORES, words, strict=True))
    return (
        "###Task Description:\nJudge it.\n\n"
        f"###The instruction to evaluate:\n{instruction}\n\n###Response to evaluate:\n{response}\n\n{shown}"
        f"###Score Rubrics:\n[{criterion}]\n{rubric}\n\n###Feedback: "
    )


def feedback(instruction: str, score: object, response: str | None = None) -> dict:
    """Return a row of the Feedback Collection; scores are texts there."""
    texts = {f"orig_score{n}_description": f"It is {n}." for n in SCORES}
    output = f"Worth {score}."
    answer = response or f"{instruction} answered at {score}"
    return {
        "orig_instruction": instruction, "orig_response": answer, "orig_reference_answer": "Best.",
        "orig_criteria": "Is it right?", "orig_score": str(score), "orig_feedback": output,
        "instruction": request(answer, "Best.", instruction, "Is it right?"), "output": f"{output} [RESULT] {score}",
        **texts,
    }  # fmt: skip


def preference(
    preferred: str = "A",
    feedback_text: str = "Response A is right, Response B is not.",
    instruction: str = "Why?",
    answers: Sequence[str] = ("Because.", "No."),
    scores: Sequence[int] = (5, 2),
) -> dict:
    """Return a row of the Preference Collection."""
    whole = request("{both}", "So.", instruction, "Is it right?").replace(
        "###Response to evaluate:\n{both}", f"###Response A:\n{answers[0]}\n\n###Response B:\n{answers[1]}"
    )
    return {
        "orig_instruction": instruction, "orig_response_A": answers[0], "orig_response_B": answers[1],
        "orig_reference_answer": "So.", "orig_criteria": "Is it right?", "orig_preference": preferred,
        "orig_feedback": feedback_text, "orig_score_A": str(scores[0]), "orig_score_B": str(scores[1]),
        "instruction": whole, "output": f"{feedback_text} [RESULT] {preferred}", "input": "",
    }  # fmt: skip


def request_pair(number: object, instruction: str = "Name a fruit.", **fields: object) -> dict:
    """Return a pair of requests that differ in the answer, the chosen one first."""
    chosen, rejected = (request(f"{word} {number}.", None, instruction) for word in ("Pear", "Stone"))
    return {"chosen_instruction": chosen, "rejected_instruction": rejected, **fields}


def feedback_collection(n_instructions: int = 200) -> list[dict]:
    """Return the Feedback Collection: an answer of every score to each instruction."""
    asked = [question("feedback", number) for number in range(n_instructions)]
    return [feedback(text, score, sentence(text, score)) for text in asked for score in SCORES]


def preference_collection(file: int, n_files: int, n_instructions: int = 200) -> list[dict]:
    """Return one of the files of the Preference Collection, in which either answer may be the better one."""
    made = []
    for number in range(file, n_instructions, n_files):
        text = question("preferences", number)
        answers = [sentence(text, name) for name in "AB"]
        for scores in ((5, 2), (1, 3)):
            better, worse = ("A", "B") if scores[0] > scores[1] else ("B", "A")
            said = f"Response {better} is right where Response {worse} is not. {sentence(text, 'why')}"
            made.append(preference(better, said, text, answers, scores))
    return made


def feedback_bench(n_instructions: int = 8) -> list[dict]:
    """Return Feedback Bench: requests with GPT-4's one score."""
    return [
        {"idx": number, "instruction": request(sentence(number, score), "Best.", question("bench", number)),
         "gpt4_score": score}
        for number in range(n_instructions)
        for score in SCORES
    ]  # fmt: skip


def flask(n_rows: int = 24) -> list[dict]:
    """Return FLASK: requests that people graded, several or one, and GPT-4 three times."""
    made = []
    for number in range(n_rows):
        drawn = _random("flask", number)
        people = [drawn.choice(SCORES) for _ in range(3)]
        made.append(
            {"idx": number // 4, "response_source": f"writer_{number % 4}",
             "instruction": request(sentence("flask", number), "Best.", question("flask", number // 4)),
             "gpt4_score": [drawn.choice(SCORES) for _ in range(3)], "human_score": people if number % 5 else people[0]}
        )  # fmt: skip
    return made


def biggen_row(number: int, writer: str = "writer_0", **fields: object) -> dict:
    """Return a row of BiGGen-Bench: an instance with its rubric, an answer, and who wrote it."""
    words = ("bad", "weak", "fair", "good", "great")
    descriptions = {f"score{n}_description": f"It is {word}." for n, word in zip(SCORES, words, strict=True)}
    capability = ("planning", "reasoning", "grounding")[number % 3]
    return {
        "id": f"{capability}_task_{number}", "capability": capability, "task": "task", "instance_idx": number,
        "system_prompt": "Be brief.", "input": question("biggen", number), "reference_answer": "Best.",
        "score_rubric": {"criteria": "Is it right?", **descriptions},
        "response": sentence("biggen", number, writer), "model_name": writer, **fields,
    }  # fmt: skip


def biggen(n_instances: int = 8, n_writers: int = 3) -> list[dict]:
    """Return answers to BiGGen-Bench that people and GPT-4 graded; of one in nine nobody's grade is there."""
    made = []
    for number in range(n_instances):
        for writer in range(n_writers):
            grade = 1 + (number + writer) % 5
            people = -1 if (number * n_writers + writer) % 9 == 8 else grade
            scores = {"human_score": people, "gpt4_score": max(1, grade - writer % 2), "gpt4_feedback": "So it is."}
            scores |= {"gpt4_04_turbo_score": grade, "claude_score": None if number == 3 else grade}
            scores |= {"prometheus_8x7b_score": [grade, None, 1], "prometheus_8x7b_bgb_score": [grade, -1, grade]}
            made.append(biggen_row(number, f"writer_{writer}", **scores))
    return made


def request_pairs(of: str, n_rows: int = 24, ties: bool = False) -> list[dict]:
    """Return pairs of requests, some of them ties where `ties` says so."""
    return [
        request_pair(f"{of} {number}", question(of, number), **({"tie": int(number % 6 == 0)} if ties else {}))
        for number in range(n_rows)
    ]


# ---- training sets of study `unified` ----

AUTOJ = (
    "You are assessing two submitted responses on a given user's query and judging which response is better or they "
    "are tied. Here is the data:\n\n[BEGIN DATA]\n***\n[Query]: {0}\n***\n[Response 1]: {1}\n***\n[Response 2]: {2}\n"
    "***\n[END DATA]\n\nHere are the instructions to assess and compare the two responses:\n\n1. Pinpoint the "
    "key factors.\n"
)
# What a critique decides, and what people said: agreeing, a tie in two wordings, against people, undecided.
AUTOJ_DECISIONS = (
    ("So, the final decision is Response 1.", 0),
    ("So, the final decision is Response 2. It is right.", 1),
    ("So, the final decision is Tie.", 2),
    ("So, the final decision is that neither Response 1 nor Response 2 is better.", 2),
    ("So, the final decision is Response 2.", 0),
    ("Response 1 it is.", 0),
)


def autoj_pairs(n_rows: int = 60) -> list[dict]:
    """Return Auto-J's training pairs; of six critiques one is against people, and one does not decide."""
    made = []
    for number in range(n_rows):
        decision, label = AUTOJ_DECISIONS[number % len(AUTOJ_DECISIONS)]
        text, answers = question("autoj", number), [sentence("autoj", number, n) for n in (1, 2)]
        critique = f"1. Response 1 names it, Response 2 does not. {sentence('critique', number)}\n2. {decision}"
        about = {"scenario": "default" if number % 4 else "verifying_fact", "source_dataset": "made up"}
        made.append(
            {"usrmsg": AUTOJ.format(text, *answers), "target_output": critique, "gt_label": label, "pred_label": label}
            | about
        )
    return made


PANDALM = (
    "Below are two responses for a given task. The task is defined by the Instruction{0}. Evaluate the responses and "
    "generate a reference answer for the task.\n\n### Instruction:\n{1}\n\n{2}### Response 1:\n{3}\n\n### Response 2:\n"
    "{4}\n\n### Evaluation:\n"
)


def pandalm_training(n_rows: int = 60) -> list[dict]:
    """Return PandaLM's training rows: with and without an input, ties, one in nine without a reference."""
    made = []
    for number in range(n_rows):
        verdict = ("1", "2", "Tie")[number % 3]
        has_input = number % 2 == 1
        parts = (
            " with an Input that provides further context" if has_input else "",
            question("pandalm", number),
            f"### Input:\n{sentence('input', number)}\n\n" if has_input else "",
            *(sentence("pandalm", number, n) for n in (1, 2)),
        )
        reference = "" if number % 9 == 8 else f"\n### Reference: {sentence('reference', number)}\n"
        output = (
            f"{verdict}\n\n### Reason: Response {number % 2 + 1} is clear. {sentence('reason', number)}\n{reference}"
        )
        made.append({"input_sequence": PANDALM.format(*parts), "output_sequence": output})
    return made


def gpt4_pairs(n_questions: int = 20) -> list[dict]:
    """Return FastChat's gpt-4_pair.jsonl: both games of pairs, second turns, references, ties and an error."""
    made = []
    for number in range(n_questions):
        asked = question("mtbench", number)
        for pair, models in enumerate((("alpha", "beta"), ("alpha", "gamma"), ("beta", "gamma"))):
            first, second = ("model_1", "tie", "model_2")[(number + pair) % 3], ("model_1", "error")[number % 7 == 6]
            answers = [sentence(asked, model) for model in models]
            games = [
                _game(asked, answers[::order], number, winner if order == 1 else second, order)
                for order, winner in ((1, first), (-1, second))
            ]
            made.append(_gpt4_row(81 + number, models, (first, second), games, 1))
        made.append(
            _gpt4_row(81 + number, ("alpha", "beta"), ("tie", "tie"), [("<|two turns|>", "Both. [[C]]")] * 2, 2)
        )
    return made


def _gpt4_row(number: int, models: Sequence[str], winners: Sequence[str], games: Sequence, turn: int) -> dict:
    (first_prompt, first_judgment), (second_prompt, second_judgment) = games
    return {
        "question_id": number, "model_1": models[0], "model_2": models[1], "g1_winner": winners[0],
        "g2_winner": winners[1], "judge": ["gpt-4", "pair-v2" if turn == 1 else "pair-v2-multi-turn"],
        "g1_user_prompt": first_prompt, "g1_judgment": first_judgment,
        "g2_user_prompt": second_prompt, "g2_judgment": second_judgment, "turn": turn, "tstamp": 1.0,
    }  # fmt: skip


def _game(asked: str, answers: Sequence[str], number: int, winner: str, order: int) -> tuple[str, str]:
    """Return prompt and judgment of one game; a letter says what GPT-4 saw first."""
    reference = "\n\n[The Start of Reference Answer]\nThis.\n[The End of Reference Answer]" if number % 2 else ""
    shown = "\n\n".join(
        f"[The Start of Assistant {letter}'s Answer]\n{text}\n[The End of Assistant {letter}'s Answer]"
        for letter, text in zip("AB", answers, strict=True)
    )
    letter = {"tie": "C", "error": ""}.get(winner) or "AB"[(winner == "model_2") == (order == 1)]
    verdict = "" if winner == "error" else f" [[{letter}]]"
    return f"[User Question]\n{asked}{reference}\n\n{shown}", f"Assistant A is short.{verdict}"


# ---- training sets of study `meld` ----


def meld_training(protocol: str, n_rows: int = 48) -> list[dict]:
    """Return MELD's training rows as LLaMA-Factory reads them; the judgment of one in twelve cannot be read."""
    return [meld_row(protocol, number) for number in range(n_rows)]


def meld_row(protocol: str, number: int) -> dict:
    """Return one such row: the whole prompt, and the judgment with a score per dimension."""
    asked, category = question(f"meld {protocol}", number), CATEGORIES[number % len(CATEGORIES)]
    names = ("Response 1", "Response 2") if protocol == "pairwise" else ("Response",)
    shown = "\n*** \n".join(f"[{name}]: {sentence(asked, name)}" for name in names)
    kind = "two submitted responses" if protocol == "pairwise" else "submitted response"
    text = (
        f"You are given the criteria to craft good responses for this type of query from users: \n{category} \n"
        f"The criteria are as follows: \n[Criteria start] \n1. Right: it is so.\n2. Clear: it is read at once.\n"
        f"[Criteria end]\n\nYou are assessing {kind} on a given user's query. Here is the data: \n[BEGIN DATA]\n*** \n"
        f"[Query]: {asked}\n*** \n{shown}\n*** \n[END DATA]\nScore every dimension from 1 to 10."
    )
    output = "I like it." if number % 12 == 11 else _meld_judgment(protocol, number)
    return {"instruction": text, "input": "", "output": output}


def _meld_judgment(protocol: str, number: int) -> str:
    scores = [1 + (number + shift) % 10 for shift in (0, 3)]
    listed = [f"'Right': {score}, 'Clear': {score}, 'Overall Score': {score}" for score in scores]
    said = f"Response A is right, B is not. {sentence('meld', number)}"
    if protocol == "pointwise":
        return (
            f"@@@Dimension Scores: {{{listed[0]}}}###Overall Score: {{{scores[0]}}}"
            f"&&&Detailed Evaluation Feedback: {{It is so. {sentence('meld', number)}}}***"
        )
    verdict = "Tie" if number % 5 == 0 else "A" if scores[0] > scores[1] else "B"
    return (
        f"@@@{{response A: Scores per dimension: [{listed[0]}]}}@@@{{response B: Scores per dimension: [{listed[1]}]}}"
        f"###Final Result: {{{verdict}}}&&&Detailed Evaluation Feedback: {{{said}}}***"
    )


# ---- preference sets of study `orpo` ----


def preferences(of: str, prompt: str, n_rows: int = 300) -> list[dict]:
    """Return pairs of conversations that part in the last answer; `prompt` is the column that repeats the question.

    Of ten rows one has a system message, three have several turns, one pair is equal, and one parts too early.
    """
    made = []
    for number in range(n_rows):
        asked, kind = question(of, number), number % 10
        talk = [_message("system", "Be brief.")] if kind == 0 else []
        if kind in (1, 2, 3):
            talk += [_message("user", f"First, {asked}"), _message("assistant", sentence(of, number, "earlier"))]
        talk += [_message("user", asked)]
        answers = [sentence(of, number, "chosen"), sentence(of, number, "rejected")]
        chosen = [*talk, _message("assistant", answers[0])]
        rejected = [*talk, _message("assistant", answers[0 if kind == 4 else 1])]
        if kind == 5:
            rejected = [*rejected, _message("user", "And?"), _message("assistant", "No.")]
        made.append({"source": f"part {number % 3}", "chosen": chosen, "rejected": rejected, prompt: asked})
    return made


def _message(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


def conversations(n_rows: int = 100) -> list[dict]:
    """Return conversations as FineTome has them: of one turn or two, some with a system message."""
    return [{"conversations": list(_talk(number)), "source": "made up", "score": 4.5} for number in range(n_rows)]


def _talk(number: int) -> Iterator[dict[str, str]]:
    if number % 10 == 0:
        yield {"from": "system", "value": "Be brief."}
    for turn in range(1 + number % 2):
        yield {"from": "human", "value": question("finetome", 2 * number + turn)}
        yield {"from": "gpt", "value": sentence("finetome", number, turn)}
