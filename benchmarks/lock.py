"""`python -m benchmarks.lock`: requirements.txt with all below it, exact versions and SHA-256, on stdout.

What pip would install here and now, for this Python and platform alone: another one takes other wheels of the same
versions, which these sums refuse. `constraints.txt` therefore has none, and holds everywhere.
"""

from __future__ import annotations

import json
import platform
import subprocess
import sys

from ttc_core.settings import REPOSITORY

COMMAND = ["pip", "install", "-q", "--dry-run", "--ignore-installed", "--report", "-", "-r", "requirements.txt",
           "-c", "constraints.txt"]  # fmt: skip


def main() -> int:
    """Print the file."""
    run = [sys.executable, "-m", *COMMAND]
    said = subprocess.run(run, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    if said.returncode:
        print(said.stderr.strip(), file=sys.stderr)
        return 1
    python = f"{platform.python_implementation()} {sys.version_info.major}.{sys.version_info.minor}"
    machine = f"{platform.system()} {platform.machine()}"
    print(f"# For {python} on {machine} alone; made by `make lock`, installed by `make locked`.")
    print("\n".join(lines(json.loads(said.stdout))))
    return 0


def lines(report: dict[str, list[dict[str, dict[str, str]]]]) -> list[str]:
    """A line for each package of pip's report, sorted."""
    found = []
    for one in report["install"]:
        about, source = one["metadata"], one["download_info"]
        found.append(f"{about['name']}=={about['version']} --hash=sha256:{source['archive_info']['hashes']['sha256']}")  # type: ignore[index]
    return sorted(found, key=str.lower)


if __name__ == "__main__":
    sys.exit(main())
