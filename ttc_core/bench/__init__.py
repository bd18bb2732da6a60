"""The performance ratios of the workbench, measured on this machine: `python -m ttc_core bench`.

One file a measurement, each a function from a `Size` to figures; `MEASUREMENTS` is the table of them, and all are taken
in one run. Times of work that one thread does are the process's own CPU seconds, so that a busy machine spoils no
ratio; only what several processes do is timed by the clock on the wall.
"""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable, Iterable
from typing import Any

from ttc_core.bench import engine, its_hub, judging, makespan, memory, overhead, processes, speed, tokens
from ttc_core.bench.sizes import Size

Figures = dict[str, Any]

MEASUREMENTS: dict[str, Callable[[Size], Figures]] = {
    "makespan": makespan.measure,
    "tokens": tokens.measure,
    "overhead": overhead.measure,
    "speed": speed.measure,
    "its_hub": its_hub.measure,
    "engine": engine.measure,
    "judging": judging.measure,
    "processes": processes.measure,
    "memory": memory.measure,
}


def run(size: Size, only: Iterable[str] = (), tell: Callable[[str], None] = lambda line: None) -> Figures:
    """All figures in one flat dictionary; None with a reason under `skipped` where something could not be measured.

    only: names of measurements, all by default. tell: hears the name of each as it begins.
    """
    figures: Figures = {"size": size.name, "processors": os.cpu_count(), "load_before": os.getloadavg()[0]}
    seconds: dict[str, float] = {}
    for name in only or MEASUREMENTS:
        tell(f"{name} ...")
        begun = time.monotonic()
        figures |= MEASUREMENTS[name](size)
        gc.collect()
        seconds[name] = round(time.monotonic() - begun, 1)
    return {**figures, "load_after": os.getloadavg()[0], "seconds": seconds}
