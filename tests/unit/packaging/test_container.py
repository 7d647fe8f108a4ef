"""The container definition holds what Snakemake makes of the environments of all rules, and their scripts."""

import re

import make_container


def test_every_environment_and_its_script_is_in_the_container(repository):
    text = make_container.with_scripts(make_container.containerized(make_container.environments()))
    used = {f"envs/{path.name}" for path in (repository / "envs").glob("*.yaml")}
    copied = dict(re.findall(r"(?m)^COPY (envs/\S+) (/conda-envs/\w+)/", text))
    assert used == {name for name in copied if name.endswith(".yaml")}
    for name in used:
        script = name.replace(".yaml", ".post-deploy.sh")
        assert copied.get(script) == (copied[name] if (repository / script).exists() else None)
