"""Attempts in the embedded engine's prompt: the ids a reviser is trained on, room for an answer, shared keys."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.conformance.harness import run, spec
from ttc_core import registry
from ttc_core.engines.embedded import Embedded
from ttc_core.engines.embedded.engine import ROOM
from ttc_core.errors import UserError
from ttc_core.jobs import GenerateJob
from ttc_core.lab import vocabulary
from ttc_core.settings import DATA
from ttc_core.types import Problem

FOLDER = DATA / "models" / "mini-s"
ATTEMPTS = ["8 + 10 = 18\nAnswer: 18\n", "8 + 10 = 17\nAnswer: 17\n", "odd \x00 text", "", "Answer: 4\n"]


@pytest.fixture(scope="module")
def problems():
    return list(registry.get("dataset", "mini-validation")())[:8]


@pytest.fixture(scope="module")
def reviser():
    """The bundled policy under a card that lets it revise: poor revisions, but a reviser's prompts."""
    return Embedded("mini-s", FOLDER, revises=4)


def test_the_prompt_is_the_one_the_lab_trains_on(reviser, problems):
    plain = Embedded("mini-s", FOLDER)
    odd = [Problem(str(i), text) for i, text in enumerate(("", "How?\n\n", "% of  mod Answer: \n"))]
    for problem in [*problems, *odd]:
        for k in range(5):
            prompt = reviser.prompt(problem, ATTEMPTS[:k])
            assert list(prompt.tokens) == vocabulary.prompt(problem.question, ATTEMPTS[:k])
            assert prompt.text == problem.question + "".join(ATTEMPTS[:k]) + "\n"
        written_at_once = (plain.tokenizer.bos, *plain.tokenizer.encode(problem.question + "\n"))
        assert reviser.prompt(problem).tokens == plain.prompt(problem).tokens == written_at_once


def test_the_lab_puts_attempts_with_their_ends_between_question_and_line_end():
    tokens = vocabulary.prompt("How many?", ["Answer: 2\n", "Answer: 3\n"])
    words = [vocabulary.vocabulary()[t] for t in tokens]
    assert words == [
        "<bos>",
        "<unk>",
        " many",
        "?",
        *("Answer: ", "2", "\n", "<eos>"),
        *("Answer: ", "3", "\n", "<eos>"),
        "\n",
    ]


def test_it_shows_the_latest_attempts_it_was_trained_with(reviser, problems):
    assert reviser.prompt(problems[0], ATTEMPTS) == reviser.prompt(problems[0], ATTEMPTS[1:])


def test_the_oldest_attempts_make_room(reviser, problems):
    long = "1 + 1 = 2\n" * 120  # 600 tokens each
    prompt = reviser.prompt(problems[0], [long, long, long, "Answer: 2\n"])
    assert prompt == reviser.prompt(problems[0], [long, long, "Answer: 2\n"])
    assert reviser.model.longest - 600 < len(prompt.tokens) + ROOM <= reviser.model.longest
    one = reviser.prompt(problems[0], [long * 4])  # nothing can be left out: the job's own error says so
    reviser.submit([GenerateJob(1, (one,), 0)])
    [reply] = reviser.poll()
    assert "tokens" in str(reply.error)


def test_a_model_that_does_not_revise_or_criticise_says_who_does(reviser, problems):
    with pytest.raises(UserError, match="mini-s was not made to revise its own attempts"):
        Embedded("mini-s", FOLDER).prompt(problems[0], ["Answer: 3\n"])
    for ask in ("critique", "rewrite"):
        with pytest.raises(UserError, match="mini-s was not made to criticise"):
            reviser.prompt(problems[0], ["Answer: 3\n"], ask)


class Revising:
    """The bundled policy, taken for a reviser."""

    def __init__(self):
        self.policy = Embedded("mini-s", FOLDER, revises=2)

    def engine(self, name):
        return self.policy

    def verifier(self, name):
        raise AssertionError("majority needs none")


def test_chains_on_the_embedded_engine_compute_each_shared_token_once(problems):
    backend = Revising()
    asked = replace(spec("revisions", 6, chains=2, select="majority", context=2), verifier="")
    [result] = run([asked], backend, problems=problems[:1])
    assert result.error is None and result.usage.generations == len(result.nodes) == 6
    contexts: list[tuple[int, ...]] = []
    for node_id in result.nodes:
        above = [".".join(node_id.split(".")[:depth]) for depth in range(2, node_id.count(".") + 1)]
        attempts = [result.nodes[i].text for i in above][-2:]
        contexts.append(sum(backend.policy.tokenizer.prompt(problems[0].question, attempts), ()))
    least = len({context[:length] for context in contexts for length in range(1, len(context) + 1)})
    every = sum(map(len, contexts))
    assert result.usage.prompt_tokens_computed == least < every / 2
    assert result.usage.prompt_tokens_cached == every - result.usage.prompt_tokens_computed


def test_shared_pieces_do_not_change_a_token(problems, reviser):
    prompts = [reviser.prompt(p, ATTEMPTS[:k]) for p in problems[:3] for k in (0, 1, 2)]
    whole = [type(p)(p.text, p.tokens, p.tokenizer) for p in prompts]
    texts = []
    for contexts in (prompts, whole):
        engine = Embedded("mini-s", FOLDER, revises=4)
        engine.submit([GenerateJob(i, (context,), i, "end") for i, context in enumerate(contexts)])
        replies = {}
        while len(replies) < len(contexts):
            replies |= {r.ticket: (r.text, r.logprob) for r in engine.poll()}
        texts.append(replies)
    assert texts[0] == texts[1]
