"""How much is measured."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Size:
    """Numbers of problems, beams and repetitions. Ratios over more problems differ less from run to run."""

    name: str
    problems: int  # of the makespan, the scheduler's overhead and the searches compared with naive ones
    overhead_beams: int
    beams: tuple[int, ...]  # of the makespan; the first of all other searches
    few: int  # problems of the lock-step comparison
    naive: int  # of the problems, how many are really searched naively; the rest is extrapolated
    token_problems: int
    rounds: int  # repetitions of timings, of which the median counts
    batch: int  # rows of the engine against numpy's products
    decoded: int  # tokens of each row
    searches: int  # concurrent ones, for the memory
    work: int  # runs of the worker processes


FULL = Size("full", 64, 64, (16, 64), 32, 64, 32, 5, 256, 64, 1000, 192)
QUICK = Size("quick", 64, 64, (16, 64), 32, 4, 8, 3, 256, 24, 1000, 96)
TINY = Size("tiny", 2, 4, (4,), 2, 1, 1, 1, 8, 16, 4, 2)  # shows that all of it runs; its ratios mean nothing
SIZES = {size.name: size for size in (FULL, QUICK, TINY)}
