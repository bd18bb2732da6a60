"""The tree of one search against a naive one: what is recalled, handed out and left behind."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ttc_core.errors import StrategyFault
from ttc_core.tree import Tree, evolve, initial_state
from ttc_core.types import ROOT, Node, child_id

SPEC = "step:1:1"


@st.composite
def grown(draw):
    """Nodes in order of creation, each below the root or an earlier one; below complete ones hang revisions."""
    nodes: list[Node] = []
    for i in range(draw(st.integers(1, 14))):
        parent = draw(st.sampled_from([ROOT, *(node.id for node in nodes if node.finish != "error")]))
        finish = draw(st.sampled_from(["step", "step", "step", "end", "length", "error"]))
        steps = draw(st.integers(1, 3))
        node = Node(child_id(parent, i), parent, f"<{i}>", finish, (i,), steps, spec=SPEC)
        nodes.append(replace(node, state=initial_state(node), why="cut off" if finish == "length" else ""))
    return nodes


def filled(nodes, recorded=()):
    tree = Tree(recorded)
    for node in nodes:
        tree.add(node)
    return tree


@given(grown())
def test_paths_texts_and_depths_are_those_of_the_solution(nodes):
    tree, by_id = filled(nodes), {node.id: node for node in nodes}
    for node in nodes:
        path = [node]
        while path[0].parent in by_id and not by_id[path[0].parent].complete:
            path.insert(0, by_id[path[0].parent])
        assert tree.path(node.id) == path
        assert tree.text(node.id) == "".join(n.text for n in path)
        assert [(s.text, s.tokens) for s in tree.segments(node.id, "t")] == [(n.text, n.tokens) for n in path]
        assert tree.depth(node.id) == (0 if node.complete else sum(n.steps for n in path))
        assert tree.parent(node) == (path[-2] if len(path) > 1 else None)
        assert tree.revised(node.id) == path[0].parent
    assert tree.path(ROOT) == [] and tree.depth(ROOT) == 0 and tree.segments(ROOT, "t") == ()


@given(grown(), st.integers(1, 5))
def test_attempts_are_the_latest_solutions_of_the_chain(nodes, most):
    tree = filled(nodes)
    for node in nodes:
        texts, at = [], node.id
        while at != ROOT:
            texts.insert(0, tree.text(at))
            at = tree.path(at)[0].parent
        assert tree.attempts(node.id, most) == tuple(texts[-most:])


@given(grown(), st.data())
def test_each_change_is_handed_out_once(nodes, data):
    tree, stored = Tree(), {}
    for node in nodes:
        tree.add(node)
        if data.draw(st.booleans()):
            tree.change(node.id, why=data.draw(st.sampled_from(["", "a", "b"])))
        if data.draw(st.booleans()):
            new = tree.changed()
            assert all(stored.get(n.id) != n for n in new) and len({n.id for n in new}) == len(new)
            stored.update((n.id, n) for n in new)
            assert stored == tree.nodes
            assert tree.changed() == []
    stored.update((n.id, n) for n in tree.changed())
    assert stored == tree.nodes
    assert tree.settle() == []


@given(grown(), st.data())
def test_what_is_recorded_comes_back_as_it_was_before_any_decision(nodes, data):
    decided = [
        replace(node, state=data.draw(st.sampled_from(["kept", "pruned"])), why="decided")
        if not node.complete
        else node
        for node in nodes
    ]
    tree = Tree(decided)
    assert tree.nodes == {} and tree.changed() == []
    for node, undecided in zip(decided, nodes, strict=True):
        recalled = tree.recall(node.id, SPEC)
        assert recalled == replace(undecided, why=node.why if node.state == "failed" else "")
        assert tree.recall(node.id, SPEC) is recalled
        with pytest.raises(StrategyFault):
            tree.recall(node.id, "end:1:1")
    assert tree.recall("r.99", SPEC) is None
    assert tree.changed() == [], "recalling is no change"


@given(grown(), st.data())
def test_a_tree_settles_to_what_was_recalled_and_gives_up_the_rest(nodes, data):
    recorded = [replace(node, state="kept") if node.state == "open" else node for node in nodes]
    tree, recalled = Tree(recorded), set()
    for node in recorded:
        if (node.parent == ROOT or node.parent in recalled) and data.draw(st.booleans()):
            tree.recall(node.id, SPEC)
            recalled.add(node.id)
    stored = {node.id: node for node in recorded}
    stored.update((node.id, node) for node in tree.settle())
    for node in recorded:
        if node.id in recalled:
            assert stored[node.id] == tree.nodes[node.id]
        else:
            assert stored[node.id].state in ("pruned", "final", "failed")
            assert stored[node.id].state == node.state or stored[node.id].why
    assert tree.settle() == []


def test_keeping_is_for_the_undecided():
    tree = filled([Node("r.0", ROOT, "a", "step"), Node("r.1", ROOT, "b", "step", state="pruned", why="worse")])
    for node_id in ("r.0", "r.1", ROOT):
        tree.keep(node_id)
    assert (tree.nodes["r.0"].state, tree.nodes["r.1"].state) == ("kept", "pruned")
    with pytest.raises(StrategyFault):
        tree.depth("r.7")


@given(grown(), st.text(), st.sampled_from(["pruned", "failed"]))
def test_evolve_is_replace(nodes, why, state):
    for node in nodes:
        assert evolve(node, why=why, state=state) == replace(node, why=why, state=state)
        assert evolve(node) == node
