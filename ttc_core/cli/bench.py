"""The verb `bench`: a readable table or one JSON document, and what is measured right now on stderr."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from ttc_core.cli.shown import table, write_json, write_lines

SHOWN = {  # figure: (what it is, what it should be)
    "makespan_ratio": ("time of a study / least possible, steps of very different lengths", "at most 1.15"),
    "lockstep_makespan_ratio": ("the same for one problem at a time in lock-step", ""),
    "idle_with_work_fraction": ("lanes idle while there was work for them", "at most 0.05"),
    "prompt_token_ratio": ("prompt tokens computed / least possible", "1.00"),
    "verifier_token_ratio": ("verifier tokens computed / distinct step tokens", "1.00"),
    "wasted_fraction": ("tokens generated and never scored or used, the worst strategy", "at most 0.02"),
    "scheduler_overhead": ("time with a zero-latency engine / with the embedded engine", "at most 0.05"),
    "overhead_doubling": ("growth of it when the beams double", "at most 2.2"),
    "nodes_per_second_zero_latency": ("nodes a second with a zero-latency engine", ""),
    "speedup_vs_lockstep_1": ("against a lock-step loop, one problem", "at least 1"),
    "speedup_vs_lockstep_32": ("against a lock-step loop, 32 problems", "at least 3"),
    "speedup_vs_its_hub_1": ("against its-hub's beam search, one problem", "at least 1"),
    "speedup_vs_its_hub_32": ("against its-hub's beam search, 32 problems", "at least 3"),
    "speedup_vs_naive_64": ("against one piece after another, 64 problems", ""),
    "accuracy": ("accuracy of the searches compared", ""),
    "lockstep_accuracy": ("accuracy of the lock-step loop", ""),
    "its_hub_accuracy": ("accuracy of its-hub", ""),
    "embedded_vs_matmul": ("embedded engine's rate / numpy's own, same shapes", "at least 0.5"),
    "decoding_gflops": ("10^9 operations a second of it", ""),
    "matmul_gflops": ("10^9 operations a second of numpy's own products", ""),
    "decoded_tokens_per_second": ("tokens a second of the embedded engine", ""),
    "prm_step_ms": ("CPU ms of a reward model for a step of 16 beams of mini-s", "at most 15"),
    "speedup_vs_transformers": ("embedded engine against transformers' generate", ""),
    "two_process_speedup": ("two worker processes against one", "at least 1.8"),
    "resident_mib_scripted": ("MiB resident with that many searches, scripted", ""),
    "resident_mib_embedded": ("MiB resident with that many searches, bundled models", ""),
}


def bench(args: argparse.Namespace) -> int:
    """Measure, then show all figures of one run."""
    from ttc_core import bench as measured
    from ttc_core.bench.sizes import FULL, QUICK, SIZES
    from ttc_core.errors import UserError

    unknown = [name for name in args.only if name not in measured.MEASUREMENTS]
    if unknown:
        raise UserError(f"there is no measurement {unknown[0]!r}", hint=f"there is {', '.join(measured.MEASUREMENTS)}")
    size = SIZES[args.size] if args.size else QUICK if args.quick else FULL
    figures = measured.run(size, args.only, _tell)
    if args.json:
        write_json(figures)
        return 0
    write_lines([*table(["", "measured", "wanted", ""], _rows(figures)), "", *_notes(figures)])
    return 0


def _tell(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def _rows(figures: dict[str, Any]) -> list[list[Any]]:
    shown = [(name, figures[name]) for name in SHOWN if figures.get(name) is not None]
    return [[name, f"{value:.4g}", SHOWN[name][1], SHOWN[name][0]] for name, value in shown]


def _notes(figures: dict[str, Any]) -> list[str]:
    """What a reader has to know about the run."""
    notes = [
        f"size {figures['size']}, {figures['processors']} processors, load {figures['load_before']:.1f} before and "
        f"{figures['load_after']:.1f} after; seconds: "
        + ", ".join(f"{name} {seconds:g}" for name, seconds in figures["seconds"].items())
    ]
    if "naive_problems_searched" in figures:
        notes.append(f"speedup_vs_naive_64: {figures['naive_problems_searched']} problems searched naively, scaled")
    if "memory_searches" in figures:
        notes.append(f"resident: {figures['memory_searches']} searches at once")
    skipped = {key.removeprefix("skipped_"): value for key, value in figures.items() if key.startswith("skipped_")}
    strategies = skipped.pop("strategies", {})
    return [*notes, *(f"not measured: {name}: {why}" for name, why in {**skipped, **strategies}.items())]
