"""Does a model, or a verifier, do what searches need? A few probes, each with what was found and what to change."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ttc_core import grading, models, prompts
from ttc_core.backend import Backend
from ttc_core.errors import EngineBusy, EngineError, TTCError
from ttc_core.jobs import Engine, Evaluated, Generated, GenerateJob, Job, Segment
from ttc_core.scoring import Scorer
from ttc_core.tree import Tree
from ttc_core.types import ROOT, Node, Problem

PATIENCE = 600.0  # seconds for one probe: a server may load its model first
SEED = 7
LIKELIEST = 20


@dataclass(frozen=True)
class Check:
    """One probe. ok: None where it is good to know and nothing depends on it; advice: what to change if it is not."""

    name: str
    ok: bool | None
    found: str
    advice: str = ""


@dataclass(frozen=True)
class Worked:
    """An example: a question, a right and a wrong solution, each step ended by the delimiter, and both answers."""

    problem: Problem
    right: str
    wrong: str
    wrong_answer: str


_QUESTION, _RIGHT, _ANSWER = prompts.EXAMPLES[2]
_SLIP = (
    "Let the width be $w$; then the length is $3w$.\n\n"
    "The perimeter is $w + 3w = 4w = 48$, so $w = 12$ and the length is 36.\n\n"
    "The area is $12 \\cdot 36 = 400$."
)
ENGLISH = Worked(
    Problem("doctor", _QUESTION, _ANSWER, metadata={"grader": "math"}),
    f"{_RIGHT}\n\nThe answer is $\\boxed{{{_ANSWER}}}$.",
    f"{_SLIP}\n\nThe answer is $\\boxed{{400}}$.",
    "400",
)
BUNDLED = Worked(  # in the language that the embedded family speaks
    Problem(
        "doctor",
        "Ana has 8 cards. Sam has 10 cards. They put all in one pile and make 3 equal parts. Ana keeps one. "
        "Ana shares with 2 others equally. Ana makes 4 more. Ana doubles the pile. How many cards does Ana have now?",
        "12",
        metadata={"grader": "numeric"},
    ),
    "8 + 10 = 18\n18 / 3 = 6\n6 / 3 = 2\n2 + 4 = 6\n6 + 6 = 12\nAnswer: 12\n",
    "8 + 10 = 18\n18 / 3 = 6\n6 + 3 = 9\n9 + 4 = 13\n13 + 13 = 26\nAnswer: 26\n",
    "26",
)


class Probes:
    """Hands jobs to engines and waits for their replies, one at a time."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self._ticket = 0

    def generate(self, engine: Engine, context: tuple[Segment, ...], **wanted: Any) -> Generated:
        """The reply to a job.

        Raises:
            EngineError: there is none.
        """
        reply = self.reply(engine, lambda ticket: GenerateJob(ticket, context, **{"seed": SEED, **wanted}))
        if not isinstance(reply, Generated):
            raise EngineError("the engine answered something else")
        return reply

    def reply(self, engine: Engine, make: Callable[[int], Job]) -> Generated | Evaluated:
        """The reply to the job that `make` makes of a ticket.

        Raises:
            EngineError: there is none.
        """
        self._ticket += 1
        engine.submit([make(self._ticket)])
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            for reply in engine.poll(0.05):
                if isinstance(reply.error, TTCError):
                    raise reply.error
                if reply.error is not None:
                    raise EngineError(str(reply.error)) from reply.error
                return reply
        engine.cancel({self._ticket})
        raise EngineBusy(f"no answer within {PATIENCE:g} s")


def _weights(card: models.ModelCard) -> Iterator[Check]:
    """Whether the weights are the recorded ones; of weights of one's own nothing need be recorded."""
    same = models.as_recorded(card)
    if same is None and (card.folder / models.WEIGHTS).is_file():
        yield Check("weights", None, "no sum is recorded: taken as they are", "`make sums` records one")
    elif same is not None:
        found = "as SHA256SUMS records them" if same else "another file than SHA256SUMS records"
        yield Check("weights", same, found, "" if same else "fetch them again, or record the new ones: make sums")


def examine_model(name: str, backend: Backend) -> Iterator[Check]:
    """The checks of a model that writes solutions, each as soon as it is done.

    Raises:
        UnknownName: there is no such model.
    """
    card = models.find(name, policy=True)
    yield from _weights(card)
    example = BUNDLED if card.engine == "embedded" else ENGLISH
    probes = Probes(backend)
    began = time.monotonic()
    try:
        engine = backend.engine(name)
        prompt = engine.prompt(example.problem)
        whole = probes.generate(engine, (prompt,), until="end")
    except TTCError as error:
        yield Check("reached", False, str(error), error.hint)
        return
    speed = f"{whole.generated} tokens" if whole.generated else f"{len(whole.text)} characters"
    yield Check("reached", True, f"{speed} in {time.monotonic() - began:.1f} s with loading")
    yield Check(
        "ends by itself", whole.finish == "end", f"finish: {whole.finish}", "" if whole.finish == "end" else
        "raise max_tokens, or add what the model writes after a solution to stop",
    )  # fmt: skip
    yield _answer(whole.text, example.problem)
    yield from _tried("steps", lambda: _steps(probes, engine, prompt))
    yield from _tried("seeds", lambda: _seeds(probes, engine, prompt))
    yield from _tried("log-probabilities", lambda: _logprobs(probes, engine, prompt, whole))


def _tried(name: str, probe: Callable[[], Sequence[Check]]) -> Sequence[Check]:
    try:
        return probe()
    except TTCError as error:
        return [Check(name, False, str(error), error.hint)]


def _answer(text: str, problem: Problem) -> Check:
    grader = str(problem.metadata["grader"])
    answer = grading.read(text, grader)
    if answer is None:
        return Check("answer", False, "no final answer in its solution", "try another template, or set final and stop")
    right = grading.grade(answer, problem.answer, grader)
    said = {True: "right", False: "wrong, which a small model may be", None: "not graded"}[right]
    return Check("answer", True, f"{answer} ({said})")


def _steps(probes: Probes, engine: Engine, prompt: Segment) -> Sequence[Check]:
    """A step, the next one behind it, and whether what both began with was computed once."""
    first = probes.generate(engine, (prompt,), until="step")
    found = first.text.strip().splitlines()
    if first.finish != "step":
        advice = "set step to what stands between the model's steps; its replies show it"
        return [Check("steps", False, f"no step end in {len(first.text)} characters", advice)]
    checks = [Check("steps", True, f"the first: {found[0][:60] if found else ''}")]
    said = Segment(first.text, first.tokens, first.tokenizer)
    second = probes.generate(engine, (prompt, said), until="step")
    again = second.text.strip() == first.text.strip()
    advice = 'the server starts anew: set continues to "prefix", "plain" or "no", or name a chat_format'
    checks.append(
        Check("goes on from a step", not again, "it repeats the step" if again else "yes", advice if again else "")
    )
    if not second.computed + second.cached:
        checks.append(Check("prefix reuse", None, "the engine does not say", "costs count no prompt tokens"))
    else:
        shown = f"{second.cached} of {second.computed + second.cached} prompt tokens were found in the cache"
        advice = "" if second.cached else "is prefix caching on? caches of blocks keep no prompts as short as this"
        checks.append(Check("prefix reuse", True if second.cached else None, shown, advice))
    return checks


def _seeds(probes: Probes, engine: Engine, prompt: Segment) -> Sequence[Check]:
    one, same, other = (
        probes.generate(engine, (prompt,), until="end", seed=seed).text for seed in (SEED, SEED, SEED + 1)
    )
    if one != same:
        advice = "runs cannot be repeated exactly; where the server takes no seeds, say seeds = false"
        return [Check("seeds", None, "the same seed gave another text", advice)]
    if one == other:
        many = {probes.generate(engine, (prompt,), until="end", seed=SEED + i, temperature=2.0).text for i in (2, 3, 4)}
        if len(many) == 1:
            advice = "every sample is the same, so search has nothing to choose from: the server ignores temperature"
            return [Check("seeds", False, "any seed gives the same text", advice)]
    return [Check("seeds", True, "the same seed gives the same text, another one another text")]


def _logprobs(probes: Probes, engine: Engine, prompt: Segment, whole: Generated) -> Sequence[Check]:
    if whole.logprob is None:
        return [Check("log-probabilities", None, "none", "self_certainty and confidence votes need them")]
    counted = "" if whole.tokens else 'self_certainty needs the tokens\' ids too, or measure = "confidence"'
    checks = [Check("log-probabilities", not counted or None, f"{whole.logprob:.2f} for the whole solution", counted)]
    sure = probes.generate(engine, (prompt,), until="end", confidence=LIKELIEST).confidences
    advice = "" if sure else "confidence votes need the likeliest tokens at each place"
    return [*checks, Check("confidences", True if sure else None, f"of {len(sure)} tokens", advice)]


# --- verifiers -------------------------------------------------------------------------------------------------------


def examine_verifier(name: str, backend: Backend) -> Iterator[Check]:
    """The checks of a verifier, each as soon as it is done.

    Raises:
        UnknownName: there is no such verifier.
    """
    card = models.find(name, policy=False)
    yield from _weights(card)
    example = BUNDLED if card.engine == "embedded" else ENGLISH
    try:
        verifier = backend.verifier(name)
        for model in verifier.models:
            backend.engine(model)
    except TTCError as error:
        yield Check("reached", False, str(error), error.hint)
        return
    right, again, wrong = (
        _scored(example.problem, text, answer, name, backend)
        for text, answer in (
            (example.right, example.problem.answer),
            (example.right, example.problem.answer),
            (example.wrong, example.wrong_answer),
        )
    )
    for node in (right, wrong):
        if not node.scores and not verifier.models:
            advice = "`doctor --model M` says whether the engine of M gives log-probabilities and confidences"
            yield Check("scores", None, "reads what is recorded while a policy samples: no example has that", advice)
            return
        if not node.scores:
            yield Check("scores", False, node.why, "is the model the one that this kind of verifier reads?")
            return
    shown = "; ".join(" ".join(f"{score:.3f}" for score in node.scores) for node in (right, wrong))
    yield Check("scores", True, f"right and wrong example: {shown}")
    steps = [part for part in example.right.split("\n" if example is BUNDLED else "\n\n") if part.strip()]
    one = len(right.scores) == 1
    found = f"{len(right.scores)} scores for {len(steps)} steps"
    advice = "" if one or len(right.scores) == len(steps) else "set step, and the tag, as the model was trained with"
    yield Check("step ends found", None if one else len(right.scores) == len(steps), found, advice)
    close = max(abs(a - b) for a, b in zip(right.scores, again.scores or (2.0,), strict=False)) < 1e-3
    yield Check("the same twice", True if close else None, "yes" if close else "the scores differ")
    higher = right.scores[-1] > wrong.scores[-1]
    advice = "" if higher else "one example proves little, but check its tokens, its labels and its prompt"
    yield Check("right above wrong", higher, f"{right.scores[-1]:.3f} against {wrong.scores[-1]:.3f}", advice)


def _scored(problem: Problem, text: str, answer: str | None, name: str, backend: Backend) -> Node:
    """A node with the solution, scored, or failed with the reason."""
    tree, probes = Tree(), Probes(backend)
    tree.add(Node("r.0", ROOT, text, "end", answer=answer, state="final"))
    waiting: list[Callable[[], None]] = []

    def send(model: str, make: Callable[..., Job], arguments: tuple[Any, ...], receive: Callable[[Any], None]) -> None:
        def work() -> None:
            try:
                receive(probes.reply(backend.engine(model), lambda ticket: make(ticket, *arguments)))
            except EngineError as error:
                receive(Evaluated(0, error=error))

        waiting.append(work)

    scorer = Scorer(tree, problem, backend.verifier(name), backend, send, "none")
    scorer.charge, scorer.failed = (lambda reply, parameters: None), (lambda: None)
    try:
        scorer.score("r.0", lambda node: None)
        while waiting:
            waiting.pop(0)()
    except TTCError as error:
        tree.change("r.0", state="failed", why=str(error))
    return tree.nodes["r.0"]
