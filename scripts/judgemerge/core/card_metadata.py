"""What the metadata at the top of cards share: a README.md of a model or a data set, as the Hugging Face hub reads it.

Written without huggingface_hub, which the environments that write cards do not have; tests read the cards with it.
"""

import re
from collections.abc import Mapping
from typing import Any

import yaml

# The licences that the hub knows by these names; any other is `other`, with a name of its own.
HUB_LICENCES = {
    "afl-3.0", "agpl-3.0", "apache-2.0", "artistic-2.0", "bigcode-openrail-m", "bigscience-bloom-rail-1.0",
    "bigscience-openrail-m", "bsd", "bsd-2-clause", "bsd-3-clause", "bsd-3-clause-clear", "bsl-1.0", "c-uda", "cc",
    "cc-by-2.0", "cc-by-2.5", "cc-by-3.0", "cc-by-4.0", "cc-by-nc-2.0", "cc-by-nc-3.0", "cc-by-nc-4.0",
    "cc-by-nc-nd-3.0", "cc-by-nc-nd-4.0", "cc-by-nc-sa-2.0", "cc-by-nc-sa-3.0", "cc-by-nc-sa-4.0", "cc-by-nd-4.0",
    "cc-by-sa-3.0", "cc-by-sa-4.0", "cc0-1.0", "cdla-permissive-1.0", "cdla-permissive-2.0", "cdla-sharing-1.0",
    "creativeml-openrail-m", "deepfloyd-if-license", "ecl-2.0", "epl-1.0", "epl-2.0", "etalab-2.0", "eupl-1.1",
    "eupl-1.2", "gemma", "gfdl", "gpl", "gpl-2.0", "gpl-3.0", "h-research", "isc", "lgpl", "lgpl-2.1", "lgpl-3.0",
    "lgpl-lr", "llama2", "llama3", "llama3.1", "llama3.2", "llama3.3", "llama4", "lppl-1.3c", "mit", "mpl-2.0",
    "ms-pl", "ncsa", "odbl", "odc-by", "ofl-1.1", "open-mdw", "openrail", "openrail++", "osl-3.0", "pddl",
    "postgresql", "unknown", "unlicense", "wtfpl", "zlib",
}  # fmt: skip
OTHER_NAMES = {"odbl-1.0": "odbl", "odc-by-1.0": "odc-by", "pddl-1.0": "pddl", "gpl-3.0-only": "gpl-3.0"}
OTHER_NAMES |= {"mit license": "mit", "apache license 2.0": "apache-2.0", "apache 2.0": "apache-2.0"}


def licence_fields(licence: str | None) -> dict[str, str]:
    """Return the fields of a card that say a licence, given by its SPDX name, its address or in words."""
    if not licence:
        return {}
    name = OTHER_NAMES.get(licence.lower(), licence.lower())
    if name in HUB_LICENCES:
        return {"license": name}
    if "://" in licence:
        return {"license": "other", "license_name": "see-link", "license_link": licence}
    return {"license": "other", "license_name": re.sub(r"[^a-z0-9.+-]+", "-", name).strip("-")}


def head(metadata: Mapping[str, Any]) -> list[str]:
    """Return the lines that a card begins with."""
    text = yaml.safe_dump(dict(metadata), sort_keys=False, allow_unicode=True, width=120)
    return ["---", *text.rstrip().split("\n"), "---", ""]
