"""`python -m tests.fuzz.guided [--seconds 600] [PARSER ...]`: the search led by what code an input reaches, by atheris.

Needs `pip install atheris==3.0.0` (Linux, Python 3.11 to 3.13). Each parser is searched in a process of its own, since
libFuzzer ends it; what breaks one is kept where `python -m tests.fuzz` keeps it.
"""

from __future__ import annotations

import argparse
import contextlib
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from random import Random

SEEDS = 100  # documents to begin with
DONE = re.compile(r"stat::number_of_executed_units:\s*(\d+)")
ENDED = "ended."  # how what ends libFuzzer itself begins: too slow, too large, a crash of the process
REACHED = re.compile(r"cov: (\d+) ft: (\d+)")


def main() -> int:
    """A line for each parser: inputs, the code they reached, what broke."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("parsers", nargs="*")
    options.add_argument("--seconds", type=int, default=600)
    options.add_argument("--in", dest="folder", help=argparse.SUPPRESS)  # this is the process of one parser
    asked = options.parse_args()
    if asked.folder:
        search(asked.parsers[0], Path(asked.folder), asked.seconds)
    from tests.fuzz.parsers import PARSERS  # not before: what is loaded already is not followed

    broken = total = 0
    for name in asked.parsers or PARSERS:
        with tempfile.TemporaryDirectory() as folder:
            run = [sys.executable, "-m", "tests.fuzz.guided", name, "--seconds", str(asked.seconds), "--in", folder]
            said = subprocess.run(run, capture_output=True, text=True, check=False)
            found = [line for line in said.stdout.splitlines() if line.startswith(name)]
            found += [ended(name, path) for path in sorted(Path(folder).glob(f"{ENDED}[!s]*-*"))]
        number = [int(n) for n in DONE.findall(said.stderr)]
        reached = REACHED.findall(said.stderr)
        if not number:
            print(f"{name}: {said.stderr.strip().splitlines()[-1:]}", flush=True)
        else:
            print(
                f"{number[0]:9,} {name}: {reached[-1][0] if reached else '?'} places reached",
                *found,
                sep="\n  ",
                flush=True,
            )
        total, broken = total + sum(number), broken + len(found) + (not number)
    print(f"{total:9,} in all, {broken} kinds of failure")
    return int(bool(broken))


def ended(name: str, path: Path) -> str:
    """Keep an input that ended the search, unless it was only slow."""
    from tests.fuzz.__main__ import keep

    kind = path.name.removeprefix(ENDED).partition("-")[0]
    return keep(name, path.read_bytes(), f"{name} ended by {kind}")


def search(name: str, folder: Path, seconds: int) -> None:
    """Search one parser; does not return."""
    import atheris

    with atheris.instrument_imports(include=["ttc_core"]):
        from tests.fuzz.__main__ import broke
        from tests.fuzz.making import made
        from tests.fuzz.parsers import tried

        first = [made(name, Random(seed)) for seed in range(SEEDS)]
        for seed, raw in enumerate(first):
            (folder / str(seed)).write_bytes(raw)
        with contextlib.suppress(Exception):
            tried(name, made(name, Random(0)))  # loads what is loaded late
    seen: set[str] = set()

    def once(raw: bytes) -> None:
        try:
            tried(name, raw)
        except Exception as error:
            broke(name, raw, error, seen)

    limits = [
        f"-max_total_time={seconds}",
        f"-artifact_prefix={folder}/{ENDED}",
        f"-max_len={max(8192, *map(len, first[:10]))}",  # or documents that are right would be cut
        "-timeout=30",
        "-rss_limit_mb=4096",
        "-print_final_stats=1",
    ]
    atheris.Setup([sys.argv[0], *limits, str(folder)], once)
    atheris.Fuzz()


if __name__ == "__main__":
    raise SystemExit(main())
