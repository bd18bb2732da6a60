"""The engine for servers against vLLM's own: the embedded family's texts, conversations, and a whole beam search."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

pytest.importorskip("vllm")

from tests.vllm.conftest import MODELS, finish, serving
from tests.vllm.searching import search
from ttc_core import prompts, runs_checks
from ttc_core.engines.embedded import Embedded
from ttc_core.engines.openai_http import OpenAIHTTP
from ttc_core.jobs import GenerateJob, Segment
from ttc_core.models import ModelCard

pytestmark = pytest.mark.vllm
TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}{{ m.content }}{% if m.role == 'user' %}{{ '\\n' }}{% endif %}{% endfor %}"
)


@pytest.fixture(scope="module")
def url(checkpoints, tmp_path_factory) -> Iterator[str]:
    """Where vLLM serves mini-s."""
    log = tmp_path_factory.mktemp("server") / "log"
    options = "--no-enable-chunked-prefill --max-num-batched-tokens 8192 --max-num-seqs 64 --block-size 32"
    with serving(checkpoints["mini-s"], log, options, "--chat-template", TEMPLATE) as address:
        yield address


def served(url, **table):
    form = {"template": "completion", "step": "\n", "final": "Answer: ", "max_tokens": 200}
    card = ModelCard(
        "served", "policy", "openai_http", 213_376, Path(), {"model": "mini", "base_url": url, **form, **table}
    )
    return OpenAIHTTP("served", card, batch=64)


def test_greedy_texts_are_the_embedded_engines(url):
    problems = runs_checks.problems("mini-test")[:100]
    texts, logs = [], []
    for engine in (Embedded("mini-s", MODELS / "mini-s"), served(url)):
        jobs = [GenerateJob(i, (engine.prompt(p),), 1, "end", temperature=0.0) for i, p in enumerate(problems)]
        replies = finish(engine, jobs)
        texts.append([reply.text.strip() for reply in replies])
        logs.append([reply.logprob for reply in replies])
        assert {reply.finish for reply in replies} == {"end"}
    assert texts[0] == texts[1]
    assert logs[0] == pytest.approx(logs[1], abs=1e-3)


def test_seeds_repeat_and_steps_follow_one_another(url):
    engine, problem = served(url), runs_checks.problems("mini-test")[2]
    prompt = engine.prompt(problem)
    whole = finish(engine, [GenerateJob(i, (prompt,), seed, "end") for i, seed in enumerate((5, 5, 6, 7))])
    assert whole[0].text == whole[1].text and len({reply.text for reply in whole}) > 1
    greedy = finish(engine, [GenerateJob(10, (prompt,), 1, "end", temperature=0.0)])[0]
    said, ticket = "", 20
    while True:
        ticket += 1
        [step] = finish(engine, [GenerateJob(ticket, (prompt, Segment(said)), 1, "step", temperature=0.0)])
        said += step.text
        if step.finish != "step":
            break
        assert step.steps == 1 and step.text.endswith("\n") and step.computed > 0
    assert said.strip() == greedy.text.strip()


def test_a_conversation_is_continued_as_its_text_would_be(url):
    problem = runs_checks.problems("mini-test")[2]
    talk, text = served(url, template="chat"), served(url)
    [first] = finish(talk, [GenerateJob(1, (talk.prompt(problem),), 1, "step", temperature=0.0)])
    assert first.finish == "step"
    [second] = finish(talk, [GenerateJob(2, (talk.prompt(problem), Segment(first.text)), 1, "step", temperature=0.0)])

    [(_, asked)] = prompts.conversation(problem)
    [same] = finish(text, [GenerateJob(3, (Segment(f"{asked}\n{first.text}"),), 1, "step", temperature=0.0)])
    assert second.text == same.text


def test_near_the_end_of_the_context_a_solution_is_cut_off_there(url):
    engine, line = served(url), "1 + 1 = 2\n"
    prompt = engine.prompt(runs_checks.problems("mini-test")[2])

    def room(lines):
        asked = {"model": "mini", "prompt": prompt.text + lines * line}
        counted = httpx.post(f"{url}/tokenize", json=asked).json()
        return counted["max_model_len"] - counted["count"]

    each = room(0) - room(1)
    lines = (room(0) - 2) // each
    left = room(lines)
    assert 2 <= left < 2 + each
    for said, fits in ((lines, left), (lines + 2, 0)):
        [reply] = finish(engine, [GenerateJob(said, (prompt, Segment(said * line)), 1, "end", temperature=0.0)])
        assert reply.error is None and reply.finish == "length" and reply.generated == max(0, room(said))
        assert fits == reply.generated


def test_a_whole_beam_search_over_the_server(url, embedded, problems):
    engines = {"mini-s": served(url), "mini-prm": embedded("mini-prm")}
    asked = problems[:6]
    results = search(engines, asked, "beam_search", 16, seconds=240)
    assert [result.error for result in results] == [None] * len(asked)
    assert all(result.usage.generations == 16 and not result.usage.failed_samples for result in results)
    assert all(node.scores and node.logprob < 0 for result in results for node in result.nodes.values())
    again = search(engines, asked, "beam_search", 16, seconds=240)
    assert [{n.id: n.text for n in r.nodes.values()} for r in results] == [
        {n.id: n.text for n in r.nodes.values()} for r in again
    ]
