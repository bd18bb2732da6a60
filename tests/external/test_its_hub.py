"""Our best-of-N and beam search against its-hub's choices on the same scores.

Where and why we differ:
* best-of-N: theirs knows only the best-scored solution; that is our select = "best", and of equals both take the first.
  When all solutions are equal theirs asks for no score and calls each 1.0; ours keeps the verifier's.
* beam search: the paper keeps N/M beams and samples M of each. Theirs keeps `beam_width` and samples N/beam_width of
  each, so their beam_width is our N/M. Their first round samples N/beam_width first steps instead of N.
* beam search: theirs copies a kept solution that has ended like the unfinished ones, and the copies compete, so that
  one early solution can take every place. Ours holds one place.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from random import Random

import pytest

from tests.external.worlds import Children, Forest, ours
from tests.unit.test_strategies_golden import search
from ttc_core.types import ROOT

pytest.importorskip("its_hub")
from its_hub.api import AbstractLanguageModel, AbstractOutcomeRewardModel, AbstractProcessRewardModel
from its_hub.core.algorithms.beam_search import BeamSearch
from its_hub.core.algorithms.bon import BestOfN
from its_hub.core.lms.step_generation import StepGeneration

END = "#"


class Solutions(AbstractLanguageModel):
    """Answers with the given texts in turn."""

    def __init__(self, texts):
        self.texts = iter(texts)

    async def agenerate(self, messages, stop=None, **kwargs):
        raise NotImplementedError

    async def agenerate_single(self, messages, stop=None, **kwargs):
        return {"role": "assistant", "content": next(self.texts)}


class Table(AbstractOutcomeRewardModel):
    """Scores a solution by its text."""

    def __init__(self, scores):
        self.scores = scores

    def score(self, messages, **kwargs):
        raise NotImplementedError

    async def ascore(self, messages, orchestrator=None, **kwargs):
        return [self.scores[conversation[-1].content] for conversation in messages]


@pytest.mark.parametrize("seed", range(60))
def test_best_of_n_chooses_the_same_solution(seed):
    random = Random(seed)
    n = random.randint(2, 12)
    scores = [random.choice([0.1, 0.4, 0.4, 0.7, 0.9]) for _ in range(n)]  # ties are common
    table = {f"r.{i}": (f"solution {i}", str(random.randrange(3)), value) for i, value in enumerate(scores)}
    texts = {text: value for text, _, value in table.values()}
    result = asyncio.run(BestOfN(Table(texts)).ainfer(Solutions(texts), "?", n, return_response_only=False))
    outcome, _ = search("best_of_n", table, n, select="best")
    assert [c.score for c in outcome.candidates] == result.scores
    assert outcome.chosen == f"r.{result.selected_index}"


class Steps(AbstractLanguageModel):
    """Continues the steps in an assistant's message; the step that ends a solution carries the stop mark."""

    def __init__(self, ends):
        self.children, self.ends, self.continued = Children(), ends, []

    async def agenerate(self, messages, stop=None, **kwargs):
        return [{"role": "assistant", "content": self.step(conversation)} for conversation in messages]

    def step(self, conversation):
        steps = conversation[-1].content.split("\n")[:-1] if len(conversation) > 1 else []
        parent = ".".join([ROOT, *steps])
        path = self.children(parent)
        self.continued.append(parent)
        return path.rsplit(".", 1)[1] + (END if self.ends(path) else "")


class Prefixes(AbstractProcessRewardModel):
    """Scores the last step of each solution so far."""

    def __init__(self, forest):
        self.forest = forest

    def score(self, prompt_or_messages, steps):
        return [self.forest.score(".".join([ROOT, *text.replace(END, "").split("\n")])) for text in steps]

    async def ascore(self, prompt_or_messages, steps):
        return self.score(prompt_or_messages, steps)


def theirs(forest, budget, beam_width, ends):
    """The path their beam search chose, and how many continuations each step got."""
    model = Steps(ends)
    generation = StepGeneration(max_steps=50, step_token="\n", stop_token=END)
    algorithm = BeamSearch(generation, Prefixes(forest), beam_width)
    result = asyncio.run(algorithm.ainfer(model, "?", budget, return_response_only=False))
    chosen = result.the_one["content"].replace(END, "").split("\n")
    return ".".join([ROOT, *chosen]), Counter(model.continued)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize(("budget", "kept"), [(8, 2), (12, 3), (16, 4), (12, 2)])
def test_beam_search_continues_and_chooses_the_same_steps_where_their_width_is_our_n_over_m(seed, budget, kept):
    """All solutions end at the same depth; our first round gets as many samples as theirs, the others fail."""
    each, depth = budget // kept, 5
    forest = Forest(seed, depth, first=each)
    chosen, continued = theirs(forest, budget, kept, lambda path: path.count(".") >= depth)
    outcome, log = ours("beam_search", forest, budget, width=each, select="best")
    assert log[0] == (ROOT, budget) and continued.pop(ROOT) == each
    assert dict(log[1:]) == continued
    assert outcome.chosen == chosen


def test_beam_search_of_the_same_width_keeps_n_over_m_beams_and_theirs_keeps_that_width():
    forest = Forest(3, depth=4)
    _, continued = theirs(forest, 8, 2, lambda path: path.count(".") >= 4)
    _, log = ours("beam_search", forest, 8, width=2)
    second = {step: n for step, n in continued.items() if step.count(".") == 1}
    assert sorted(second.values()) == [4, 4]  # two beams, four continuations of each
    assert [n for step, n in log if step.count(".") == 1] == [2, 2, 2, 2]  # four beams, two of each


def test_one_solution_that_ended_early_takes_all_their_places_but_one_of_ours():
    scores = {"r.0": 0.9, "r.1": 0.5, "r.2": 0.2, "r.3": 0.1}
    forest = Early(scores=scores, depth=4, first=4)
    chosen, continued = theirs(forest, 8, 2, lambda path: path == "r.0" or path.count(".") >= 4)
    assert chosen == "r.0" and set(continued) == {ROOT, "r.1"}  # its copies leave no place for what follows r.1
    _, log = ours("beam_search", forest, 8, width=4)
    assert [step.count(".") for step, _ in log] == [0, 1, 2, 3]  # one place is held, the other goes on to the end


class Early(Forest):
    """The first step r.0 is a whole solution; all below r.1 is worse."""

    def __getitem__(self, path):
        text, answer, value = super().__getitem__(path)
        return text, path if path == "r.0" else answer, value

    def score(self, path):
        return self.known.get(path, super().score(path) / 10)
