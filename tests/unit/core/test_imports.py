import gc
import subprocess
import sys

import pytest

from judgemerge.core import imports

LOADED = """
import sys
from judgemerge.core import imports
imports.transformers()
from transformers import AutoModelForCausalLM, AutoTokenizer, utils
print("sklearn" in sys.modules, utils.is_sklearn_available())
"""


@pytest.mark.parametrize("was_enabled", [True, False])
def test_nothing_is_collected_while_something_is_imported(was_enabled):
    (gc.enable if was_enabled else gc.disable)()
    try:
        with pytest.raises(ModuleNotFoundError), imports.quickly():
            assert not gc.isenabled()
            import no_such_package  # noqa: F401
        assert gc.isenabled() == was_enabled
    finally:
        gc.enable()


def test_models_are_there_without_scikit_learn_which_transformers_finds_later_all_the_same(repository, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(repository / "scripts"))
    process = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True)
    assert process.stdout.split() == ["False", "True"]
