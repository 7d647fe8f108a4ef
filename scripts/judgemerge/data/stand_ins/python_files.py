"""Python files whose constants hold the words that judges were tuned on, in the shape of the real ones.

The names, the placeholders and the way they are written down (constants, f-strings in a class, calls with keyword
arguments) are those of the published files; what they say is ours, in a few words.
"""


def _constants(texts: dict[str, str]) -> str:
    return "\n\n".join(f'{name} = """{text}"""' for name, text in texts.items()) + "\n"


def _request(instruction: str, answers: str, rubric: str, reference: bool) -> str:
    shown = "###Reference Answer (Score 5):\n{reference_answer}\n\n" if reference else ""
    return (
        f"###Task Description:\nJudge it.\n\n###The instruction to evaluate:\n{{{instruction}}}\n\n{answers}\n\n{shown}"
        f"###Score Rubrics:\n{rubric}\n\n###Feedback: "
    )


_ONE, _TWO = "###Response to evaluate:\n{response}", "###Response A:\n{response_A}\n\n###Response B:\n{response_B}"


def prometheus_library() -> str:
    """Return the prompts of Prometheus' library: with and without a reference answer."""
    texts = {"ABS_SYSTEM_PROMPT": "You grade fairly.", "REL_SYSTEM_PROMPT": "You compare fairly."}
    for name, answers in (("ABSOLUTE", _ONE), ("RELATIVE", _TWO)):
        texts[f"{name}_PROMPT"] = _request("instruction", answers, "{rubric}", reference=True)
        texts[f"{name}_PROMPT_WO_REF"] = _request("instruction", answers, "{rubric}", reference=False)
    return _constants(texts)


def prometheus_evaluation() -> str:
    """Return the prompts of the paper's own evaluation."""
    return _constants(
        {
            "ABS_SYSTEM_PROMPT": "You grade fairly.",
            "REL_SYSTEM_PROMPT": "You compare fairly.",
            "ABSOLUTE_PROMPT": _request(
                "orig_instruction", "###Response to evaluate:\n{orig_response}", "{score_rubric}", reference=False
            ),
            "RELATIVE_PROMPT": _request("orig_instruction", _TWO, "{score_rubric}", reference=False),
        }
    )


def meld_inference(protocol: str) -> str:
    """Return MELD's inference script: the prompt is an f-string in a loop, in whose form braces are doubled."""
    answers = "{response1} | {response2}" if protocol == "pairwise" else "{response}"
    kind = "two submitted responses" if protocol == "pairwise" else "submitted response"
    return f"""
import package_that_is_not_there

class Evaluator:
    def evaluate(self, rows):
        for row in rows:
            prompt = f'''
                    You are assessing {kind} on a given user's query and judging. Here is the data:
                    [Query]: {{instruction}}
                    {answers}
                    {{category}} {{criteria}} {{{{'Overall Score': {{{{score}}}}}}}}
                '''
            prompt = f'''You are assessing something else'''
"""


def autoj() -> str:
    """Return Auto-J's prompts."""
    data, pair = "[BEGIN DATA]\n***\n[Query]: {prompt}\n***\n", "[Response 1]: {response}\n***\n[Response 2]: "
    return _constants(
        {
            "pairwise_tie": f"{data}{pair}{{response_another}}\n***\n[END DATA]",
            "single": f"{data}[Response]: {{response}}\n***\n[END DATA]",
        }
    )


def pandalm() -> str:
    """Return PandaLM's prompt: an f-string for tasks with an input, and one for those without."""
    return """
class PandaLMBatchInferenceProvider:
    def build(self, instruction, input, resp1, resp2):
        rsp = f"### Response 1:\\n{resp1}\\n\\n### Response 2:\\n{resp2}"
        if input:
            input_sequence = (
                f"### Instruction:\\n{instruction}\\n\\n### Input:\\n{input}\\n\\n{rsp}\\n\\n### Evaluation:\\n"
            )
        else:
            input_sequence = f"### Instruction:\\n{instruction}\\n\\n{rsp}\\n\\n### Evaluation:\\n"
        return input_sequence
"""


def flow_judge_prompts() -> str:
    """Return Flow-Judge's prompts: with and without inputs."""
    asked = "# EVALUATION CRITERIA\n{EVALUATION_CRITERIA}\n# RUBRIC\n{RUBRIC}\n# SCORE"
    return _constants(
        {
            "USER_PROMPT_TEMPLATE": f"# INPUTS\n{{INPUTS}}\n# OUTPUT\n{{OUTPUT}}\n{asked}",
            "USER_PROMPT_NO_INPUTS_TEMPLATE": f"# OUTPUT\n{{OUTPUT}}\n{asked}",
        }
    )


FLOW_JUDGE_INPUTS = {
    "RESPONSE_CORRECTNESS": ["query", "reference_answer"],
    "RESPONSE_FAITHFULNESS": ["query", "context"],
    "RESPONSE_RELEVANCE": ["query", "context"],
}
FLOW_JUDGE_SCALES = {"BINARY": (0, 1), "3POINT": (1, 2, 3), "5POINT": (1, 2, 3, 4, 5)}


def flow_judge_metrics() -> str:
    """Return Flow-Judge's metrics: calls with keyword arguments, every kind on three scales."""
    return "\n".join(
        _flow_judge_metric(kind, scale, inputs, scores)
        for kind, inputs in FLOW_JUDGE_INPUTS.items()
        for scale, scores in FLOW_JUDGE_SCALES.items()
    )


def _flow_judge_metric(kind: str, scale: str, inputs: list[str], scores: tuple[int, ...]) -> str:
    rubric = "".join(f'\n        RubricItem(score={score}, description="It is {score}."),' for score in scores)
    return f"""
{kind}_{scale} = Metric(
    name="{kind.title()}",
    criteria="Is it so?",
    rubric=[{rubric}
    ],
    required_inputs={inputs!r},
    required_output="response",
)
"""
