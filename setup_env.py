"""Make the virtual environment that runs everything here: python3 setup_env.py [--with quantize page gpu] [--check]

Installs torch in the build that suits this machine, then requirements.lock, then a placeholder for torchaudio, and
proves with one import that training can start. Needs the standard library only. A second call returns at once; after a
change of the lock the environment is made anew beside the old one, which stays usable until the new one is complete.
pip checks the checksum of every file but torch's, whose build depends on the machine.
--with adds what few need, see OPTIONAL. --alone vllm makes .venv-vllm, a second environment for judging with vLLM,
whose packages do not fit beside the others; --alone site makes .venv-site, which builds the documentation. --check
makes nothing: it says whether there is an environment to work with.
"""

import argparse
import contextlib
import fcntl
import hashlib
import importlib.util
import json
import os
import platform
import shutil
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent
LOCK = ROOT / "requirements.lock"
STUB = ROOT / "tools" / "torchaudio_stub.py"

OLDEST, NEWEST = (3, 11), (3, 13)  # as pyproject.toml says; an older Python could not read that file
TORCH_CPU_INDEX = "https://download.pytorch.org/whl/cpu"
SMOKE_TEST = "import llamafactory.train.tuner"
# Groups that are installed on request only, and what proves that they work. llama-cpp-python is built from source.
OPTIONAL = {
    "quantize": "import llama_cpp",
    "page": "import streamlit, sacrebleu; from rouge_score import rouge_scorer",
    "gpu": "import deepspeed, bitsandbytes",
}
# What has an environment of its own: where, and what proves that it works.
ALONE = {
    "vllm": (".venv-vllm", "import vllm, jsonschema; from transformers import AutoTokenizer, GenerationMixin"),
    "site": (".venv-site", "import material.plugins.search.plugin, mkdocs.commands.build"),
}
WITH_CPU_LOCK = ("vllm",)  # of ALONE: another package where there is no GPU
WITHOUT_TORCH = ("site",)  # of ALONE: no torch goes with it
UNFINISHED = ".judgemerge-unfinished"


class SetupError(Exception):
    """Carries one sentence for the user."""


# --- deciding --------------------------------------------------------------------------------------------------------


def check_python(version):
    """Raise when this Python is too old or too new; `version` is like sys.version_info."""
    if not OLDEST <= tuple(version[:2]) <= NEWEST:
        raise SetupError(
            f"setup_env.py: Python {version[0]}.{version[1]} cannot run this project, which needs 3.11, 3.12 or 3.13; "
            "call it with one of these, for example `python3.11 setup_env.py` or `make PYTHON=python3.11`."
        )


def has_nvidia_driver():
    """Tell whether this machine has an NVIDIA driver, on whichever path it shows itself."""
    return Path("/proc/driver/nvidia/version").exists() or shutil.which("nvidia-smi") is not None


def choose_build(wish, system, machine, nvidia):
    """Return `cpu` or `default` for a wish of auto, cpu or default.

    PyPI's torch for Linux is a CUDA build of gigabytes; its torch for macOS is a CPU build already.
    """
    if system != "Linux":
        return "default"
    if wish == "auto":
        return "cpu" if machine == "x86_64" and not nvidia else "default"
    return wish


def lock_alone(group, wish, system, nvidia):
    """Return the lock of an environment of its own: vLLM is another package for machines without a GPU of NVIDIA's."""
    if group not in WITH_CPU_LOCK:
        return ROOT / f"requirements-{group}.lock"
    has_gpu = system == "Linux" and (nvidia if wish == "auto" else wish == "default")
    return ROOT / f"requirements-{group}{'' if has_gpu else '-cpu'}.lock"


def has_torch(lock):
    """Tell whether a lock has torch, being for one build of it alone."""
    return "\ntorch==" in lock.read_text()


def needs_torch(group, lock):
    """Tell whether torch has to be installed before the lock of a group of ALONE."""
    return group not in WITHOUT_TORCH and not has_torch(lock)


def room(group, lock):
    """Return about how much room an environment takes on disk."""
    if group in WITHOUT_TORCH:
        return "100 MB"
    return "10 GB" if lock and has_torch(lock) else "2 GB"


def torch_version():
    """Return the version of torch that pyproject.toml pins."""
    import tomllib  # Python 3.11 has it; check_python() has spoken before

    for requirement in tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]["llm"]:
        if requirement.startswith("torch=="):
            return requirement[len("torch==") :]
    raise SetupError("pyproject.toml: group 'llm' does not pin torch; add a line such as \"torch==2.13.0\".")


# --- remembering what is done ----------------------------------------------------------------------------------------


def stamp_path(folder, lock=None):
    """Return the file whose presence says that `folder` holds what the lock asks for."""
    digest = hashlib.sha256((lock or LOCK).read_bytes() + STUB.read_bytes()).hexdigest()[:16]
    return folder / (".judgemerge-" + digest)


def stamp_text(folder, build):
    """Return what the stamp must hold: scripts in an environment carry its path, so a moved one is a broken one."""
    return json.dumps({"torch": build, "folder": str(folder), "checkout": str(ROOT)}) + "\n"


def stamps(folder):
    """Return what the stamps in `folder` say, whichever lock they are of; one that was cut short says nothing."""
    paths = folder.glob(".judgemerge-*")
    return [read_stamp(path) for path in paths if not path.name.startswith(".judgemerge-with-")]


def read_stamp(path):
    """Return what one stamp says; nothing where it is empty or was cut short."""
    try:
        content = json.loads(path.read_bytes())
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def is_ready(folder, build, lock=None):
    """Tell whether nothing is left to do; `build` may be several, any of which will do."""
    stamp = stamp_path(folder, lock)
    if not (folder / "bin/python").exists() or not stamp.exists():
        return False
    content = read_stamp(stamp)
    here = os.path.realpath(content.get("folder", "")) == os.path.realpath(folder)
    return here and content.get("torch") in build.split()


def fitting_builds(wish, build):
    """Return the builds that need not be replaced: the CUDA build also runs without a GPU, on a login node say."""
    return f"{build} default" if wish == "auto" else build


def check_folder(folder):
    """Raise when `folder` holds something that somebody else made, or made for another place or checkout."""
    if os.path.lexists(folder) and not folder.is_dir():
        raise SetupError(f"{folder}: is no folder; move it elsewhere, or name another place with --venv.")
    if not folder.is_dir() or not any(folder.iterdir()):
        return
    contents = stamps(folder)
    if not contents:
        raise SetupError(
            f"{folder}: was not made by setup_env.py and is left alone; move it elsewhere, or name another folder with "
            "--venv."
        )
    for stamp in contents or [{}]:
        place = stamp.get("folder", folder)
        if os.path.realpath(place) != os.path.realpath(folder):
            raise SetupError(
                f"{folder}: was made as {place}, so its scripts do not work here; remove it, or name another folder "
                "with --venv."
            )
        # Earlier versions did not say whose an environment is; one beside this file is ours.
        owner = stamp.get("checkout", folder.parent)
        if os.path.realpath(owner) != str(ROOT):
            raise SetupError(
                f"{folder}: belongs to {owner} and is not what this checkout needs; bring it up to date there, or "
                "name another folder with --venv."
            )


def clear(folder):
    """Empty `folder` and mark it as unfinished, so that an interruption at any moment is recognised later."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / UNFINISHED).touch()
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.name != UNFINISHED:
            path.unlink()


# --- doing -----------------------------------------------------------------------------------------------------------


def python_in(folder, *arguments, quiet=False, variables=None):
    """Run the environment's Python, deaf to PYTHONPATH and the like, and return whether it succeeded."""
    streams = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL} if quiet else {}
    command, environment = [str(folder / "bin/python"), "-I", *arguments], {**os.environ, **(variables or {})}
    try:
        return subprocess.run(command, env=environment, **streams).returncode == 0
    except OSError:  # it is not there, or nothing that can be started
        return False


def pip(folder, *arguments, quiet=False, variables=None):
    """Run pip in the environment with the user's own pip configuration; return whether it succeeded."""
    options = ["--disable-pip-version-check", "--no-input", "-qq"]
    return python_in(folder, "-m", "pip", *arguments, *options, quiet=quiet, variables=variables)


def create(folder, prompt):
    """Make an empty environment with pip in it; `prompt` is what a shell shows once it is activated."""
    if importlib.util.find_spec("ensurepip") is None:
        raise SetupError("setup_env.py: this Python lacks ensurepip; on Debian `apt-get install python3-venv` first.")
    venv.EnvBuilder(with_pip=True, symlinks=True, prompt=prompt).create(folder)


def install_torch(folder, build):
    """Install torch alone: what it needs in turn is in the lock."""
    version = torch_version()
    requirement = f"torch=={version}+cpu" if build == "cpu" else f"torch=={version}"
    # A CUDA build needs the NVIDIA packages, which the lock does not have because they depend on the build.
    command = ["install", requirement, *(["--no-deps"] if build == "cpu" else [])]
    # An index that cannot be reached costs pip eight seconds a package, so PyTorch's own is asked only if need be.
    if build == "cpu" and not pip(folder, "install", "--dry-run", "--no-deps", requirement, quiet=True):
        command += ["--extra-index-url", TORCH_CPU_INDEX]
    print(f"Installing {requirement} ...", flush=True)
    if not pip(folder, *command):
        way_out = "; or try `python3 setup_env.py --torch default`" if build == "cpu" else ""
        raise SetupError(f"{requirement}: pip could not install it; mend what it says above and call again{way_out}.")


def install_lock(folder, lock=None, variables=None):
    """Install everything else, exactly as locked: a file with another checksum is refused."""
    lock = lock or LOCK
    n_packages = sum("==" in line for line in lock.read_text().splitlines())
    print(f"Installing {n_packages} packages from {lock.name} ...", flush=True)
    if not pip(folder, "install", "--no-deps", "--require-hashes", "-r", str(lock), variables=variables):
        raise SetupError(f"{lock.name}: pip could not install it; mend what it says above and call again.")


def install_stub(folder):
    """Put the placeholder for torchaudio beside the packages."""
    (packages,) = (folder / "lib").glob("python3.*/site-packages")
    shutil.copyfile(STUB, packages / "torchaudio.py")


def smoke_test(folder, code=SMOKE_TEST):
    """Import what fails first when torch and the rest do not fit together."""
    print("Trying it ...", flush=True)
    if not python_in(folder, "-c", code):
        raise SetupError(f"{folder}: `{code}` fails in the new environment; report what it says above.")


def optional_lock(group):
    """Return the file with what an optional group adds to the lock."""
    return ROOT / f"requirements-{group}.lock"


def optional_stamp(folder, group):
    """Return the file whose presence says that an optional group is installed as its lock asks."""
    return folder / f".judgemerge-with-{group}-{hashlib.sha256(optional_lock(group).read_bytes()).hexdigest()[:16]}"


def build_variables():
    """Return the environment variables in which packages that come as source are built; the user's own come last."""
    import tomllib

    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["judgemerge"]["build"]
    ours = {name: value for variables in settings.values() for name, value in variables.items()}
    return {name: f"{value} {os.environ.get(name, '')}".strip() for name, value in ours.items()}


def add(folder, group):
    """Install an optional group into a finished environment, and stamp it once it is proven to work."""
    lock = optional_lock(group)
    print(f"Adding {group} to {folder}: ", end="", flush=True)
    install_lock(folder, lock, build_variables())
    if not python_in(folder, "-c", OPTIONAL[group]):
        raise SetupError(f"{folder}: `{OPTIONAL[group]}` fails now; report what it says above.")
    optional_stamp(folder, group).touch()


def fill(folder, build, prompt):
    """Make a whole environment in `folder` and prove that it works."""
    clear(folder)
    create(folder, prompt)
    install_torch(folder, build)
    install_lock(folder)
    install_stub(folder)
    smoke_test(folder)


def fill_alone(folder, build, prompt, group, lock):
    """Make a whole environment of a group that has one for itself."""
    clear(folder)
    create(folder, prompt)
    if needs_torch(group, lock):
        install_torch(folder, build)
    install_lock(folder, lock)
    smoke_test(folder, ALONE[group][1])


def relocate(fresh, folder):
    """Make the scripts of an environment that was made as `fresh` those of `folder`, where it will lie."""
    old, new = os.fsencode(fresh), os.fsencode(folder)
    for path in [fresh / "pyvenv.cfg", *(fresh / "bin").glob("*"), *(fresh / "share").rglob("*")]:
        if path.is_file() and not path.is_symlink():
            content = path.read_bytes()
            if old in content and b"\0" not in content:
                path.write_bytes(content.replace(old, new))


def swap(fresh, folder, works):
    """Put `fresh` in the place of `folder`, whose content is removed once `works(folder)` is true of the new one."""
    old = beside(folder, "old")
    if folder.exists():
        folder.rename(old)
    try:
        fresh.rename(folder)
        if not works(folder):
            raise SetupError(f"{folder}: the new environment's own scripts do not start; report what it says above.")
    except BaseException:
        if folder.exists():
            folder.rename(fresh)
        if old.exists():
            old.rename(folder)
        raise
    if old.exists():
        shutil.rmtree(old)


def beside(folder, what):
    """Return the place of the `new` or the `old` environment while one is replaced by the other."""
    return folder.with_name(f"{folder.name}.setup-{what}")


def restore(folder):
    """Put the old environment back when a call was killed just between the two steps of `swap`."""
    old = beside(folder, "old")
    if old.exists() and not folder.exists():
        old.rename(folder)
    elif old.exists():
        shutil.rmtree(old)


def check_folder_beside(folder):
    """Raise when the place that a new or an old environment needs for a while is taken by something else."""
    if not os.path.lexists(folder) or folder.is_dir() and not folder.is_symlink() and not any(folder.iterdir()):
        return  # an empty one was left by a call that was killed
    if folder.is_symlink() or not any(folder.glob(".judgemerge-*")):
        raise SetupError(f"{folder}: is in the way and was not made by setup_env.py; move it elsewhere.")


@contextlib.contextmanager
def only_one(folder):
    """Hold a lock on `folder` as long as the block runs; it ends with the process, however that ends."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # a file system without locks
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise SetupError(f"{folder}: another call of setup_env.py is making it; wait for that one.") from None
        yield
    finally:
        os.close(descriptor)


def scripts_start(folder):
    """Tell whether a script of the environment starts, which it does only in the place it was made for."""
    script = next(path for path in (folder / "bin/snakemake", folder / "bin/pip") if path.exists())
    return subprocess.run([str(script), "--version"], stdout=subprocess.DEVNULL).returncode == 0


def make(folder, build, group=None, lock=None):
    """Make the environment anew beside the old one, prove that it works, stamp it and put it in the old one's place.

    With a group of ALONE it is that group's, from its lock.
    """
    check_folder(folder)
    fresh = beside(folder, "new")
    check_folder_beside(fresh)
    check_folder_beside(beside(folder, "old"))
    print(f"Making {folder}: a few minutes and about {room(group, lock)}, once.", flush=True)
    fresh.mkdir(parents=True, exist_ok=True)
    with only_one(fresh):
        try:
            restore(folder)
            if group:
                fill_alone(fresh, build, folder.name, group, lock)
            else:
                fill(fresh, build, folder.name)
            relocate(fresh, folder)
            (fresh / UNFINISHED).write_text(stamp_text(folder, build))
            (fresh / UNFINISHED).rename(stamp_path(fresh, lock))
            swap(fresh, folder, scripts_start)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)


def missing_group(folder, groups):
    """Return the first of the optional groups that the environment does not have, None when it has all."""
    for group in groups:
        if not optional_stamp(folder, group).exists() and not python_in(folder, "-c", OPTIONAL[group], quiet=True):
            return group
    return None


def check(folder, builds, groups):
    """Raise when there is no environment to work with; return a sentence about one that is out of date, else None."""
    ready = is_ready(folder, builds)
    if not ready and not python_in(folder, "-c", "import snakemake", quiet=True):
        raise SetupError(f"{folder}: there is no environment that works; make it with `make venv`.")
    group = missing_group(folder, groups)
    if group:
        raise SetupError(f"{folder}: the environment lacks what this needs; add it with `make venv-{group}`.")
    return None if ready else outdated(folder)


def outdated(folder):
    """Return a sentence about an environment that works and is not what the lock asks for."""
    try:
        check_folder(folder)
    except SetupError as error:
        return f"{error} Until then it is used as it is."
    return f"{folder}: is not what {LOCK.name} asks for; `make venv` brings it up to date."


def bring_about(folder, wish, build, groups):
    """Make the environment and add the optional groups, as far as they are not there."""
    if not is_ready(folder, fitting_builds(wish, build)):
        make(folder, build)
        print(f"Ready: {folder}")
    for group in groups:
        if not optional_stamp(folder, group).exists():
            add(folder, group)


def bring_about_alone(folder, build, group, lock):
    """Make the environment of a group that has one for itself, unless it is there."""
    build = build if needs_torch(group, lock) else "default"
    if not is_ready(folder, build, lock):
        make(folder, build, group, lock)
        print(f"Ready: {folder}")


def main(arguments=None):
    """Read the command line and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--venv", help="folder to make (default: .venv beside this file; --alone vllm: .venv-vllm)")
    parser.add_argument(
        "--torch",
        choices=["auto", "cpu", "default"],
        default="auto",
        help="default: PyPI's build; cpu: PyTorch's CPU build; auto: cpu on Linux x86-64 without an NVIDIA driver",
    )
    parser.add_argument(
        "--with",
        dest="groups",
        nargs="+",
        choices=sorted(OPTIONAL),
        default=[],
        help="also install: quantize, GGUF files and their judge (built here, takes a C++ compiler); page, the "
        "browser; gpu, DeepSpeed and 4-bit bases",
    )
    parser.add_argument("--alone", choices=sorted(ALONE), help="make the environment that this one has for itself")
    parser.add_argument("--check", action="store_true", help="make nothing; say what there is to make, if anything")
    options = parser.parse_args(arguments)
    # On clusters .venv is often a link to a larger disk: what counts is the folder behind it.
    place = options.venv or ROOT / (ALONE[options.alone][0] if options.alone else ".venv")
    folder = Path(os.path.realpath(place))
    build = choose_build(options.torch, platform.system(), platform.machine(), has_nvidia_driver())
    try:
        if options.check:
            remark = check(folder, fitting_builds(options.torch, build), options.groups)
            if remark:
                print(remark, file=sys.stderr)
        elif options.alone:
            check_python(sys.version_info)
            lock = lock_alone(options.alone, options.torch, platform.system(), has_nvidia_driver())
            bring_about_alone(folder, build, options.alone, lock)
        else:
            check_python(sys.version_info)
            bring_about(folder, options.torch, build, options.groups)
    except SetupError as error:
        print(error, file=sys.stderr)
        return 1
    except OSError as error:
        print(f"{error.filename or folder}: {error.strerror}; the old environment is as it was.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(
            "setup_env.py: interrupted; what was there before is as it was, call it again to start over.",
            file=sys.stderr,
        )
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
