"""The way to an answer as a LaTeX table: each step or attempt with the verifier's score."""

from __future__ import annotations

from collections.abc import Sequence

from ttc_core.export.text import tex
from ttc_core.types import Node


def as_latex(way: Sequence[Node], about: str) -> str:
    """A tabular as wide as the line, a row a node.

    Arguments:
        way: from below the root to the chosen node; a solution in steps, or a chain of attempts.
        about: what was searched; becomes a comment.
    """
    rows = [
        rf"{i} & {_shown(node.text)} & {_score(node)} & {tex(node.answer or '')} \\" for i, node in enumerate(way, 1)
    ]
    head = [f"% {tex(about)}", r"% Needs \usepackage{booktabs}."]
    top = [
        r"\noindent\begin{tabular}{@{}r@{\hspace{0.8em}}p{\dimexpr\linewidth-9.5em\relax}rr@{}}",
        r"\toprule",
        r" & text & score & answer \\",
        r"\midrule",
    ]
    return "\n".join([*head, *top, *rows, r"\bottomrule", r"\end{tabular}", ""])


def _shown(text: str) -> str:
    """Its lines below each other."""
    lines = [tex(line) for line in text.strip().splitlines() if line.strip()]
    return r"\raggedright " + r"\newline ".join(lines)


def _score(node: Node) -> str:
    return "--" if node.score is None else f"{node.score:.3f}"
