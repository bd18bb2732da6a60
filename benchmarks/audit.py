"""`python -m benchmarks.audit`: are vulnerabilities known of the versions in constraints.txt? Asks PyPI, by pip-audit.

Exit code 0 where all packages were looked up and nothing is known of them, 1 where something is, 3 where PyPI gave no
answer about some or all of them and nothing is known of the others: that is no audit. With --or-skip that is said as
SKIPPED and is no failure, for machines that cannot reach PyPI.
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
NOT_AUDITED = 3  # exit code


def main() -> int:
    """Print what was found."""
    code = audit()
    if code == NOT_AUDITED and "--or-skip" in sys.argv[1:]:
        print("SKIPPED: the packages are NOT AUDITED, so nothing here says that they have no vulnerabilities")
        return 0
    return code


def audit() -> int:
    """Ask, print what was found, and return the exit code."""
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
    """Print a line for each vulnerability, and of how many packages nothing is known."""
    known = [one for one in found if "skip_reason" not in one]
    if not known:
        return unknown(f"PyPI gave no answer about any of {len(found)} packages")
    bad = [(one, of) for one in known for of in one["vulns"]]
    for one, of in bad:
        mended = ", ".join(of.get("fix_versions") or ["no version yet"])
        print(f"{one['name']} {one['version']}: {of['id']}, mended in {mended}")
    print(f"{len(bad)} vulnerabilities in {len(known)} of {len(found)} packages")
    if bad:
        return 1
    return unknown(f"PyPI gave no answer about {len(found) - len(known)} of them") if len(known) < len(found) else 0


def unknown(why: str) -> int:
    """Say that nothing, or not all, is known."""
    print(f"NOT AUDITED: {why}")
    return NOT_AUDITED


if __name__ == "__main__":
    sys.exit(main())
