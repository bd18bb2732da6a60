"""`openr_tree`: search trees as openreasoner/openr writes them (its APS data), one problem a line.

Each has "question" (or "problem"), "final_answer" and "reasoning_steps": the root, whose "children" are reasoning steps
with "text", "mc_value" (the share of rollouts from there that were right, in [0, 1]) and children of their own. Without
`save_data_tree` openr writes a list of {"solution_prefix", "mc_value"} in place of the root: the nodes in the order in
which they were found, each with all text before it, from which the tree is grown again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ttc_core.importing import MAX_DEPTH, Asked, Imported, Place, graded, lines
from ttc_core.importing.storing import Tree
from ttc_core.selection import candidates, choose
from ttc_core.types import ROOT, Node, NodeId, Problem, Usage, child_id

MAX_PREFIXES = 5000  # each is compared with all before it
KEYS = ("id", "question", "problem", "final_answer", "reasoning_steps")


def read(path: Path, dataset: str) -> Imported:
    """The trees of a file, each with the leaves that give an answer as candidates.

    Raises:
        UserError: with the number of the first line that is wrong.
    """
    found, asked = Imported(), Asked(dataset)
    for place, line in lines(path):
        gold = place.get(line, "final_answer", (str, int, float), None)
        name = str(place.get(line, "id", (str, int), f"{dataset}-{len(found.problems)}"))
        question = place.get(line, "question" if "question" in line else "problem", str)
        problem = asked.problem(place, name, question, None if gold is None else str(gold))
        root = place.get(line, "reasoning_steps", (dict, list))
        root = _grown(place, root) if isinstance(root, list) else root
        nodes = list(_below(place, problem, root, ROOT, (), ""))
        leaves = [node for node in nodes if node.finish == "end"]
        outcome = choose(candidates(leaves), "majority")  # not by the values, which know the right answer
        budget = max(1, len(leaves))
        found.trees.append(Tree(len(found.problems), "openr_tree", nodes, outcome, Usage(len(leaves)), budget=budget))
        found.problems.append(problem)
        found.extras.append({k: v for k, v in line.items() if k not in KEYS})
    return found


def _grown(place: Place, found: list[Any]) -> dict[str, Any]:
    """The root of the tree that prefixes of solutions make: each is below the longest earlier one that it continues."""
    if len(found) > MAX_PREFIXES:
        raise place.wrong(f"a tree of more than {MAX_PREFIXES:,} prefixes")
    nodes: list[tuple[str, dict[str, Any]]] = []
    for i, one in enumerate(found):
        here = place.at(f"prefix {i}")
        if not isinstance(one, Mapping):
            raise here.wrong("not a JSON object")
        prefix = here.get(one, "solution_prefix", str)
        above = max((node for node in nodes if prefix.startswith(node[0])), key=lambda node: len(node[0]), default=None)
        if nodes and above is None:
            raise here.wrong("'solution_prefix' continues none of those before it")
        text = prefix[len(above[0]) :].strip() if above else prefix
        nodes.append((prefix, {"text": text, "mc_value": one.get("mc_value"), "children": []}))
        if above:
            above[1]["children"].append(nodes[-1][1])
    return nodes[0][1] if nodes else {}


def _below(
    place: Place, problem: Problem, parent: Mapping[str, Any], at: NodeId, above: tuple[float, ...], text: str
) -> Iterator[Node]:
    if at.count(".") > MAX_DEPTH:
        raise place.wrong(f"a tree of more than {MAX_DEPTH} steps")
    for i, child in enumerate(place.get(parent, "children", list, [])):
        here = place.at(f"node {child_id(at, i)}")
        if not isinstance(child, Mapping):
            raise here.wrong("not a JSON object")
        step, value = here.get(child, "text", str), here.get(child, "mc_value", (int, float), None)
        if value is not None and not 0 <= value <= 1:
            raise here.wrong(f"'mc_value' must be in [0, 1], not {value}")
        leaf = not here.get(child, "children", list, [])
        scores = () if value is None else (float(value),)
        whole = f"{text}{step}\n"
        yield Node(
            child_id(at, i),
            at,
            f"{step}\n",
            "end" if leaf else "step",
            answer=graded(problem, whole, None, True)[0] if leaf else None,
            scores=scores,
            path_scores=above + scores,
            state="final" if leaf else "kept",
            spec="imported",
        )
        if not leaf:
            yield from _below(place, problem, child, child_id(at, i), above + scores, whole)
