"""Our tree searches against treequest's on the same scores.

Where and why we differ:
* best-first: among equal scores theirs takes the shallower step, ours the earlier one (all our ties go to the earlier);
  theirs never stops by itself and has no end of a solution, ours has room for N steps at each depth (our unit of cost).
* breadth-first (tree of thoughts): theirs starts with one single first step, whatever the limits; our beam search with
  N. Below that they agree: N/M places with M continuations each are their breadth_limit and size_limit.
* MCTS is not compared: theirs adds c P sqrt(log N(parent) / N), ours the c P sqrt(N(parent)) / (1 + N) of PUCT.
* AB-MCTS-A: theirs also chooses among several models ("actions"), ours has one; theirs draws from numpy's and scipy's
  global random numbers and gives up an exact repetition, ours draws from the run's own. The posteriors are the same.
"""

from __future__ import annotations

from collections import Counter

import pytest

from tests.external.worlds import Children, Forest, ours
from ttc_core.strategies.ab_mcts import Evidence, beta, gaussian
from ttc_core.types import ROOT

treequest = pytest.importorskip("treequest")
from scipy.stats import chi2_contingency  # noqa: E402  a dependency of treequest
from treequest.algos.ab_mcts_a.prob_state import PriorConfig, ProbabilisticDist  # noqa: E402
from treequest.algos.best_first_search import BestFirstSearchAlgo  # noqa: E402


def theirs(algorithm, forest, samples):
    """The parents of the first `samples` children that their search generated, in order."""
    children, parents = Children(), []

    def generate(parent):
        parents.append(ROOT if parent is None else parent)
        path = children(parent)
        return path, forest.score(path)

    state = algorithm.init_tree()
    for _ in range(samples):
        state = algorithm.step(state, {"sample": generate}, inplace=True)
    return parents


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("width", [1, 2, 3])
def test_best_first_continues_the_same_steps_in_the_same_order(seed, width):
    rounds = 25
    expected = theirs(BestFirstSearchAlgo(num_samples=width), Forest(seed), rounds * width)[::width]
    budget = rounds * width  # so many that no depth is used up
    _, continued = ours("best_first", Forest(seed), budget, width=width, first=width, rounds=rounds + 1)
    assert continued[:rounds] == [(step, width) for step in expected]
    assert len(set(expected)) == rounds


def test_best_first_breaks_ties_differently():
    # r.1.1.0 is deeper and was there first, r.0.0 is shallower and came later.
    scores = {"r.0": 0.6, "r.1": 0.9, "r.1.0": 0.1, "r.1.1": 0.8, "r.1.1.0": 0.5, "r.1.1.1": 0.1}
    forest = Forest(scores={**scores, "r.0.0": 0.5, "r.0.1": 0.2})
    same = [ROOT, "r.1", "r.1.1", "r.0"]
    assert theirs(BestFirstSearchAlgo(num_samples=2), forest, 10)[::2] == [*same, "r.0.0"]
    _, continued = ours("best_first", forest, 20, width=2, first=2, rounds=9)
    assert [step for step, _ in continued[:5]] == [*same, "r.1.1.0"]


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize(("breadth", "size"), [(1, 4), (2, 3), (3, 4), (4, 4)])
def test_breadth_first_is_beam_search_below_its_single_first_step(seed, breadth, size):
    """Their only first step stands for our root, so our first round is given `size` samples, the others fail."""
    levels = 5
    forest = Forest(seed, depth=levels, first=size)
    samples = 1 + size + (levels - 1) * breadth * size
    algorithm = treequest.TreeOfThoughtsBFSAlgo(breadth_limit=breadth, size_limit=size)
    below = Below(forest)
    expected = [step.replace("r.0", "r", 1) for step in theirs(algorithm, below, samples)[1::size]]
    _, continued = ours("beam_search", forest, breadth * size, width=size)
    assert continued[0] == (ROOT, breadth * size)
    assert [step for step, _ in continued] == expected
    assert {n for _, n in continued[1:]} == {size}


class Below(Forest):
    """The same forest, seen from above: its root hangs below one first step."""

    def __init__(self, forest: Forest) -> None:
        super().__init__(forest.seed)

    def score(self, path: str) -> float:
        return super().score(path.replace("r.0", "r", 1))


class Recorder:
    """What our posteriors draw with, in place of random numbers."""

    def betavariate(self, a, b):
        self.params = {"a": a, "b": b}
        return 0.5

    def gammavariate(self, shape, scale):
        self.nu = 2 * shape
        return 1.0

    def gauss(self, mean, deviation):
        kappa = self.nu  # both start at 1 and grow by 1
        tau2 = deviation**2 * kappa * 2 / self.nu
        self.params = {"m": mean, "kappa": kappa, "nu": self.nu, "tau_square": tau2}
        return mean


@pytest.mark.parametrize(("kind", "draw"), [("beta", beta), ("gaussian", gaussian)])
@pytest.mark.parametrize("n", [0, 1, 2, 7, 40])
def test_ab_mcts_posteriors_are_the_same(kind, draw, n):
    known, seen, random = ProbabilisticDist(PriorConfig(dist_type=kind)), Evidence(), Recorder()
    forest = Forest(n)
    for i in range(n):
        known.tell_observation(forest.score(f"r.{i}"))
        seen.add(forest.score(f"r.{i}"))
    draw(seen, random)
    assert random.params == pytest.approx(known.params)


ANSWERS = {"r.0": 0.3, "r.1": 0.7, "r.0.0": 0.6, "r.1.0": 0.2, "r.0.1": 0.9, "r.0.0.0": 0.1}
RUNS = 500


def shapes_of_theirs(kind):
    """How often each tree of four answers grew: the first two, then one more decision between them and a new one."""
    forest = Forest(scores=ANSWERS)
    return Counter(tuple(theirs(treequest.ABMCTSA(dist_type=kind), forest, 4)) for _ in range(RUNS))


def shapes_of_ours(kind):
    forest = Forest(scores=ANSWERS, depth=1)
    runs = (ours("ab_mcts", forest, 4, seed, level="answer", posterior=kind)[1] for seed in range(RUNS))
    return Counter(tuple(step for step, _ in continued) for continued in runs)


def p_value(one, other):
    """Of the hypothesis that both count draws from one distribution."""
    shapes = sorted({*one, *other})
    return chi2_contingency([[counts[shape] for shape in shapes] for counts in (one, other)]).pvalue


@pytest.mark.slow
def test_ab_mcts_grows_the_same_trees_as_often():
    import numpy as np

    np.random.seed(0)  # noqa: NPY002  theirs draws from the global state
    their = {kind: shapes_of_theirs(kind) for kind in ("beta", "gaussian")}
    our = {kind: shapes_of_ours(kind) for kind in ("beta", "gaussian")}
    for kind in our:
        assert len(our[kind]) > 5 and p_value(their[kind], our[kind]) > 1e-3, kind
    assert p_value(their["beta"], our["gaussian"]) < 1e-6, "so many runs must tell one posterior from another"
