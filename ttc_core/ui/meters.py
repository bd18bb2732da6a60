"""Figures with their names in a row. However many, they are one element: the browser pays for each, at every look."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from ttc_core.runs_views import RunView
from ttc_core.ui import words

Meter = tuple[str, str, str]  # label, value, and what it means or ""


def show(found: Iterable[Meter], place: DeltaGenerator | None = None) -> None:
    """Draw them as plain text, with what they mean as a tip. place: an empty place that holds nothing else."""
    rows = "".join(_row(*meter) for meter in found)
    (place or st).html(f'<dl class="meters">{rows}</dl>', width="content")


def _row(label: str, value: str, about: str) -> str:
    tip = f' title="{escape(about)}"' if about else ""
    return f"<div{tip}><dt>{escape(label)}</dt><dd>{escape(value)}</dd></div>"


def of_run(view: RunView) -> list[Meter]:
    """What a search has used."""
    of = view.usage
    failed = of.failed_samples + of.failed_scores
    cached = f"prompt tokens computed {words.count(of.prompt_tokens_computed)}, found in the cache "
    cached += f"{words.count(of.prompt_tokens_cached)}; generated {words.count(of.generated_tokens)}"
    split = f"policy {words.short(of.policy_flops)}, verifier {words.short(of.verifier_flops)}"
    found = [
        (
            "Generations",
            f"{of.generations} / {view.spec.budget}",
            "used and allowed: complete solutions' worth of work"
            + (f"; the search ended with {view.unspent} to spare" if view.unspent else ""),
        ),
        ("Policy tokens", words.count(of.policy_tokens), cached),
        ("Verifier tokens", words.count(of.verifier_tokens), "tokens the verifier forwarded"),
        ("FLOPs", words.short(of.policy_flops + of.verifier_flops), f"{split}; 2 × parameters × tokens"),
        ("Seconds", words.seconds(of.seconds or None), "time spent searching"),
    ]
    if failed:
        why = f"{of.failed_samples} samples and {of.failed_scores} scores failed; they are left out of the choice"
        found.append(("Failed", words.count(failed), why))
    return found
