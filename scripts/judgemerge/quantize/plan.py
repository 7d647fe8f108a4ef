"""What a study's quantizations are made from and compared with, by the name of the quantization."""

from functools import cached_property

from judgemerge.prompting.prompts import load_template
from judgemerge.quantize import quantizing
from judgemerge.study.study import Study


class QuantizationPlan:
    """The quantizations of one study, as their rules ask about them."""

    def __init__(self, study: Study):
        """Answer from the settings of `study`."""
        self.study = study

    def parent(self, quantization: str) -> str:
        """Return the model that a quantization is made from."""
        return self.study.quantizations[quantization].model

    def type(self, quantization: str) -> str:
        """Return its type, by llama.cpp's full name."""
        return quantizing.type_of(self.study.quantizations[quantization].type)

    def context(self, _: str) -> int:
        """Return the window that a served judge needs: the longest prompt that is judged, and the longest reply."""
        prompts = self.study.catalogues.prompts
        replies = [load_template(prompts[name]).max_new_tokens for name in self.study.prompts_used]
        return self.study.settings.judging.max_prompt_tokens + max(replies, default=0)

    @cached_property
    def parents(self) -> dict[str, str]:
        """Judge → the model it is made from, for judges that are quantizations and for the models they are made from.

        A model that is not quantized is its own parent and comes first.
        """
        judges = self.study.judges
        quantized = {judge: self.parent(judge) for judge in judges if judge in self.study.quantizations}
        return {judge: judge for judge in judges if judge in quantized.values()} | quantized

    @cached_property
    def judges(self) -> dict[str, list[str]]:
        """The judges that are compared, by benchmark that a quantization answers."""
        by_benchmark = {
            benchmark: [judge for judge in self.parents if judge in self.study.judges_of(benchmark)]
            for benchmark in self.study.benchmarks
        }
        quantized = set(self.study.quantizations)
        return {benchmark: judges for benchmark, judges in by_benchmark.items() if quantized & set(judges)}

    @property
    def units(self) -> list[dict]:
        """What is compared, as a rule hands it on."""
        return [
            quantizing.Unit(benchmark, self.study.suite_of(benchmark), judges)._asdict()
            for benchmark, judges in self.judges.items()
        ]

    @property
    def verdicts(self) -> list[tuple[str, str]]:
        """(judge, benchmark) of every unit, in the order of the units."""
        return [(judge, benchmark) for benchmark, judges in self.judges.items() for judge in judges]

    @property
    def timings(self) -> list[tuple[str, str]]:
        """(judge, suite) of the jobs that judged those benchmarks."""
        return sorted({(judge, self.study.suite_of(benchmark)) for judge, benchmark in self.verdicts})
