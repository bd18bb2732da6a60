"""What a study was made with: models and their weights, packages, revision, seeds, graders."""

from __future__ import annotations

import json
import platform
import re
import subprocess
from collections.abc import Iterable, Mapping
from importlib import metadata
from typing import TYPE_CHECKING, Any

from ttc_core import grading, models
from ttc_core.bundle.archive import digest
from ttc_core.models import ModelCard
from ttc_core.settings import REPOSITORY

if TYPE_CHECKING:
    import pandas as pd

PARTS = ("model", "of", "policy", "reference")  # keys by which a verifier names the models it reads
PRIVATE = ("base_url", "endpoints", "key_env", "key_file")  # keys of a card that say where it runs, not what it is
OPTIONAL = ("torch", "transformers", "vllm")


def software() -> dict[str, Any]:
    """Revision of the program, Python, and versions of the packages it needs."""
    text = (REPOSITORY / "requirements.txt").read_text("utf-8")
    names = [*re.findall(r"^([\w.-]+)==", text, re.MULTILINE), "pyarrow", *OPTIONAL]
    packages = {}
    for name in names:
        try:
            packages[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return {
        "revision": revision(),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "packages": packages,
    }


def revision() -> str:
    """The git revision of the program, with "+changes" where files differ from it; "unknown" outside a checkout."""
    try:
        head, changed = (
            subprocess.run(["git", *words], cwd=REPOSITORY, capture_output=True, text=True, timeout=20, check=True)
            for words in (["rev-parse", "HEAD"], ["status", "--porcelain", "--untracked-files=no"])
        )
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return head.stdout.strip() + ("+changes" if changed.stdout.strip() else "")


def cards(names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """By name of every model and verifier, those that they read included: its card, and the SHA-256 of its files.

    A name that is not in the catalogue, as that of an imported study's model, is left out.
    """
    known, found, waiting = models.catalogue(), {}, [*names]
    while waiting:
        name = waiting.pop(0)
        if name in known and name not in found:
            found[name] = _described(known[name])
            waiting += _parts(known[name])
    return {name: found[name] for name in sorted(found)}


def _described(card: ModelCard) -> dict[str, Any]:
    shown = {key: value for key, value in card.card.items() if key not in PRIVATE}
    local = any((card.folder / name).is_file() for name in ("card.json", "config.json"))
    files = sorted(path for path in card.folder.iterdir() if path.is_file()) if local else []
    return {
        "kind": card.kind,
        "engine": card.engine,
        "parameters": card.parameters,
        "card": shown,
        "sha256": {path.name: digest(path) for path in files},
    }


def _parts(card: ModelCard) -> list[str]:
    tables: list[Mapping[str, Any]] = [card.card]
    if (card.folder / "verifier.json").is_file():
        tables.append(json.loads((card.folder / "verifier.json").read_text("utf-8")))
    named = [table[key] for table in tables for key in PARTS if key in table]
    return [str(name) for value in named for name in (value if isinstance(value, list) else [value])]


def asked(frame: pd.DataFrame) -> dict[str, Any]:
    """What the study's outcomes say of it: data sets, models, verifiers, methods, budgets, seeds."""
    kinds = {"datasets": "dataset", "models": "model", "verifiers": "verifier", "methods": "method"}
    found: dict[str, Any] = {name: sorted({str(v) for v in frame[of] if v}) for name, of in kinds.items()}
    found |= {name: sorted({int(v) for v in frame[of]}) for name, of in (("budgets", "budget"), ("seeds", "seed"))}
    return {**found, "problems": int(frame.groupby("dataset")["problem"].nunique().sum()), "outcomes": len(frame)}


def graders(names: Iterable[str], graded_by: Iterable[str | None]) -> dict[str, Any]:
    """Graders of the study's problems with their versions here, and the versions that its grades carry."""
    return {
        "here": {name: grading.version(name) for name in sorted(set(names))},
        "of the grades": sorted({version for version in graded_by if version}),
    }
