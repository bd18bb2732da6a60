"""The compute-optimal strategy (Snell et al. 2024, arXiv 2408.03314, section 3.2, equation 1).

theta*(q, N) = argmax over strategies theta of the expected accuracy at budget N, approximated as in the paper by the
best strategy in the question's bin of predicted difficulty: the mean final verifier score over a few of its solutions.
The paper predicts from 2048 solutions and does not charge them; here they are few and charged.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import ClassVar

from ttc_core import policies
from ttc_core.policies import Choice, Policy
from ttc_core.registry import param, strategy
from ttc_core.selection import candidates, choose
from ttc_core.solutions import Found, after, solutions, solved
from ttc_core.types import Budget, Problem, Prune, Search


@strategy("compute_optimal")
@dataclass(frozen=True)
class ComputeOptimal:
    """Predict how hard the question is from a few solutions, then run what a fitted policy names. Costs N at most.

    The solutions that predict are part of the N: a strategy that samples whole solutions goes on from them, any other
    gets N less their number, and they vote with what it finds. The policy is looked up by the generations left after
    predicting. It may say that one choice suits all questions of a budget, which is then run at once, and that a choice
    is better with less than there is: the rest stays unspent. The predicting solutions say what was chosen, and for
    which models the policy was fitted: with others it runs as well, but its choices may not be the best ones. A search
    that is resumed or extended follows the file as it is then.
    """

    rank_based: ClassVar[bool] = False  # the bins part the scores themselves
    goes_on: ClassVar[bool] = False  # another budget may have another strategy, which has no use for what is there

    policy: str = param("mini", help="name of the policy file in data/policies")
    probe: int = param(
        0, min=0, max=1024, help="solutions sampled to predict difficulty; 0: as fitted, at budgets where that pays"
    )

    def __post_init__(self) -> None:
        """Refuse a policy that cannot be followed before anything is run."""
        policies.load(self.policy)

    def run(self, problem: Problem, budget: Budget, rng: Random) -> Search:
        """Where predicting takes the whole budget, or nothing is left, the answer is chosen among its solutions."""
        policy, n = policies.load(self.policy), budget.generations
        choice = None if self.probe else policy.unpredicted(n)
        found: Found = []
        if choice is None:
            found = yield from solutions(0, min(self.probe or policy.probe, n))
            came = solved(found)
            probed = choose(candidates(came, policy.aggregate), "weighted", found.count(None))
            left = n - len(found)
            if not left:
                return probed
            score = policies.predicted(probed.candidates)
            choice = policy.choice(left, policy.bin(score))
            yield [Prune(tuple(node.id for node in came), _why(policy, score, choice))]
        return (yield from after(found, choice.strategy, choice.params, problem, budget, rng, choice.generations))


def _why(policy: Policy, score: float | None, choice: Choice) -> str:
    """What a person is told on the nodes that predicted."""
    said = "no score" if score is None else f"mean score {score:.3f}"
    bins = f"bin {policy.bin(score) + 1} of {len(policy.thresholds) + 1}, the first the hardest"
    most = "" if choice.generations is None else f", with {choice.generations} generations at most"
    return (
        f"predicts difficulty: {said}, {bins}; policy {policy.name}, fitted for {policy.model} with {policy.verifier}, "
        f"runs {choice.strategy} on what is left{most}"
    )
