"""`python -m benchmarks.sbom`: what the workbench runs with, as a CycloneDX 1.5 document on stdout.

The packages are those that requirements.txt asks for and what these ask for in turn, as installed here, each with
the SHA-256 of its own list of files. Exit code 1 where a licence is unknown or not one of
ALLOWED, which go with Apache 2.0.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from importlib import metadata
from typing import Any

from ttc_core.settings import REPOSITORY

ALLOWED = ("apache", "mit", "bsd", "isc", "psf", "python software foundation", "mozilla public license 2", "mpl-2",
           "unlicense", "zlib", "hpnd", "cc0", "0bsd", "historical permission")  # fmt: skip
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def main() -> int:
    """Print the document."""
    found = installed(asked())
    odd = [one["name"] for one in found if not allowed(licence(metadata.distribution(one["name"])))]
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": {"type": "application", "name": "ttc-workbench"}},
        "components": found,
    }
    print(json.dumps(document, indent=1))
    if odd:
        print(f"licences to look at: {', '.join(odd)}", file=sys.stderr)
    return int(bool(odd))


def asked() -> list[str]:
    """The packages of requirements.txt."""
    lines = (REPOSITORY / "requirements.txt").read_text("utf-8").splitlines()
    return [match[0] for line in lines if (match := NAME.match(line))]


def installed(names: list[str]) -> list[dict[str, Any]]:
    """These packages and all that they need here, by name."""
    components: dict[str, dict[str, Any]] = {}
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        key = re.sub(r"[-_.]+", "-", name).lower()
        if key in components:
            continue
        try:
            package = metadata.distribution(name)
        except metadata.PackageNotFoundError:  # for another platform or Python
            continue
        components[key] = component(key, package)
        for line in package.requires or ():
            if "extra ==" not in line and (match := NAME.match(line)):
                waiting.append(match[0])
    return [components[key] for key in sorted(components)]


def component(key: str, package: metadata.Distribution) -> dict[str, Any]:
    """One package."""
    files = (package.read_text("RECORD") or "").encode()
    return {
        "type": "library",
        "name": key,
        "version": package.version,
        "purl": f"pkg:pypi/{key}@{package.version}",
        "licenses": [{"license": {"name": licence(package)}}],
        "properties": [{"name": "sha256 of RECORD", "value": hashlib.sha256(files).hexdigest()}],
    }


def licence(package: metadata.Distribution) -> str:
    """Its licence in its own words, short."""
    about = package.metadata
    said = [about.get("License-Expression") or "", *(c.rpartition(":: ")[2] for c in about.get_all("Classifier") or ()
                                                     if c.startswith("License ::"))]  # fmt: skip
    short = (about.get("License") or "").strip().split("\n")[0]
    return next((one for one in [*said, short] if one), "")


def allowed(name: str) -> bool:
    """Whether a licence is one of those that go with ours."""
    return any(word in name.lower() for word in ALLOWED)


if __name__ == "__main__":
    sys.exit(main())
