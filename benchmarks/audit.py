"""`python -m benchmarks.audit`: are vulnerabilities known of the versions in constraints.txt? Asks PyPI, by pip-audit.

Exit code 1 where some are. Where PyPI cannot be asked, or does not know a package, that is said and is no failure.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from ttc_core.settings import REPOSITORY

COMMAND = [
    "pip_audit",
    "-r",
    "constraints.txt",
    "--no-deps",
    "--disable-pip",
    "--progress-spinner",
    "off",
    "-f",
    "json",
]
SECONDS = 300


def main() -> int:
    """Print what was found."""
    try:
        said = subprocess.run(
            [sys.executable, "-m", *COMMAND],
            check=False,
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
        found = json.loads(said.stdout)["dependencies"]
    except subprocess.TimeoutExpired:
        return unknown(f"no answer within {SECONDS} s")
    except (ValueError, KeyError):
        return unknown((said.stderr.strip().splitlines() or ["pip-audit said nothing"])[-1])
    return told(found)


def told(found: list[dict[str, Any]]) -> int:
    """Print a line for each vulnerability, and how many packages were looked up; 1 where there is one."""
    known = [one for one in found if "skip_reason" not in one]
    bad = [(one, of) for one in known for of in one["vulns"]]
    for one, of in bad:
        mended = ", ".join(of.get("fix_versions") or ["no version yet"])
        print(f"{one['name']} {one['version']}: {of['id']}, mended in {mended}")
    print(f"{len(bad)} vulnerabilities in {len(known)} packages; {len(found) - len(known)} could not be looked up")
    return int(bool(bad))


def unknown(why: str) -> int:
    """Say that nothing is known."""
    print(f"nothing could be looked up: {why}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
