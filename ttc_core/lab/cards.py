"""The cards of the family's members: for programs (card.json), for people (README.md), and all together (REPORT.md)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ttc_core.lab import measures
from ttc_core.lab.exporting import write_json
from ttc_core.lab.measures import Floats

Results = Mapping[str, Any]


def interval(values: Floats) -> dict[str, float]:
    """Mean of per-problem values with its 95 % interval, rounded for a card."""
    mean, low, high = measures.bootstrap(values)
    return {"mean": round(mean, 4), "low": round(low, 4), "high": round(high, 4)}


def read_card(folder: Path) -> dict[str, Any]:
    """Return the content of a member's card.json."""
    card: dict[str, Any] = json.loads((folder / "card.json").read_text("utf-8"))
    return card


def training_flops(folder: Path) -> int:
    """Floating-point operations of all trainings behind a member: 6 x parameters x tokens, each with its own size.

    Those of the models that it grew from count, and sampling what it learned from does not. A training that does not
    say how large its model was had the size of the smallest member that it led to: models only grow on their way.

    Arguments:
        folder: of the member, beside those of all others.
    """
    cards = {path.parent.name: read_card(path.parent) for path in folder.parent.glob("*/card.json")}
    verifier = folder / "verifier.json"
    said = json.loads(verifier.read_text("utf-8")) if verifier.exists() else {}
    read = {said[role] for role in ("policy", "reference") if role in said} or {folder.name}
    behind = {training["stage"]: training for name in read for training in cards[name]["training"]}
    sizes: dict[str, int] = {}
    for card in cards.values():
        for training in card["training"]:
            stage = training["stage"]
            sizes[stage] = min(sizes.get(stage, card["parameters"]), card["parameters"])
    return sum(6 * one.get("parameters", sizes[stage]) * one["tokens"] for stage, one in behind.items())


def note(folder: Path, results: Results) -> None:
    """Write measured results into a member's card and its README."""
    import torch

    card = read_card(folder)
    card["flops_per_token"] = 2 * card["parameters"]
    card["training_flops"] = training_flops(folder)
    card["evaluation"] = dict(results)
    card["torch"] = torch.__version__
    write_json(folder / "card.json", card)
    (folder / "README.md").write_text(readme(card))


def readme(card: Mapping[str, Any]) -> str:
    """A model card for people, from the one for programs."""
    lines = [
        f"# {card['name']}",
        "",
        f"{card['what'][0].upper()}{card['what'][1:]}.",
        "",
        f"- Parameters: {card['parameters']:,}; {card['flops_per_token']:,} floating-point operations a token",
        f"- Training: {card['training_flops']:.3g} floating-point operations, that of the models it grew from included",
        f"- Data: {card['data']}",
        f"- Reproduce: `{card['reproduce']}`",
        "- Licence: Apache-2.0",
        "",
    ]
    if card["training"]:
        lines += ["| training | tokens | steps | minutes | final loss |", "|---|---|---|---|---|"]
        lines += [
            f"| {t['stage']} | {t['tokens']:,} | {t['steps']:,} | {t['minutes']} | {t['final_loss']} |"
            for t in card["training"]
        ]
        lines.append("")
    lines += ["| measured | value (95 % interval over problems) |", "|---|---|"]
    lines += [f"| {name} | {text} |" for name, text in _flat(card["evaluation"])]
    return "\n".join([*lines, ""])


def write_report(data: Path) -> None:
    """Gather the README files of all members in REPORT.md."""
    parts = [path.read_text().replace("# ", "## ", 1) for path in sorted((data / "models").glob("*/README.md"))]
    heading = "# The embedded family\n\nWritten by `python -m ttc_core.lab evaluate`; no number is typed by hand.\n\n"
    (data / "models" / "REPORT.md").write_text(heading + "\n".join(parts))


def _flat(results: Any, prefix: str = "") -> list[tuple[str, str]]:
    if isinstance(results, dict) and set(results) == {"mean", "low", "high"}:
        return [(prefix, f"{results['mean']:.3f} ({results['low']:.3f} to {results['high']:.3f})")]
    if isinstance(results, dict):
        return [pair for key, value in results.items() for pair in _flat(value, f"{prefix} {key}".strip())]
    return [(prefix, " ".join(map(str, results)) if isinstance(results, list) else str(results))]
