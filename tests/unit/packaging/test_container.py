"""The container definition holds what Snakemake makes of the environments of all rules, and their scripts."""

import re

import make_container


def test_every_environment_and_its_script_is_in_the_container(repository):
    text = make_container.with_scripts(make_container.containerized())
    rules = "".join(path.read_text(encoding="utf-8") for path in (repository / "rules").glob("*.smk"))
    used = set(re.findall(r'"\.\./(envs/\w+\.yaml)"', rules))
    copied = dict(re.findall(r"(?m)^COPY (envs/\S+) (/conda-envs/\w+)/", text))
    assert used == {name for name in copied if name.endswith(".yaml")}
    for name in used:
        script = name.replace(".yaml", ".post-deploy.sh")
        assert copied.get(script) == (copied[name] if (repository / script).exists() else None)
