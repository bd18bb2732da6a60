"""What studies came through, and how fast: the page `docs/faults.md` from the reports in `benchmarks/results/`.

    python -m benchmarks.faults [NAME ...]

NAME, or all: what to measure anew first, one after another. Each report is written by the command that it holds
(`--out`), on the machine that it names.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ttc_core.settings import REPOSITORY

RESULTS, PAGE = REPOSITORY / "benchmarks" / "results", REPOSITORY / "docs" / "faults.md"
Report = dict[str, Any]


def kept(report: Report, out: Path | None) -> None:
    """Print a report with its command and machine, and write it into a file where one is asked for."""
    module = sys.modules["__main__"].__spec__
    place = sys.argv.index("--out") if "--out" in sys.argv else len(sys.argv)
    command = shlex.join(["python", "-m", module.name if module else "?", *sys.argv[1:place], *sys.argv[place + 2 :]])
    machine = {"processor": _processor(), "cores": os.cpu_count(), "load_average": round(os.getloadavg()[0], 1)}
    text = json.dumps({"command": command, "machine": machine, **report}, indent=1)
    print(text)
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text + "\n", "utf-8")


def _processor() -> str:
    """What the system calls it, without clock and trademark."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return "unknown"
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else "unknown"


def _verdict(held: bool, whole: bool = True) -> str:
    """What the last column says. whole: as much was measured as is wanted."""
    return "missed" if not held else "" if whole else "measured less"


# --- the page --------------------------------------------------------------------------------------------------------


def _killed(r: Report) -> tuple[str, str]:
    by = ", ".join(f"{n} at {point}" for point, n in r["by"].items())
    wrong = ("lost", "changed", "damaged", "different")
    said = ", ".join(f"{r[name]} {name}" for name in wrong)
    again = f"{r['sampled again']} samples were asked for again, {r['sampled again beyond those in flight']} of them"
    return (f"{r['kills']} kills ({by}) in {r['studies']} studies: {said}; {again} beyond those in flight",
            _verdict(not any(r[name] for name in (*wrong, "sampled again beyond those in flight")),
                     r["kills"] >= 500))  # fmt: skip


def _stopped(r: Report) -> tuple[str, str]:
    said = f"{r['rejected']} of {r['stopped']} workers had all their writes refused; {r['changed']} changed anything"
    held = r["rejected"] == r["stopped"] and not r["changed"] and not r["different"]
    return said, _verdict(held, r["stopped"] >= 100)


def _read(r: Report) -> tuple[str, str]:
    ms = r["read_ms"]
    said = f"{r['reads']:,} reads in {r['seconds']:g} s by {r['readers']} readers beside {r['workers']} workers: "
    said += f"p50 {ms['p50']:g} ms, p95 {ms['p95']:g} ms, p99 {ms['p99']:g} ms; {r['refused']} refused"
    held = not r["refused"] and ms["p95"] < 200
    return said, _verdict(held, r["readers"] >= 32 and r["workers"] >= 4 and r["seconds"] >= 120)


def _large(r: Report) -> tuple[str, str]:
    peaks = max(r["peak_resident_bytes"])
    said = f"{r['problems']} problems × {r['samples']} samples by {r['workers']} workers: {r['seconds'] / 60:.1f} min, "
    said += f"{r['tokens_per_second']:,} tokens/s, database {r['database_bytes'] / 1e6:.0f} MB, "
    said += f"{r['bytes_a_node']:g} bytes a solution and {r['bytes_a_step']:g} a step of it, "
    held = r["status"] == "done" and peaks < 1.5e9
    return said + f"at most {peaks / 1e9:.2f} GB a process", _verdict(held, r["problems"] * r["samples"] >= 500 * 256)


def _actors(r: Report) -> tuple[str, str]:
    ratios = ", ".join(f"{ratio:g}" for ratio in r["ratios"])
    said = f"{r['actors'][1]} actors do {r['median_ratio']:g} times the tokens a second of {r['actors'][0]} ({ratios})"
    return said, _verdict(not any(run["left"] for pair in r["runs"] for run in pair))


def _stored(r: Report) -> tuple[str, str]:
    said = f"a tree of {r['nodes']:,} nodes: {r['bytes_a_node']:g} bytes a node as it grew, "
    said += f"{r['bytes_a_node_vacuumed']:g} after `db vacuum`; opened in {r['open_cpu_ms']:g} ms of CPU"
    return said, _verdict(r["bytes_a_node_vacuumed"] <= 120 and r["open_cpu_ms"] < 50)


PARTS: dict[str, tuple[str, str, Callable[[Report], tuple[str, str]]]] = {
    "kill_study": (
        "SIGKILL at random moments and at each commit point",
        "500 kills, nothing lost, changed or twice",
        _killed,
    ),
    "stop_study": ("SIGSTOP past the lease, then SIGCONT", "100 of 100", _stopped),
    "readers_sqlite": ("Many readers, SQLite", "32 readers, 4 workers, 120 s: none refused, p95 < 200 ms", _read),
    "readers_postgresql": (
        "Many readers, PostgreSQL",
        "32 readers, 4 workers, 120 s: none refused, p95 < 200 ms",
        _read,
    ),
    "large_study": ("A study as large as a paper's", "500 × 256 by 2 workers, ≤ 1.5 GB a process", _large),
    "ray_actors": ("Actors of a Ray cluster", "all units done", _actors),
    "storage": ("A stored tree", "≤ 120 bytes a node, opened in < 50 ms", _stored),
}

MEASURED = {name: [f"benchmarks.{name}"] for name in PARTS} | {
    "readers_sqlite": ["benchmarks.readers"],
    "readers_postgresql": ["benchmarks.readers", "--db", "postgresql"],
}


def page() -> str:
    """The page of the documentation, of the reports that there are."""
    rows, commands = [], []
    for name, (title, bar, said) in PARTS.items():
        path = RESULTS / f"{name}.json"
        if not path.exists():
            continue
        report = json.loads(path.read_text("utf-8"))
        text, verdict = said(report)
        rows.append(f"| {title} | {text} | {bar} | {verdict} |")
        of = report["machine"]
        where = f"{of['cores']} cores ({of['processor']}), load average {of['load_average']:g} at the end"
        commands.append(f"- {title}: `{report['command']}`, {where}")
    return "\n".join([
        "# What a study comes through",
        "",
        "Written by `python -m benchmarks.faults` from what the commands below measured. Where the load average is",
        "above the number of cores, other programs ran beside them and times are longer than on an idle machine.",
        "",
        "| | measured | wanted | |",
        "| --- | --- | --- | --- |",
        *rows,
        "",
        *commands,
        "",
    ])  # fmt: skip


def main() -> int:
    """Measure what is named, and write the page; 1 where something fell short."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(MEASURED)}, or all")
    asked = parser.parse_args().names
    if unknown := set(asked) - {*MEASURED, "all"}:
        parser.error(f"there is no {', '.join(sorted(unknown))}")
    codes = []
    for name, words in MEASURED.items():
        if name in asked or "all" in asked:
            command = [sys.executable, "-m", *words, "--out", str(RESULTS / f"{name}.json")]
            codes.append(subprocess.run(command, cwd=REPOSITORY, check=False).returncode)
    PAGE.write_text(page(), encoding="utf-8")
    return int(any(codes))


if __name__ == "__main__":
    sys.exit(main())
