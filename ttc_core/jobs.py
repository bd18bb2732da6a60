"""What verifiers ask of models, and what engines compute: requests, jobs, replies and the two interfaces.

A verifier is a generator like a strategy. It yields lists of `Evaluate` and `Grade` and returns `StepScores`. The
scorer turns an `Evaluate` into a job for the model's engine, in one of two ways. Without a layout the node's tokens are
forwarded behind the engine's own prompt and the solution so far. With a layout, which belongs to the verifier, the
model is given exactly the text of a `Reading` and read where that says; an engine knows no format of any verifier.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ttc_core.types import Ask, Finish, Node, Problem, Until

# --- what a verifier yields ------------------------------------------------------------------------------------------

Message = tuple[str, str]  # role ("system", "user", "assistant") and content
Chat = Callable[[Sequence[Message], bool], str]  # as `Engine.chat`


@dataclass(frozen=True, slots=True)
class Reading:
    """The exact text that a model is given, and where it is read.

    pieces    texts that are encoded one by one, their tokens put together; most formats have one
    marks     increasing character positions in the joined text: the token is read that holds the character before the
              mark, one for each step of the node (and of this node alone), or one at the end
    begin     the tokenizer's beginning-of-text token comes first, if it has one
    tag       where given, each token read has to be the one that the tokenizer makes of this text
    messages  the same as a conversation, for servers that take no text
    """

    pieces: tuple[str, ...]
    marks: tuple[int, ...]
    begin: bool = True
    tag: str = ""
    messages: tuple[Message, ...] = ()

    @property
    def text(self) -> str:
        """All of it."""
        return "".join(self.pieces)


Layout = Callable[[str, str, str, Chat], Reading]  # of (question, solution before the node, the node's text, chat)


@dataclass(frozen=True, slots=True)
class Evaluate:
    """Forward the node being scored, after its context, through `model`; the reply is an `Evaluated`.

    read: tokens whose logits are wanted at every step end of the node, or at every mark of its reading: ids, or texts
    that stand for the last token which the tokenizer makes of them. attempts > 0: the context shows so many of the
    latest attempts before the node's solution, as in the model's prompt for revising them. layout: what the model is
    given instead of its own prompt and the solution; it is then read at the marks, its own head where `read` is empty.
    write > 0: with a layout, let the model go on from the end of the text, at most so many tokens, always the
    likeliest; the reply has the text.
    """

    model: str
    read: tuple[int | str, ...] = ()
    attempts: int = 0
    layout: Layout | None = None
    write: int = 0


@dataclass(frozen=True, slots=True)
class Grade:
    """Compare the node's answer with the problem's ground truth; the reply is True, False or None: nobody can say."""


@dataclass(frozen=True, slots=True)
class StepScores:
    """values: P(right so far) at each step end of the node, each in [0, 1]; carry: handed on to its children."""

    values: tuple[float, ...]
    carry: tuple[float, ...] = ()


Scoring = Generator[list[Evaluate | Grade], list[Any], StepScores]


class Verifier(Protocol):
    """Scores a node step by step, with the models it names. It may say two things more, both false unless it does:

    upper_bound: it looks at the ground truth; confidence: it wants samples to hold the confidence of each token.
    """

    name: str
    models: tuple[str, ...]

    def score(self, problem: Problem, node: Node, carry: tuple[float, ...]) -> Scoring:
        """Yield what to ask, receive the replies in order, return the step scores. carry: the parent's, () at the root.

        Raises:
            EngineError: this score cannot be had; UserError: none can, in this search.
        """
        ...


# --- what an engine computes -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of context. `tokens` hold only for the tokenizer named; an engine with another one encodes `text`.

    cuts: increasing indices into the tokens where other contexts that begin like this one may go on differently.
    """

    text: str
    tokens: tuple[int, ...] = ()
    tokenizer: str = ""
    cuts: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class GenerateJob:
    """Continue `context`. `ticket` is unique within an engine's life. The n samples of a request are n jobs.

    confidence k > 0: reply with the confidence of each token, over the k most likely ones (or all if there are fewer).
    """

    ticket: int
    context: tuple[Segment, ...]
    seed: int
    until: Until = "step"
    steps: int = 1
    temperature: float = 1.0
    max_tokens: int = 256
    confidence: int = 0


@dataclass(frozen=True, slots=True)
class EvaluateJob:
    """Forward `target` after `context`; logits of the tokens in `read` at every step end of the target.

    With a `reading` neither counts: forward its text, reply at its marks with the logits of `read`, or with the values
    of the model's own head where `read` is empty. write > 0: reply with what the model writes behind it, greedily.
    """

    ticket: int
    context: tuple[Segment, ...]
    target: Segment
    read: tuple[int | str, ...] = ()
    reading: Reading | None = None
    write: int = 0


Job = GenerateJob | EvaluateJob


@dataclass(frozen=True, slots=True)
class Generated:
    """Reply to a GenerateJob. `error` set means that nothing else counts.

    computed / cached: context tokens forwarded for this job / found in the cache. confidences: as `Node`, if asked for.
    """

    ticket: int
    text: str = ""
    tokens: tuple[int, ...] = ()
    tokenizer: str = ""
    steps: int = 0
    finish: Finish = "end"
    logprob: float | None = None
    generated: int = 0
    computed: int = 0
    cached: int = 0
    error: Exception | None = None
    confidences: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Evaluated:
    """Reply to an EvaluateJob.

    logprobs   natural-log probability of each target token given all before it, length T; () for a reading
    step_ends  indices into the target tokens at which a step ends, length S (the last token always counts as one); ()
               for a reading
    logits     one row per step end or mark, one column per token in `read`: (S, len(read)); a row may lack a constant
    values     one row per mark, what the model's own head gives there, before any sigmoid or softmax: (S, labels)
    text       what the model wrote
    computed   tokens forwarded for this job, those written included
    """

    ticket: int
    logprobs: tuple[float, ...] = ()
    step_ends: tuple[int, ...] = ()
    logits: tuple[tuple[float, ...], ...] = ()
    computed: int = 0
    cached: int = 0
    error: Exception | None = None
    values: tuple[tuple[float, ...], ...] = ()
    text: str = ""


class Engine(Protocol):
    """One loaded model. Synchronous: `submit` queues, `poll` works or waits and returns what finished.

    One that has `deadline`, in seconds of its clock, is taken to hang when it has answered nothing for so long; for
    others that is TTC_PATIENCE. `heard`, where it has it, rises with every sign of life besides answers. One whose
    process has ended replies with `EngineGone` and says so by `gone`.
    """

    name: str
    parameters: int
    capacity: int  # how many jobs it can usefully hold at a time

    def prompt(self, problem: Problem, attempts: Sequence[str] = (), ask: Ask = "") -> Segment:
        """The model's own prompt for this question; with `attempts`, for revising them (the latest last).

        ask: for a critique of the last of them, or for its rewrite after a critique; both see solutions and critiques.

        Raises:
            UserError: the model was not made for this.
        """
        ...

    def chat(self, messages: Sequence[Message], answer: bool = False) -> str:
        """A conversation as this model's chat template writes it. answer: up to where the assistant's answer begins.

        Raises:
            UserError: the model has no chat template.
        """
        ...

    def submit(self, jobs: list[Job]) -> None:
        """Queue jobs; never blocks on work."""
        ...

    def poll(self, timeout: float = 0.0) -> list[Generated | Evaluated]:
        """Work (or wait, at most `timeout` seconds) and return the replies that became ready, [] if none."""
        ...

    def cancel(self, tickets: set[int]) -> None:
        """Forget these jobs; no reply comes for them."""
        ...

    def now(self) -> float:
        """Seconds on this engine's clock (virtual for the scripted engine)."""
        ...
