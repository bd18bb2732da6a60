"""Memory with very many searches at once, in a process of its own: what is resident at most, and before they begin."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

from ttc_core.bench.sizes import Size

BEAMS = 4


def measure(size: Size) -> dict[str, Any]:
    """MiB resident at most while `searches` searches are under way together, scripted and on the bundled models."""
    figures: dict[str, Any] = {"memory_searches": size.searches}
    for kind in ("scripted", "embedded"):
        command = [sys.executable, "-m", "ttc_core.bench.memory", kind, str(size.searches)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        before, most = json.loads(done.stdout)
        figures |= {f"resident_mib_{kind}": most, f"resident_mib_{kind}_before": before}
    return figures


def _resident() -> float:
    """MiB resident at most so far; Linux counts in KiB, macOS in bytes."""
    status = Path("/proc/self/status")
    if status.exists():  # `getrusage` knows the peak of the process that started this one as well
        [peak] = [line.split()[1] for line in status.read_text("ascii").splitlines() if line.startswith("VmHWM")]
        return int(peak) / 2**10
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (2**20 if sys.platform == "darwin" else 2**10)


def main(kind: str, searches: int) -> None:
    """The process measured."""
    from ttc_core.backend import LocalBackend
    from ttc_core.bench.searches import ScriptedBackend, problems, scripted_problems, search, spec

    scripted = kind == "scripted"
    available = scripted_problems(searches) if scripted else problems(searches)
    asked = [available[i % len(available)] for i in range(searches)]
    specs = [spec(problem, "beam_search", BEAMS) for problem in asked]
    backend = ScriptedBackend(256) if scripted else LocalBackend()
    for name in (specs[0].model, *backend.verifier(specs[0].verifier).models):
        backend.engine(name)
    before = _resident()
    search(backend, specs, asked, max_active=searches)
    sys.stdout.write(json.dumps([before, _resident()]))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
