"""`thinkbooster`: traces as the debugger of IINemo/thinkbooster reads them: {"examples": [...]}, each with payloads by
budget, each with strategies, each with a run: events (steps) with the candidates they looked at and their signals. The
list of examples, one example or one payload alone will do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ttc_core.importing import MAX_DEPTH, Asked, Imported, Place, graded, opened, parsed
from ttc_core.importing.storing import Tree
from ttc_core.selection import candidates
from ttc_core.types import ROOT, Node, NodeId, Outcome, Problem, Usage, child_id

SIGNALS = ("prm", "confidence", "consensus")  # the first that is there is a step's score
STATES = {"selected": "kept", "kept": "kept", "pruned": "pruned"}


def read(path: Path, dataset: str) -> Imported:
    """The problems of a file with one tree a strategy and budget.

    Raises:
        UserError: with the place of the first thing that is wrong.
    """
    with opened(path) as file:
        document = parsed(Place(path), file.read())
    top = Place(path)
    found, asked = Imported(), Asked(dataset)
    for i, example in enumerate(_examples(top, document)):
        place = top.at(f"example {i}")
        example = _mapping(place, example)
        for budget, payload in place.get(example, "payloads", dict).items():
            here = place.at(f"payload {budget}")
            said = int(budget) if budget.isdecimal() and len(budget) < 7 else 0
            _payload(here, _mapping(here, payload), example, found, asked, said)
    return found


def _examples(top: Place, document: Any) -> list[Any]:
    if isinstance(document, list):
        return document
    document = _mapping(top, document)
    if "strategies" in document:  # one payload
        scenario = _mapping(top, top.get(document, "scenario", dict))
        return [{"id": scenario.get("id", "example"), "payloads": {"0": document}}]
    found: list[Any] = [document] if "payloads" in document else top.get(document, "examples", list)
    return found


def _payload(
    place: Place, payload: Mapping[str, Any], example: Mapping[str, Any], found: Imported, asked: Asked, budget: int
) -> None:
    """budget: what the payload is called, 0 where that is no number."""
    scenario = place.get(payload, "scenario", dict)
    name, shared = str(place.get(example, "id", (str, int))), place.get(scenario, "shared_prompt", str, "")
    question = place.get(scenario, "prompt", str).removeprefix(shared).strip().removeprefix("Question:").strip()
    known = [i for i, problem in enumerate(found.problems) if problem.id == name]
    if not known:
        gold = place.get(scenario, "ground_truth", (str, int, float), None)
        found.problems.append(asked.problem(place, name, question, None if gold is None else str(gold)))
        found.extras.append({key: example[key] for key in ("title", "description") if key in example})
        known = [len(found.problems) - 1]
    elif found.problems[known[0]].question != question:
        raise place.wrong(f"the id {name!r} was used before, for another question")
    for i, strategy in enumerate(place.get(payload, "strategies", list)):
        here = place.at(f"strategy {i}")
        found.trees.append(_tree(here, known[0], found.problems[known[0]], _mapping(here, strategy), budget))


def _tree(place: Place, number: int, problem: Problem, strategy: Mapping[str, Any], budget: int) -> Tree:
    run = place.get(strategy, "run", dict)
    final = place.get(run, "final", dict, {})
    grown = _Grown(problem)
    events = place.get(run, "events", list)
    if len(events) > MAX_DEPTH:
        raise place.wrong(f"a tree of more than {MAX_DEPTH} steps")
    for i, event in enumerate(events):
        grown.event(place.at(f"event {i}"), event)
    nodes = grown.finished()
    ended = [node for node in nodes if node.finish == "end"]
    answer = graded(problem, place.get(final, "selected_trajectory", str, ""), None, True)[0]
    outcome = Outcome(answer, grown.selected, candidates(ended))
    usage = Usage(
        generations=grown.widest,
        generated_tokens=place.get(run, "tokens_used", int, 0),
        seconds=place.get(run, "latency_ms", (int, float), 0) / 1000,
    )
    return Tree(
        problem=number,
        strategy=place.get(strategy, "strategy_id", str),
        nodes=nodes,
        outcome=outcome,
        usage=usage,
        model=place.get(run, "model_id", str, "imported"),
        verifier=place.get(strategy, "scorer_id", str, ""),
        budget=max(1, place.get(run, "budget", int, budget or grown.widest)),
    )


class _Grown:
    """A tree that grows event by event. A candidate hangs below the beam it names, else below what was selected."""

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._nodes: dict[NodeId, Node] = {}
        self._text: dict[NodeId, str] = {ROOT: ""}
        self._children: dict[NodeId, int] = {}
        self._beams: dict[str, NodeId] = {}
        self.selected: NodeId | None = None
        self.widest = 0

    def event(self, place: Place, event: Any) -> None:
        """One step with its candidates."""
        found = place.get(_mapping(place, event), "candidates", list)
        self.widest = max(self.widest, len(found))
        before, beams = self.selected or ROOT, dict(self._beams)
        for i, candidate in enumerate(found):
            here = place.at(f"candidate {i}")
            candidate = _mapping(here, candidate)
            above = beams.get(str(candidate.get("parent_beam_uid")), ROOT if "beam_uid" in candidate else before)
            node = self._add(here, candidate, above)
            if "beam_uid" in candidate:
                self._beams[str(candidate["beam_uid"])] = node
            if candidate.get("selected") is True:
                self.selected = node

    def _add(self, place: Place, candidate: Mapping[str, Any], above: NodeId) -> NodeId:
        number = self._children.get(above, 0)
        self._children[above] = number + 1
        node_id, text = child_id(above, number), place.get(candidate, "text", str) + "\n"
        signals = place.get(candidate, "signals", dict, {})
        said = (place.get(signals, name, (int, float), None) for name in SIGNALS)
        value = next((one for one in said if one is not None), None)
        if value is not None and not 0 <= value <= 1:
            raise place.wrong(f"a score must be in [0, 1], not {value}")
        scores = () if value is None else (float(value),)
        path = (*(self._nodes[above].path_scores if above != ROOT else ()), *scores)
        state: Any = STATES.get(place.get(candidate, "status", str, ""), "open")
        self._nodes[node_id] = Node(
            node_id, above, text, "step", scores=scores, path_scores=path, state=state, spec="imported"
        )
        self._text[node_id] = self._text[above] + text
        return node_id

    def finished(self) -> list[Node]:
        """All nodes; those without children whose text gives an answer are complete."""
        parents = {node.parent for node in self._nodes.values()}
        return [node if node.id in parents else self._leaf(node) for node in self._nodes.values()]

    def _leaf(self, node: Node) -> Node:
        answer = graded(self._problem, self._text[node.id], None, True)[0]
        return node if answer is None else replace(node, finish="end", answer=answer, state="final")


def _mapping(place: Place, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise place.wrong("not a JSON object")
    return value
