"""`python -m tests.fuzz --minutes 10 [--seed 1] [PARSER ...]`: look for input that breaks a parser; keep what does.

What breaks one is written to tests/fuzz/corpus/<parser>/<digest>, where `test_parsers` tries it for ever after.
"""

from __future__ import annotations

import argparse
import hashlib
import time
import traceback
from collections import Counter
from pathlib import Path
from random import Random

from tests.fuzz.making import made
from tests.fuzz.parsers import PARSERS, tried

CORPUS = Path(__file__).with_name("corpus")
SLOW = 5.0  # seconds of one input that are too many


def main() -> int:
    """The number of inputs tried by parser, and what broke."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("parsers", nargs="*", default=list(PARSERS))
    options.add_argument("--minutes", type=float, default=10.0)
    options.add_argument("--seed", type=int, default=1)
    asked = options.parse_args()
    rng, counts = Random(asked.seed), Counter[str]()
    seen: set[str] = set()
    until = time.monotonic() + 60 * asked.minutes
    while time.monotonic() < until:
        for name in asked.parsers:
            raw, started = made(name, rng), time.monotonic()
            try:
                counts[f"{name}: {tried(name, raw)}"] += 1
            except Exception as error:
                broke(name, raw, error, seen)
            if time.monotonic() - started > SLOW:
                print(keep(name, raw, f"{name} took {time.monotonic() - started:.1f} s"), flush=True)
    for name, number in sorted(counts.items()):
        print(f"{number:8,} {name}")
    print(f"{counts.total():8,} in all, {len(seen)} kinds of failure")
    return int(bool(seen))


def broke(name: str, raw: bytes, error: Exception, seen: set[str]) -> None:
    """Keep an input that broke a parser in a way that is not yet among those seen."""
    where = traceback.extract_tb(error.__traceback__)[-1]
    key = f"{name} {type(error).__name__} {where.filename.rpartition('/')[2]}:{where.lineno}"
    if key not in seen:
        print(keep(name, raw, f"{key} {str(error)[:100]!r}"), flush=True)
    seen.add(key)


def keep(name: str, raw: bytes, said: str) -> str:
    """Put an input where the tests try it; returns what was said of it, with its place."""
    folder = CORPUS / name.replace(" ", "-").replace(".", "")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / hashlib.sha256(raw).hexdigest()[:12]
    path.write_bytes(raw)
    return f"{said}: {path.relative_to(CORPUS)}"


if __name__ == "__main__":
    raise SystemExit(main())
