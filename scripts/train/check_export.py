"""Make checks/{expert}.export.json: the exported expert answers as base + adapter does, or the job fails."""

from judgemerge.core import files, imports
from judgemerge.core.logs import logged
from judgemerge.prompting.chat_templates import Chat
from judgemerge.train import checkpoints, exports

N_PROMPTS, N_CHARACTERS = 4, 2000  # a few are enough: a wrong scale or a missing layer shows in the first logits


def main(base: str, adapter: str, exported: str, rows: list[str], threads: int, report: str) -> None:
    """Compare on prompts of the expert's own training data."""
    imports.transformers()
    from transformers import AutoTokenizer

    chat = Chat(AutoTokenizer.from_pretrained(exported, trust_remote_code=False), exported)
    texts = [chat.render([{"role": "user", "content": row[:N_CHARACTERS]}]) for row in rows[:N_PROMPTS]]
    comparison = exports.compare(base, adapter, exported, texts, threads)
    exports.check(comparison, exported)
    files.write_json(report, comparison)


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        main(
            base=snakemake.input.model,
            adapter=checkpoints.chosen(snakemake.input.adapter, snakemake.input.choice),
            exported=snakemake.input.exported,
            rows=["\n".join(row["turns"]) for path in snakemake.input.item_sets for row in files.read_jsonl(path)],
            threads=snakemake.threads,
            report=snakemake.output[0],
        )
