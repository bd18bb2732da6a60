"""The verb `doctor`: a line for each check, what to change below those that failed."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from ttc_core.backend import LocalBackend
from ttc_core.cli.shown import write_json, write_lines
from ttc_core.doctor import Check, examine_model, examine_verifier
from ttc_core.types import RunSpec

SIGNS = {True: "ok", False: "NO", None: "--"}


def doctor(args: argparse.Namespace) -> int:
    """Examine a model, a verifier or both; without either the ones that runs use by default."""
    default = RunSpec("", "", 0)
    model, verifier = args.model, args.verifier
    if model is None and verifier is None:
        model, verifier = default.model, default.verifier
    backend = LocalBackend()
    told: dict[str, Any] = {}
    fine = True
    for kind, name, examine in (("model", model, examine_model), ("verifier", verifier, examine_verifier)):
        if name is None:
            continue
        checks = list(_shown(kind, name, examine(name, backend), args.json))
        told[kind] = {"name": name, "checks": [asdict(check) for check in checks]}
        fine = fine and all(check.ok is not False for check in checks)
    if args.json:
        write_json({**told, "ok": fine})
    return 0 if fine else 1


def _shown(kind: str, name: str, checks: Iterator[Check], quiet: bool) -> Iterator[Check]:
    """The checks, each written when it is done."""
    for number, check in enumerate(checks):
        if not quiet:
            head = [f"{kind} {name}"] if number == 0 else []
            more = [f"      {check.advice}"] if check.advice else []
            write_lines([*head, f"  {SIGNS[check.ok]}  {check.name}: {check.found}", *more])
        yield check
