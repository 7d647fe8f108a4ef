"""The container definition is what Snakemake makes of today's rules and environments."""

import re
import subprocess
import sys


def test_the_container_definition_is_up_to_date(repository):
    command = [sys.executable, "tools/make_container.py", "--check"]
    process = subprocess.run(command, cwd=repository, capture_output=True, text=True)
    assert process.returncode == 0, process.stdout[-3000:] + process.stderr


def test_every_environment_and_its_script_is_in_the_container(repository):
    text = (repository / "containers" / "Dockerfile").read_text(encoding="utf-8")
    rules = "".join(path.read_text(encoding="utf-8") for path in (repository / "rules").glob("*.smk"))
    used = set(re.findall(r'"\.\./(envs/\w+\.yaml)"', rules))
    copied = dict(re.findall(r"(?m)^COPY (envs/\S+) (/conda-envs/\w+)/", text))
    assert used == {name for name in copied if name.endswith(".yaml")}
    for name in used:
        script = name.replace(".yaml", ".post-deploy.sh")
        assert copied.get(script) == (copied[name] if (repository / script).exists() else None)
