"""The engine for servers: steps, seeds and costs of what it asks, evaluations, and a whole search."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from tests.unit.http_server import choice, http, ok, serving, well_behaved
from tests.unit.test_openai_http import QUESTION, ask, engine, impatient, wait  # noqa: F401 (a fixture)
from ttc_core import models_file, prompts, registry
from ttc_core.errors import EngineFault, UserError
from ttc_core.jobs import EvaluateJob, GenerateJob, Reading, Segment
from ttc_core.models import ModelCard
from ttc_core.scheduler import Failed, Finished, Recorded, Scheduler
from ttc_core.strategies.beam_search import BeamSearch
from ttc_core.types import RunSpec


def test_a_step_in_a_conversation_is_continued_and_counted():
    with serving(well_behaved) as server:
        far = engine(server.url, max_tokens=50)
        first = ask(far, until="step")
        assert first.text.startswith("step ") and first.text.endswith("\n\n")
        assert (first.finish, first.steps, first.computed, first.cached) == ("step", 1, 24, 16)
        assert first.generated == len(first.text.split()) and first.logprob == -0.5 * first.generated
        rest = ask(far, until="end", context=(far.prompt(QUESTION), Segment(first.text)))
        assert (rest.finish, rest.steps) == ("end", 4) and "\\boxed{" in rest.text
    begun, gone_on = (request.body for request in server.asked)
    assert begun["messages"] == [{"role": "user", "content": f"What is 1 + 1?\n\n{prompts.BOXED}"}]
    assert (begun["seed"], begun["stop"], begun["max_tokens"]) == (5, ["\n\n"], 50)
    assert gone_on["messages"][-1] == {"role": "assistant", "content": first.text}
    assert gone_on["continue_final_message"] is True and gone_on["add_generation_prompt"] is False


def test_several_steps_in_one_job():
    with serving(well_behaved) as server:
        reply = ask(engine(server.url), until="step", steps=3)
        assert (reply.steps, reply.finish, reply.text.count("\n\n")) == (3, "step", 3)
        assert len({request.body["seed"] for request in server.asked}) == 3


def test_a_server_that_does_not_say_what_stopped_it():
    """The end of a solution without a box is noticed when nothing more comes."""
    texts = ["one", "", "so \\boxed{2}"]
    with serving(lambda request, number: ok({"choices": [choice(texts[number], True)]})) as server:
        far = engine(server.url)
        got = [ask(far, until="step") for _ in texts]
    assert [reply.finish for reply in got] == ["step", "end", "end"]
    assert [reply.text for reply in got] == ["one\n\n", "", "so \\boxed{2}"]


def test_a_chat_template_that_cuts_off_the_step_end_is_seen_through():
    """Behind "one" the model writes the end of that step first, however often it is given it."""

    def trimming(request, number):
        stop = request.body.get("stop", [])
        text, reason = ("", "\n\n") if stop else ("\n\ntwo\n\nthree \\boxed{3}", None)
        return ok({"choices": [choice(text, True, stop_reason=reason)], "usage": {"completion_tokens": 3}})

    with serving(trimming) as server:
        far = engine(server.url)
        reply = ask(far, until="step", context=(far.prompt(QUESTION), Segment("one\n\n")))
        assert (reply.text, reply.finish, reply.steps) == ("two\n\n", "step", 1)
        assert len(server.asked) == 2 and reply.generated == 6 and reply.logprob is None and far.heard == 2


def test_confidences_are_of_no_text_that_was_cut_away():
    """Behind a template that cuts off the step end they are of the whole reply, so there are none."""
    likely = {"content": [{"token": "a", "logprob": -0.5, "top_logprobs": [{"token": "a", "logprob": -0.5}]}] * 6}

    def trimming(request, number):
        text, reason = ("", "\n\n") if request.body.get("stop") else ("\n\ntwo\n\nthree \\boxed{3}", None)
        return ok({"choices": [choice(text, True, stop_reason=reason) | {"logprobs": likely}]})

    with serving(trimming) as server:
        far = engine(server.url)
        job = GenerateJob(1, (far.prompt(QUESTION), Segment("one\n\n")), 1, confidence=1)
        far.submit([job])
        [reply] = far.poll(5)
        assert (reply.text, reply.error, reply.confidences) == ("two\n\n", None, ())


def test_what_is_cut_off_is_no_solution():
    with serving(lambda request, number: ok({"choices": [choice("half", True, finish_reason="length")]})) as server:
        assert ask(engine(server.url)).finish == "length"


FULL = (
    "You passed 40 input tokens and requested 50 output tokens. However, the model's context length is only 64 tokens."
)


def narrow(count):
    """A server whose context of 64 tokens already holds so many."""

    def answer(request, number):
        if request.path == "/tokenize":
            return ok({"count": count, "max_model_len": 64, "tokens": []})
        if request.body["max_tokens"] > 64 - count:
            return http(400, json.dumps({"error": {"message": FULL}}).encode())
        return ok({"choices": [choice("so much", True, finish_reason="length")], "usage": {"completion_tokens": 2}})

    return answer


def test_near_the_end_of_the_context_it_writes_what_still_fits():
    with serving(narrow(40)) as server:
        far = engine(server.url, max_tokens=50)
        reply = ask(far, context=(far.prompt(QUESTION), Segment("step 1\n\n")))
    assert (reply.error, reply.text, reply.finish) == (None, "so much", "length")
    refused, counted, written = server.asked
    assert counted.body == {name: refused.body[name] for name in counted.body} and "messages" in counted.body
    assert written.body == refused.body | {"max_tokens": 24}


@pytest.mark.parametrize(("before", "refused"), [("step 1\n\n", False), ("", True)])
def test_a_context_that_is_full(before, refused):
    """It cuts a solution off; a question that has no room for an answer is refused in the server's words."""
    with serving(narrow(64)) as server:
        far = engine(server.url, max_tokens=50)
        reply = ask(far, context=(far.prompt(QUESTION), *([Segment(before)] if before else [])))
    assert (reply.error is not None) is refused and len(server.asked) == 2
    if refused:
        assert "context length is only 64" in str(reply.error)
    else:
        assert (reply.text, reply.finish, reply.generated) == ("", "length", 0)


@pytest.mark.parametrize(("options", "asked"), [({"continues": "prefix"}, 1), ({"max_tokens": 20}, 2)])
def test_what_is_refused_for_another_reason_stays_refused(options, asked):
    """A server that is no vLLM cannot count, and one where all would fit has another reason."""

    def refuses(request, number):
        counted = {"count": 40, "max_model_len": 64, "tokens": []}
        return (
            ok(counted) if request.path == "/tokenize" else http(400, json.dumps({"error": {"message": FULL}}).encode())
        )

    with serving(refuses) as server:
        reply = ask(engine(server.url, **options))
    assert type(reply.error) is EngineFault and "context length" in str(reply.error) and len(server.asked) == asked


def test_a_server_that_cannot_continue_says_so():
    with serving(well_behaved) as server:
        far = engine(server.url, continues="no")
        reply = ask(far, context=(far.prompt(QUESTION), Segment("step 1\n\n")))
        assert type(reply.error) is EngineFault and "cannot go on" in str(reply.error) and not server.asked


def test_few_shot_ends_with_the_final_answer():
    said = "So it is 2.\n\nFinal Answer: The final answer is $2$. I hope it is correct.\n\nProblem:"
    with serving(lambda request, number: ok({"choices": [choice(said)]})) as server:
        reply = ask(engine(server.url, template="few_shot"))
    assert (reply.finish, reply.steps) == ("end", 2) and reply.text.endswith("correct.")
    [request] = server.asked
    assert request.path == "/v1/completions" and request.body["prompt"].count("Final Answer:") == 4
    assert request.body["prompt"].endswith("Problem:\nWhat is 1 + 1?\n\nSolution:\n")
    assert request.body["stop"] == ["Problem:"]


def test_the_worked_examples_are_right():
    from ttc_core import grading

    for question, solution, answer in prompts.EXAMPLES:
        said = f"{prompts.FINAL} The final answer is ${answer}$. I hope it is correct."
        assert grading.grade(grading.read(said, grader="math"), answer, "math") is True
        assert answer in solution and question


def test_a_conversation_of_llama_3_1_begins_with_two_dates_and_one_of_llama_3_with_the_first_turn():
    """As the templates that Llama-3.1-8B-Instruct and Meta-Llama-3-8B-Instruct were published with write it."""
    asked = "<|start_header_id|>user<|end_header_id|>\n\nWhat?<|eot_id|>"
    says = "<|start_header_id|>assistant<|end_header_id|>\n\n"
    dates = "Cutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n"
    begin, system = "<|begin_of_text|>", "<|start_header_id|>system<|end_header_id|>\n\n"
    talk, ordered = [("user", " What?\n")], [("system", "Be brief. "), ("user", "What?")]
    assert prompts.rendered(talk, "llama3.1", True) == f"{begin}{system}{dates}<|eot_id|>{asked}{says}"
    assert prompts.rendered(ordered, "llama3.1", False) == f"{begin}{system}{dates}Be brief.<|eot_id|>{asked}"
    assert prompts.rendered(talk, "llama3", True) == f"{begin}{asked}{says}"
    assert prompts.rendered(ordered, "llama3", False) == f"{begin}{system}Be brief.<|eot_id|>{asked}"
    tables, shipped = models_file.tables()
    forms = {name: tables[name]["chat_format"] for name in tables if name.startswith("llama")}
    judges = {table["model"] for table in shipped.values() if table["kind"] == "rlhflow"}
    assert (
        all(form == ("llama3" if name in judges else "llama3.1") for name, form in forms.items()) and len(judges) == 2
    )


def test_a_lead_begins_the_assistants_turn_and_a_judges_too():
    """As Qwen3's own template does where thinking is switched off."""
    lead = models_file.tables()[0]["qwen3-0-6b"]["lead"]
    with serving(well_behaved) as server:
        far = engine(server.url, chat_format="chatml", lead=lead)
        assert ask(far, until="step").text.startswith("step ")
        ask(far, until="step", context=(far.prompt(QUESTION), Segment("step 1\n\n")))
        assert far.chat([("user", "Right?")], True).endswith("assistant\n<think>\n\n</think>\n\n")
        assert "think" not in far.chat([("user", "Right?"), ("assistant", "Yes")], False)
    first, second = (request.body["prompt"] for request in server.asked)
    assert first.endswith("<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n")
    assert second == f"{first}step 1\n\n"


def test_a_lead_needs_a_conversation_that_is_written_here():
    with pytest.raises(UserError, match="lead of far needs its chat_format"):
        engine("http://127.0.0.1:1", lead="So: ")


def test_tokens_are_read_behind_each_mark_whatever_the_order_of_the_choices():
    def backwards(request, number):
        _, body = well_behaved(request, number).split(b"\r\n\r\n", 1)
        document = json.loads(body)
        document["choices"].reverse()
        return ok(document)

    job = EvaluateJob(1, (), Segment(""), ("+", "-"), Reading(("Q one TAG two TAG",), (9, 17), tag="TAG"))
    rows = []
    for script in (well_behaved, backwards):
        with serving(script) as server:
            reply = wait(engine(server.url, template="completion"), job)
            assert reply.error is None and reply.computed == 22
            rows.append(reply.logits)
            assert server.asked[0].body["prompt"] == ["Q one TAG", "Q one TAG two TAG"]
    assert rows[0] == rows[1] and [row[1] for row in rows[0]] == [-1.0, -1.0] and rows[0][0][0] != rows[0][1][0]


def test_two_choices_of_one_number_are_no_reply():
    twice = ok({"choices": [choice("+"), choice("-")]})
    job = EvaluateJob(1, (), Segment(""), ("+", "-"), Reading(("ab",), (1, 2)))
    with serving(lambda request, number: twice) as server:
        assert "numbers of their own" in str(wait(engine(server.url), job).error)


def test_pooled_values_at_marks():
    def script(request, number):
        if request.path == "/tokenize":
            return ok({"tokens": [ord(c) for c in request.body["prompt"]]})
        rows = [[0.0, float(i)] for i in range(len(request.body["input"]))]
        return ok({"data": [{"data": rows}], "usage": {"prompt_tokens": len(rows)}})

    job = EvaluateJob(1, (), Segment(""), (), Reading(("ab", "cd"), (2, 3), begin=False))
    with serving(script) as server:
        reply = wait(engine(server.url), job)
    assert reply.values == ((0.0, 1.0), (0.0, 2.0)) and reply.computed == 4


def test_the_likelihood_of_a_text():
    text = "Question: x\n\nAnswer:\n\n"

    def script(request, number):
        prompt = request.body["prompt"]
        logs = {"token_logprobs": [None] + [-1.0] * (len(prompt) - 1), "text_offset": [*range(len(prompt))]}
        return ok({"choices": [choice(prompt, logprobs=logs, finish_reason="length")]})

    with serving(script) as server:
        job = EvaluateJob(1, (Segment(text),), Segment("a\n\nb"))
        reply = wait(engine(server.url, template="completion"), job)
    assert reply.logprobs == (-1.0,) * 4 and reply.step_ends == (2, 3)


class Backend:
    """One model behind a server, and Math-Shepherd's format read from it."""

    def __init__(self, url):
        self._engine = engine(url)
        card = ModelCard("judge", "math_shepherd", "", 7, Path(), {"kind": "math_shepherd", "model": "far"})
        self._verifier = registry.get("verifier", "math_shepherd").load(card)

    def engine(self, name):
        return self._engine

    def verifier(self, name):
        return self._verifier


def search(url, seed=0):
    scheduler = Scheduler(Backend(url))
    spec = RunSpec(QUESTION.question, "beam_search", 8, seed, model="far", verifier="judge", grader="math")
    scheduler.add("s", spec, QUESTION, BeamSearch())
    nodes, end = {}, time.monotonic() + 30
    while not scheduler.idle and time.monotonic() < end:
        for event in scheduler.step():
            assert not isinstance(event, Failed), event
            if isinstance(event, Recorded):
                nodes[event.node.id] = event.node
            if isinstance(event, Finished):
                return event, nodes
    raise AssertionError("the search did not end")


def test_a_whole_beam_search_over_a_server():
    with serving(well_behaved) as server:
        (done, nodes), (again, _) = search(server.url), search(server.url)
    assert done.outcome.answer in {"0", "1", "2"} and done.outcome.excluded == 0
    assert [c.answer for c in done.outcome.candidates] == [c.answer for c in again.outcome.candidates]
    assert done.usage.generations == 8 and done.usage.failed_samples == 0 and done.usage.verifier_tokens > 0
    assert done.usage.prompt_tokens_cached > 0 and max(node_id.count(".") for node_id in nodes) >= 4
    assert all(0 <= s <= 1 for node in nodes.values() for s in node.scores)


def test_a_search_over_a_server_that_often_fails_counts_what_failed():
    def failing(request, number):
        return http(400, b"") if number % 5 == 0 else well_behaved(request, number)

    with serving(failing) as server:
        done, nodes = search(server.url)
    lost = [node for node in nodes.values() if node.state == "failed"]
    assert lost and done.usage.failed_samples + done.usage.failed_scores == len(lost)
    assert not any(candidate.node in {node.id for node in lost} for candidate in done.outcome.candidates)
