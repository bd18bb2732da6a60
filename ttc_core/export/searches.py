"""What is drawn of one stored search: its tree, and the chain of attempts that its answer came from."""

from __future__ import annotations

from dataclasses import replace

from ttc_core import grading, runs
from ttc_core.analysis.chains import paths
from ttc_core.drawing.chains import chain
from ttc_core.drawing.info import Info
from ttc_core.drawing.presets import POINTS, Preset
from ttc_core.drawing.trees import leaves, share, tree, way_to
from ttc_core.errors import UserError
from ttc_core.export import listing

NODE, SMALLEST = 0.6, 0.8  # a node by a marker of the preset; points


def figures(run: str, preset: Preset, db: str | None = None) -> list[tuple[Info, Preset]]:
    """The figures of a stored run, each with how it is set.

    Raises:
        UnknownName: no such run; UserError: it has no nodes yet.
    """
    view, nodes = runs.get(run, db=db), runs.nodes(run, db=db).nodes
    if not nodes:
        raise UserError(f"run {run!r} has no nodes yet")
    spec, chosen = view.spec, view.outcome.chosen if view.outcome else None
    about = _about(run, db)
    room = POINTS * preset.width * share(nodes, chosen) / leaves(nodes)
    small = replace(preset, marker=max(SMALLEST, min(preset.marker * NODE, 0.6 * room)))
    made = [(tree(f"tree-{run}", nodes, chosen, about), small)]
    ways = [way for way in paths(nodes) if len(way) > 1]
    if ways:
        way = next((way for way in ways if any(node.id == chosen for node in way)), ways[0])
        right = [None if spec.answer is None else grading.grade(n.answer, spec.answer, spec.grader) for n in way]
        made.append((chain(f"chain-{run}", way, right, chosen, about), preset))
    return made


def way(run: str, db: str | None = None) -> dict[str, bytes]:
    """The way to a run's answer with its scores, as a LaTeX table: {name: bytes}."""
    view = runs.get(run, db=db)
    nodes = way_to(runs.nodes(run, db=db).nodes, view.outcome.chosen if view.outcome else None)
    return {f"tree-{run}-way.tex": listing.as_latex(nodes, _about(run, db)).encode("utf-8", "backslashreplace")}


def _about(run: str, db: str | None) -> str:
    spec = runs.get(run, db=db).spec
    return f"{spec.strategy} with {spec.model}, budget {spec.budget}, on {spec.problem_id or 'a question'}"
