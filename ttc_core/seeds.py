"""Seeds that depend on what is sampled, never on when or beside what."""

from __future__ import annotations

import hashlib


def derive(run_seed: int, problem_id: str, node_id: str) -> int:
    """64-bit seed for sampling `node_id` of a problem in a run; equal arguments give equal seeds anywhere."""
    text = f"{run_seed}\x1f{problem_id}\x1f{node_id}".encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little")
