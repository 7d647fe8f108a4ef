"""Make the virtual environment that runs everything here: python3 setup_env.py [--with quantize page]

Installs torch in the build that suits this machine, then requirements.lock, then a placeholder for torchaudio, and
proves with one import that training can start. Needs the standard library only. A second call returns at once; after a
change of the lock, or an interrupted call, the environment is made anew. --with adds what few need, see OPTIONAL.
"""

import argparse
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
OPTIONAL = {"quantize": "import llama_cpp, gguf", "page": "import streamlit"}
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


def torch_version():
    """Return the version of torch that pyproject.toml pins."""
    import tomllib  # Python 3.11 has it; check_python() has spoken before

    for requirement in tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]["llm"]:
        if requirement.startswith("torch=="):
            return requirement[len("torch==") :]
    raise SetupError("pyproject.toml: group 'llm' does not pin torch; add a line such as \"torch==2.13.0\".")


# --- remembering what is done ----------------------------------------------------------------------------------------


def stamp_path(folder):
    """Return the file whose presence says that `folder` holds what the lock asks for."""
    digest = hashlib.sha256(LOCK.read_bytes() + STUB.read_bytes()).hexdigest()[:16]
    return folder / (".judgemerge-" + digest)


def stamp_text(folder, build):
    """Return what the stamp must hold: scripts in an environment carry its path, so a moved one is a broken one."""
    return json.dumps({"torch": build, "folder": str(folder)}) + "\n"


def is_ready(folder, build):
    """Tell whether nothing is left to do."""
    stamp = stamp_path(folder)
    return (folder / "bin/python").exists() and stamp.exists() and stamp.read_text() == stamp_text(folder, build)


def check_folder(folder):
    """Raise when `folder` holds something that somebody else made."""
    if folder.is_dir() and any(folder.iterdir()) and not any(folder.glob(".judgemerge-*")):
        raise SetupError(f"{folder}: was not made by setup_env.py; remove it, or name another folder with --venv.")


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
    return subprocess.run(command, env=environment, **streams).returncode == 0


def pip(folder, *arguments, quiet=False, variables=None):
    """Run pip in the environment with the user's own pip configuration; return whether it succeeded."""
    options = ["--disable-pip-version-check", "--no-input", "-qq"]
    return python_in(folder, "-m", "pip", *arguments, *options, quiet=quiet, variables=variables)


def create(folder):
    """Make an empty environment with pip in it."""
    if importlib.util.find_spec("ensurepip") is None:
        raise SetupError("setup_env.py: this Python lacks ensurepip; on Debian `apt-get install python3-venv` first.")
    venv.EnvBuilder(with_pip=True, symlinks=True).create(folder)


def install_torch(folder, build):
    """Install torch alone: what it needs in turn is in the lock."""
    version = torch_version()
    wanted = f"torch=={version}+cpu" if build == "cpu" else f"torch=={version}"
    # A CUDA build needs the NVIDIA packages, which the lock does not have because they depend on the build.
    command = ["install", wanted, *(["--no-deps"] if build == "cpu" else [])]
    # An index that cannot be reached costs pip eight seconds a package, so PyTorch's own is asked only if need be.
    if build == "cpu" and not pip(folder, "install", "--dry-run", "--no-deps", wanted, quiet=True):
        command += ["--extra-index-url", TORCH_CPU_INDEX]
    print(f"Installing {wanted} ...", flush=True)
    if not pip(folder, *command):
        way_out = "; or try `python3 setup_env.py --torch default`" if build == "cpu" else ""
        raise SetupError(f"{wanted}: pip could not install it; mend what it says above and call again{way_out}.")


def install_lock(folder):
    """Install everything else, exactly as locked."""
    n_packages = sum("==" in line for line in LOCK.read_text().splitlines())
    print(f"Installing {n_packages} packages from {LOCK.name} ...", flush=True)
    if not pip(folder, "install", "--no-deps", "-r", str(LOCK)):
        raise SetupError(f"{LOCK.name}: pip could not install it; mend what it says above and call again.")


def install_stub(folder):
    """Put the placeholder for torchaudio beside the packages."""
    (packages,) = (folder / "lib").glob("python3.*/site-packages")
    shutil.copyfile(STUB, packages / "torchaudio.py")


def smoke_test(folder):
    """Import what fails first when torch and the rest do not fit together."""
    print("Trying it ...", flush=True)
    if not python_in(folder, "-c", SMOKE_TEST):
        raise SetupError(f"{folder}: `{SMOKE_TEST}` fails in the new environment; report what it says above.")


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
    print(f"Adding {group} to {folder} from {lock.name} ...", flush=True)
    if not pip(folder, "install", "--no-deps", "-r", str(lock), variables=build_variables()):
        raise SetupError(f"{lock.name}: pip could not install it; mend what it says above and call again.")
    if not python_in(folder, "-c", OPTIONAL[group]):
        raise SetupError(f"{folder}: `{OPTIONAL[group]}` fails now; report what it says above.")
    optional_stamp(folder, group).touch()


def make(folder, build):
    """Make the environment anew, and stamp it once it is proven to work."""
    check_folder(folder)
    print(f"Making {folder}: a few minutes and about 2 GB, once.", flush=True)
    clear(folder)
    create(folder)
    install_torch(folder, build)
    install_lock(folder)
    install_stub(folder)
    smoke_test(folder)
    (folder / UNFINISHED).write_text(stamp_text(folder, build))
    (folder / UNFINISHED).rename(stamp_path(folder))


def main(arguments=None):
    """Read the command line and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--venv", default=ROOT / ".venv", help="folder to make (default: .venv beside this file)")
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
        help="also install: quantize, GGUF files and their judge (built here, takes a C++ compiler); page, the browser",
    )
    options = parser.parse_args(arguments)
    try:
        check_python(sys.version_info)
        folder = Path(os.path.abspath(options.venv))
        build = choose_build(options.torch, platform.system(), platform.machine(), has_nvidia_driver())
        if not is_ready(folder, build):
            make(folder, build)
            print(f"Ready: {folder}")
        for group in options.groups:
            if not optional_stamp(folder, group).exists():
                add(folder, group)
    except SetupError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("setup_env.py: interrupted; call it again to start over.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
