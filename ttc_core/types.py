"""The frozen values that strategies, scheduler and store exchange; what models are asked is in `ttc_core/jobs.py`.

A search is a tree of `Node`s under one problem. A node is what one `Sample` request brought: one reasoning step, a few
steps, or a whole solution. Its id is its path: the root is ``"r"``, its fourth sample ``"r.3"``, that node's first
``"r.3.0"``. Ids therefore depend on nothing but the search itself, and seeds are derived from them.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

NodeId = str
ROOT: NodeId = "r"
GIVEN = "given"  # `Node.spec` of the text that a search begins with
TEMPERATURE = 1.0  # of samples where nobody names another

Until = Literal["step", "end"]
Ask = Literal["", "critique", "rewrite"]
Finish = Literal["step", "end", "length", "error"]
State = Literal["open", "kept", "pruned", "final", "failed"]


def child_id(parent: NodeId, index: int, branch: str = "") -> NodeId:
    """Id of the sample number `index` (from 0) below `parent`, in its own numbering when a `branch` is named."""
    return f"{parent}.{branch}{index}"


@dataclass(frozen=True, slots=True)
class Problem:
    """One question. `answer` is the ground truth or None when nobody knows it; strategies never look at it."""

    id: str
    question: str
    answer: str | None = None
    dataset: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Budget:
    """What a search may spend, in generations: complete sampled solutions' worth of work (the paper's unit)."""

    generations: int


@dataclass(frozen=True, slots=True)
class Node:
    """One sampled piece of a solution, as recorded.

    text         what the model wrote here, delimiter included
    tokens       its token ids, () where the engine does not give them
    steps        how many reasoning steps the text holds (>= 1 unless failed)
    finish       "step": stopped at a step end; "end": the solution is complete; "length": cut off; "error": no reply
    answer       canonical final answer when finish == "end" and one was found
    logprob      sum of the natural-log probabilities of its tokens at temperature 1 under the policy, None if unknown
    scores       verifier's P(right so far) at each step end in this node, () until scored; each in [0, 1]
    path_scores  the scores of all steps of its solution through this node
    carry        what the verifier wants handed on to the children's scoring
    confidences  of each token: minus the mean natural-log probability of the 20 likeliest there; () if not asked for
    state, why   "open" while undecided, "kept" when sampled further, "pruned" with the reason, "final", "failed"
    spec         how it was sampled (until, steps, temperature): a recorded node only answers an equal request

    Below a complete node hangs a revision or a critique of it: a text of its own, whose steps and scores start anew.
    """

    id: NodeId
    parent: NodeId
    text: str
    finish: Finish
    tokens: tuple[int, ...] = ()
    steps: int = 1
    answer: str | None = None
    logprob: float | None = None
    scores: tuple[float, ...] = ()
    path_scores: tuple[float, ...] = ()
    carry: tuple[float, ...] = ()
    confidences: tuple[float, ...] = ()
    state: State = "open"
    why: str = ""
    spec: str = ""

    @property
    def complete(self) -> bool:
        """It cannot be continued (only revised): the solution ended, was cut off or failed."""
        return self.finish != "step"

    @property
    def score(self) -> float | None:
        """The last step's score, None while unscored."""
        return self.scores[-1] if self.scores else None


# --- what a strategy yields, and what it receives for each -----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Sample:
    """Sample `n` continuations of `node`, numbered from `first`; the reply is `Sampled`.

    until="step" stops after `steps` reasoning steps, until="end" at the end of the solution. temperature None means
    the run's own. branch keeps samples with another purpose (a lookahead's rollouts) apart from the continuations.
    attempts > 0 samples a revision below a complete node: a new solution written in sight of that many of the latest
    attempts, `node` the last of them. ask="critique" samples what is wrong with that solution instead, and
    ask="rewrite", below the critique, a better one; critiques then count among the attempts.
    confidence: the nodes shall hold the confidence of each token.
    """

    node: NodeId
    n: int = 1
    first: int = 0
    until: Until = "step"
    steps: int = 1
    temperature: float | None = None
    branch: str = ""
    attempts: int = 0
    ask: Ask = ""
    confidence: bool = False


@dataclass(frozen=True, slots=True)
class Score:
    """Let the verifier score these nodes; the reply is `Scored`. Parents must have been scored before."""

    nodes: tuple[NodeId, ...]


@dataclass(frozen=True, slots=True)
class Prune:
    """Record that these nodes are given up and why; the reply is None."""

    nodes: tuple[NodeId, ...]
    why: str


@dataclass(frozen=True)
class Parallel:
    """Run sub-searches side by side without a barrier; the reply is the tuple of their return values, in order."""

    searches: tuple[Generator[list[Request], list[Any], Any], ...]


Request = Sample | Score | Prune | Parallel


@dataclass(frozen=True, slots=True)
class Sampled:
    """The continuations that came, in sample order; `failed` did not come and are left out."""

    nodes: tuple[Node, ...]
    failed: int = 0


@dataclass(frozen=True, slots=True)
class Scored:
    """The nodes with their scores, in the order asked; those whose score failed are left out and counted."""

    nodes: tuple[Node, ...]
    failed: int = 0


@dataclass(frozen=True, slots=True)
class Candidate:
    """A complete solution that took part in the final choice.

    score: in [0, 1], the aggregated step score, or the policy's confidence as a share of the surest candidate's; None
    for methods without either; weight: total weight of its answer's group after selection.
    """

    node: NodeId
    answer: str | None
    score: float | None
    weight: float = 0.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a search returns. `excluded` counts candidates left out because sampling or scoring them failed."""

    answer: str | None
    chosen: NodeId | None
    candidates: tuple[Candidate, ...]
    excluded: int = 0

    def lost(self, usage: Usage) -> bool:
        """Whether nobody can say if it is right, as no candidate is left and models failed: that is no wrong answer."""
        return not self.candidates and usage.failed_samples + usage.failed_scores > 0


Search = Generator[list[Request], list[Any], Outcome]


class Strategy(Protocol):
    """A frozen dataclass whose fields are hyper-parameters (`registry.param`); see also `registry.not_extendable`."""

    def run(self, problem: Problem, budget: Budget, rng: Any) -> Search:
        """Yield lists of requests, receive their replies in the same order, return the outcome."""
        ...


# --- what a run costs ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Usage:
    """What a search cost. Tokens are forwarded tokens; FLOPs = 2 x parameters x tokens (Kaplan et al. 2020)."""

    generations: int = 0
    prompt_tokens_computed: int = 0
    prompt_tokens_cached: int = 0
    generated_tokens: int = 0
    verifier_tokens: int = 0
    policy_flops: float = 0.0
    verifier_flops: float = 0.0
    seconds: float = 0.0
    failed_samples: int = 0
    failed_scores: int = 0

    @property
    def policy_tokens(self) -> int:
        """Tokens the policy forwarded: prompt computed + generated."""
        return self.prompt_tokens_computed + self.generated_tokens


NO_USAGE = Usage()

# --- what a run is ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RunSpec:
    """Everything that determines a run; equal specs give equal trees.

    grader: what reads and compares answers; prefix: the first steps of every solution, given instead of sampled.
    temperature: None for the model's own, which `runs_checks.checked` writes out.
    """

    question: str
    strategy: str
    budget: int
    seed: int = 0
    params: Mapping[str, Any] = field(default_factory=dict)
    dataset: str = ""
    problem_id: str = ""
    answer: str | None = None
    model: str = "mini-s"
    verifier: str = "mini-implicit"
    temperature: float | None = None
    grader: str = "numeric"
    prefix: tuple[str, ...] = ()

    @property
    def heat(self) -> float:
        """The temperature that samples are drawn at where a request names none."""
        return TEMPERATURE if self.temperature is None else self.temperature


Status = Literal["pending", "running", "done", "failed", "stopped"]
