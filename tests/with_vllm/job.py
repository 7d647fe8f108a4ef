"""A job of rule judge_suite without Snakemake, in the Python that runs this: `python job.py DESCRIPTION.json`.

The rule's own script runs, its end included: the log, what a failing judge leaves, the timing.
"""

import json
import runpy
import sys
from pathlib import Path
from types import SimpleNamespace

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"


class Files(list):
    """Paths by place and by name, as Snakemake has them."""

    timing = property(lambda self: self[1])


class Parameters(SimpleNamespace):
    """Parameters by name, of which some may be missing."""

    def get(self, name: str, default: object = None) -> object:
        """Return a parameter, or `default`."""
        return getattr(self, name, default)


def run(job: dict) -> None:
    """Run the script on a job: `folder`, `model`, `items`, `prompts`, and what differs from the defaults below."""
    folder = Path(job["folder"])
    snakemake = SimpleNamespace(
        log=[str(folder / "job.log")],
        input=SimpleNamespace(
            manifest=job["manifest"], model=job["model"], item_sets=job["items"], prompts=job["prompts"]
        ),
        output=Files([str(folder / "replies.jsonl"), str(folder / "timing.json")]),
        wildcards=SimpleNamespace(suite="suite"),
        threads=1,
        resources=SimpleNamespace(batch_tokens=job.get("batch_tokens", 4096), judge_gpus=job.get("gpus", 0)),
        params=Parameters(
            backend=job["backend"],
            sources=None,
            categories={},
            store=str(folder / "store"),
            dtype="float32",
            max_prompt_tokens=job.get("max_prompt_tokens", 1000),
            sampling=job.get("sampling", {}),
            chat={},
        ),
    )
    script = SCRIPTS / "judge" / "judge_suite.py"
    runpy.run_path(str(script), {"snakemake": snakemake}, run_name="__main__")


# Without a guard, as scripts that Snakemake runs: whoever imports this as the main module runs the job again.
run(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
