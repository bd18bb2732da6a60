"""Writes the page of reference when the documentation is built: everything registered, its parameters and the settings.

Nothing of it is typed: names, defaults, limits and sentences come from the registry and the docstrings.
"""

from __future__ import annotations

import inspect
from dataclasses import is_dataclass
from typing import Any

from mkdocs.structure.files import File, Files

from ttc_core import __main__ as command_line
from ttc_core import registry

KINDS = {
    "strategy": "Strategies", "verifier": "Verifiers", "dataset": "Data sets", "figure": "Figures", "table": "Tables",
}  # fmt: skip


def on_files(files: Files, config: Any) -> Files:
    """MkDocs calls it with the pages that it found."""
    files.append(File.generated(config, "reference.md", content=page()))
    return files


def page() -> str:
    """The whole page."""
    parts = ["# Reference", "Written from the program itself.", "## Command line"]
    parts += [
        "`.venv/bin/python -m ttc_core VERB`; every verb takes `--json` and `--db URL`, and `--help` tells the rest."
    ]
    parts += [table(("verb", ""), [(f"`{name}`", plain(what)) for name, what in command_line.VERBS.items()])]
    for kind, title in KINDS.items():
        parts.append(f"## {title}")
        for name in registry.names(kind):
            parts += [f"### `{name}`", plain(inspect.getdoc(registry.get(kind, name)) or ""), *parameters(kind, name)]
    return "\n\n".join(parts) + "\n"


def parameters(kind: str, name: str) -> list[str]:
    """A table of the parameters of a registered dataclass; nothing where there are none."""
    thing = registry.get(kind, name)
    found = registry.params(thing) if inspect.isclass(thing) and is_dataclass(thing) else []
    rows = [(f"`{p.name}`", f"`{p.default}`", limits(p), plain(p.help)) for p in found]
    return [table(("parameter", "default", "values", ""), rows)] if rows else []


def limits(p: registry.Param) -> str:
    """What a parameter may be."""
    if p.choices:
        return ", ".join(f"`{choice}`" for choice in p.choices)
    ends = (p.min, p.max)
    return "" if ends == (None, None) else " to ".join("" if end is None else f"{end:g}" for end in ends).strip()


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """A Markdown table."""
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("\n", " ") for cell in line) + " |" for line in lines)


def plain(text: str) -> str:
    """Text that Markdown leaves as it is."""
    return text.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*").replace("_", "\\_")
