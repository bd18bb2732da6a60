"""Each strategy against a tree drawn by hand from the paper's rules, fed reply by reply."""

from __future__ import annotations

import pytest

from tests.conformance.harness import PROBLEM, drive, rng
from ttc_core import registry
from ttc_core.types import ROOT, Budget, Node, Prune, Sample, Sampled, Score, Scored, child_id


class World:
    """Answers requests from a table: node id -> (text, answer or None, score); what is missing fails."""

    def __init__(self, table):
        self.table = table
        self.nodes = {}

    def __call__(self, request):
        if isinstance(request, Sample):
            ids = [child_id(request.node, request.first + i, request.branch) for i in range(request.n)]
            came = [self.sampled(i, request.node) for i in ids if i in self.table]
            return Sampled(tuple(came), request.n - len(came))
        if isinstance(request, Score):
            came = [self.scored(i) for i in request.nodes if self.table[i][2] is not None]
            return Scored(tuple(came), len(request.nodes) - len(came))
        assert isinstance(request, Prune)
        return None

    def sampled(self, node_id, parent):
        text, answer, _ = self.table[node_id]
        node = Node(node_id, parent, text, "step" if answer is None else "end", answer=answer)
        self.nodes[node_id] = node
        return node

    def scored(self, node_id):
        score = self.table[node_id][2]
        node = self.nodes[node_id]
        above = self.nodes[node.parent].path_scores if node.parent != ROOT else ()
        scores = score if isinstance(score, tuple) else (score,)
        done = Node(
            node.id,
            node.parent,
            node.text,
            node.finish,
            answer=node.answer,
            scores=scores,
            path_scores=(*above, *scores),
        )
        self.nodes[node_id] = done
        return done


def search(name, table, budget, **params):
    strategy = registry.build("strategy", name, params)
    return drive(strategy.run(PROBLEM, Budget(budget), rng()), World(table))


SOLUTIONS = {
    "r.0": ("a", "7", (0.9, 0.3)),
    "r.1": ("b", "8", (0.2, 0.5)),
    "r.2": ("c", "7", (0.8, 0.3)),
    "r.3": ("d", "9", (0.1, 0.55)),
}


@pytest.mark.parametrize(
    ("params", "answer", "chosen", "weights"),
    [
        ({}, "7", "r.0", [0.6, 0.5, 0.6, 0.55]),  # last-step scores summed per answer
        ({"select": "best"}, "9", "r.3", [0.3, 0.5, 0.3, 0.55]),
        ({"select": "majority"}, "7", "r.0", [2, 1, 2, 1]),
        ({"select": "best", "aggregate": "min"}, "7", "r.0", [0.3, 0.2, 0.3, 0.1]),
        ({"select": "best", "aggregate": "prod"}, "7", "r.0", [0.27, 0.1, 0.27, 0.055]),
        ({"select": "best", "aggregate": "mean"}, "7", "r.0", [0.6, 0.35, 0.6, 0.325]),
    ],
)
def test_best_of_n(params, answer, chosen, weights):
    outcome, log = search("best_of_n", SOLUTIONS, 4, **params)
    assert outcome.answer == answer and outcome.chosen == chosen
    assert [c.weight for c in outcome.candidates] == pytest.approx(weights)
    samples = [r for r in log if isinstance(r, Sample)]
    assert [(r.node, r.n, r.first, r.until) for r in samples] == [(ROOT, 1, i, "end") for i in range(4)]
    assert any(isinstance(r, Score) for r in log) == (params.get("select") != "majority")


def test_best_of_n_leaves_out_what_failed_and_what_has_no_score():
    table = {**SOLUTIONS, "r.0": ("a", "7", None)}
    del table["r.3"]
    outcome, _ = search("best_of_n", table, 4)
    assert outcome.answer == "8" and outcome.excluded == 2
    assert [c.node for c in outcome.candidates] == ["r.1", "r.2"]


# N = 4, M = 2: two places. Round 1 keeps r.1 (.9) and r.3 (.7); each gets two continuations.
# Round 2: r.1.0 completes with .8; r.3.0 (.6) is the best unfinished; r.1.1 and r.3.1 fall out.
# Round 3: the complete r.1.0 holds one place (its two slots stay unspent), r.3.0 gets two continuations, both complete.
BEAM = {
    "r.0": ("A\n", None, 0.4),
    "r.1": ("B\n", None, 0.9),
    "r.2": ("C\n", None, 0.5),
    "r.3": ("D\n", None, 0.7),
    "r.1.0": ("Answer: 1\n", "1", 0.8),
    "r.1.1": ("E\n", None, 0.2),
    "r.3.0": ("F\n", None, 0.6),
    "r.3.1": ("G\n", None, 0.3),
    "r.3.0.0": ("Answer: 2\n", "2", 0.5),
    "r.3.0.1": ("Answer: 2\n", "2", 0.45),
}


def test_beam_search_keeps_n_over_m_and_samples_m_of_each():
    outcome, log = search("beam_search", BEAM, 4, width=2)
    samples = [(r.node, r.n) for r in log if isinstance(r, Sample)]
    assert samples == [(ROOT, 4), ("r.1", 2), ("r.3", 2), ("r.3.0", 2)]
    pruned = [node for r in log if isinstance(r, Prune) for node in r.nodes]
    assert pruned == ["r.2", "r.0", "r.3.1", "r.1.1", "r.3.0.1"]
    assert [c.node for c in outcome.candidates] == ["r.1.0", "r.3.0.0", "r.3.0.1"]
    assert outcome.answer == "2" and outcome.chosen == "r.3.0.0"  # .5 + .45 beats .8
    assert [c.weight for c in outcome.candidates] == pytest.approx([0.8, 0.95, 0.95])


def test_beam_search_best_takes_the_highest_scored_solution():
    outcome, _ = search("beam_search", BEAM, 4, width=2, select="best")
    assert outcome.answer == "1" and outcome.chosen == "r.1.0"


def test_beam_search_width_zero_is_the_square_root_of_n():
    _, log = search("beam_search", BEAM, 4, width=0)
    assert [(r.node, r.n) for r in log if isinstance(r, Sample)][:3] == [(ROOT, 4), ("r.1", 2), ("r.3", 2)]


def test_beam_search_stops_after_its_rounds_with_what_is_complete():
    outcome, log = search("beam_search", BEAM, 4, width=2, rounds=2)
    assert max(r.node.count(".") for r in log if isinstance(r, Sample)) == 1
    assert [c.node for c in outcome.candidates] == ["r.1.0"] and outcome.answer == "1"


def test_beam_search_lets_identical_steps_hold_one_place():
    table = {**BEAM, "r.3": ("B\n", None, 0.9), "r.2": ("C\n", None, 0.5)}
    _, log = search("beam_search", table, 4, width=2)
    assert [(r.node, r.n) for r in log if isinstance(r, Sample)][1:3] == [("r.1", 2), ("r.2", 2)]
    why = {node: r.why for r in log if isinstance(r, Prune) for node in r.nodes}
    assert why["r.3"] == "same step as r.1"
    _, log = search("beam_search", table, 4, width=2, distinct=False)
    assert [(r.node, r.n) for r in log if isinstance(r, Sample)][1:3] == [("r.1", 2), ("r.3", 2)]


def test_beam_search_goes_on_when_samples_or_scores_fail():
    table = {k: v for k, v in BEAM.items() if k != "r.0"} | {"r.1": ("B\n", None, None)}
    outcome, log = search("beam_search", table, 4, width=2)
    assert [(r.node, r.n) for r in log if isinstance(r, Sample)][1] == ("r.3", 2)
    assert outcome.answer == "2" and outcome.excluded >= 2
