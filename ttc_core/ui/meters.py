"""Figures with their names in a row. However many, they are one element: the browser pays for each, at every look."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

Meter = tuple[str, str, str]  # label, value, and what it means or ""


def show(found: Iterable[Meter], place: DeltaGenerator | None = None) -> None:
    """Draw them as plain text, with what they mean as a tip. place: an empty place that holds nothing else."""
    rows = "".join(_row(*meter) for meter in found)
    (place or st).html(f'<dl class="meters">{rows}</dl>', width="content")


def _row(label: str, value: str, about: str) -> str:
    tip = f' title="{escape(about)}"' if about else ""
    return f"<div{tip}><dt>{escape(label)}</dt><dd>{escape(value)}</dd></div>"
