"""The engine for servers: what it asks, what it makes of good replies, and a server that does everything wrong."""

from __future__ import annotations

import contextlib
import datetime
import email.utils
import json
import socket
import time
from pathlib import Path

import pytest

from tests.unit.http_server import choice, http, ok, serving, well_behaved
from ttc_core import models_file, prompts, registry
from ttc_core.engines.openai_http import OpenAIHTTP, client
from ttc_core.errors import EngineBusy, EngineFault, EngineGone, UserError
from ttc_core.jobs import EvaluateJob, GenerateJob, Reading, Segment
from ttc_core.models import ModelCard
from ttc_core.scheduler import Failed, Finished, Recorded, Scheduler
from ttc_core.strategies.beam_search import BeamSearch
from ttc_core.types import Problem, RunSpec

QUESTION = Problem("p", "What is 1 + 1?", "2")
OPEN: list[OpenAIHTTP] = []  # engines of the test under way


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(client, "PAUSE", 0.001)
    yield
    while OPEN:
        OPEN.pop().close()


def engine(*urls, **table):
    """An engine for these servers; a user's table would say the same."""
    given = {"engine": "openai_http", "model": "m", "parameters": 7, "endpoints": list(urls)}
    OPEN.append(OpenAIHTTP("far", ModelCard("far", "policy", "openai_http", 7, Path(), {**given, **table})))
    return OPEN[-1]


def ask(engine, *, until="end", context=None, patience=15.0, **more):
    """The reply to one job; no job may take longer than `patience`."""
    job = GenerateJob(1, context or (engine.prompt(QUESTION),), 5, until, **more)
    return wait(engine, job, patience)


def wait(engine, job, patience=15.0):
    engine.submit([job])
    end = time.monotonic() + patience
    while time.monotonic() < end:
        if came := engine.poll(0.05):
            return came[0]
    raise AssertionError("no reply came")


# --- a server that does everything wrong -----------------------------------------------------------------------------


def drip(out):
    out.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100000\r\n\r\n")
    for _ in range(400):
        out.write(b" ")
        out.flush()
        time.sleep(0.02)


def silent(out):
    time.sleep(3)


def huge(out):
    out.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 104857600\r\n\r\n")
    for _ in range(1600):
        out.write(b'{"a": "' + b"x" * 65529)


def chunks_cut(out):
    out.write(b'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n10\r\n{"choices": [{"t')


def late(seconds):
    return email.utils.format_datetime(
        datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=seconds), usegmt=True
    )


GOOD = {"choices": [choice("\\boxed{2}")]}
CHAT = {"choices": [choice("\\boxed{2}", True)]}
FAULTS = {  # what the server sends, the class of the error, a word of its sentence, most requests
    "slow-loris": (drip, EngineBusy, "too slow", client.CUT),
    "no reply": (silent, EngineBusy, "too slow", client.CUT),
    "429": (http(429, b'{"error": {"message": "slow down"}}'), EngineBusy, "429: slow down", client.BUSY),
    "408": (http(408, b""), EngineBusy, "408", client.BUSY),
    "500": (http(500, b"oops"), EngineBusy, "500", client.BUSY),
    "502": (http(502, b""), EngineBusy, "502", client.BUSY),
    "503": (http(503, b""), EngineBusy, "503", client.BUSY),
    "504": (http(504, b""), EngineBusy, "504", client.BUSY),
    "400": (http(400, b'{"message": "too long"}'), EngineFault, "400): too long", 1),
    "401": (http(401, b'{"error": "who are you"}'), EngineGone, "401): who are you", 1),
    "404": (http(404, b'{"detail": "no"}'), EngineGone, "404", 1),
    "truncated JSON": (http(200, json.dumps(GOOD).encode()[:-9]), EngineFault, "no JSON", client.BROKEN),
    "invalid JSON": (http(200, b"{'choices': nan}"), EngineFault, "no JSON", client.BROKEN),
    "nested JSON": (http(200, b"[" * 10**5), EngineFault, "no JSON", client.BROKEN),
    "invalid UTF-8": (http(200, b'{"choices": "\xff\xfe"}'), EngineFault, "no JSON", client.BROKEN),
    "HTML": (http(200, b"<html>1</html>", "content-type: text/html"), EngineFault, "web page", client.BROKEN),
    "empty body": (http(200, b""), EngineFault, "no JSON", client.BROKEN),
    "a list": (ok([GOOD]), EngineFault, "no object", client.BROKEN),
    "no choices": (ok({"error": {"message": "x"}}), EngineFault, "no choices", client.BROKEN),
    "empty choices": (ok({"choices": []}), EngineFault, "0 choices", client.BROKEN),
    "null content": (ok({"choices": [choice(None)]}), EngineFault, "without text", client.BROKEN),
    "number for text": (ok({"choices": [choice(7)]}), EngineFault, "without text", client.BROKEN),
    "null choice": (ok({"choices": [None]}), EngineFault, "another form", client.BROKEN),
    "wrong n": (ok({"choices": [choice("1"), choice("2", index=1)]}), EngineFault, "2 choices", client.BROKEN),
    "another reason": (ok({"choices": [choice("1", finish_reason="error")]}), EngineFault, "error", client.BROKEN),
    "filtered": (ok({"choices": [choice("", finish_reason="content_filter")]}), EngineFault, "filter", client.BROKEN),
    "no reason": (ok({"choices": [choice("1", finish_reason=None)]}), EngineFault, "None", client.BROKEN),
    "logprob NaN": (
        http(200, b'{"choices":[{"text":"1","finish_reason":"stop","logprobs":{"token_logprobs":[NaN]}}]}'),
        EngineFault, "log-probability", client.BROKEN,
    ),
    "100 MB": (huge, EngineFault, "more than 16 MB", 1),
    "closed before": (b"", EngineBusy, "broke off", client.CUT),
    "closed in mid-stream": (http(200, b'{"choices"', length=500), EngineBusy, "broke off", client.CUT),
    "closed in a chunk": (chunks_cut, EngineBusy, "broke off", client.CUT),
    "not HTTP": (b"SSH-2.0-OpenSSH_9.2\r\n", EngineBusy, "broke off", client.CUT),
    "bad compression": (http(200, b"xxxx", "content-encoding: gzip"), EngineBusy, "broke off", client.CUT),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_every_fault_has_a_class_and_bounds_and_is_never_an_answer(name):
    sent, error, word, most = FAULTS[name]
    with serving(lambda request, number: sent) as server:
        began = time.monotonic()
        patience = 5 if name == "100 MB" else 0.3  # its first 16 MB have to come
        reply = ask(engine(server.url, template="completion", timeout=patience, deadline=60))
        assert type(reply.error) is error and word in str(reply.error)
        assert (reply.text, reply.finish, reply.logprob) == ("", "end", None)
        assert 1 <= len(server.asked) <= most
        assert time.monotonic() - began < 30


def test_refused():
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
    reply = ask(engine(f"http://127.0.0.1:{port}", deadline=5))
    assert type(reply.error) is EngineGone and "cannot be reached" in str(reply.error)


def test_a_server_that_is_started_again_is_waited_for(monkeypatch):
    """Until the deadline, if it answered before: what asks meanwhile is not lost."""
    monkeypatch.setattr(client, "PAUSE", 0.05)
    with serving(lambda request, number: ok(CHAT)) as server:
        far = engine(server.url, deadline=60)
        assert ask(far).error is None
        port = int(server.url.rsplit(":", 1)[1])
    far.submit([GenerateJob(2, (far.prompt(QUESTION),), 1, "end")])
    assert far.poll(1.0) == [], "several tries were refused by now"
    with serving(lambda request, number: ok(CHAT), port):
        [reply] = far.poll(30)
    assert reply.error is None and reply.text == "\\boxed{2}"


@pytest.mark.parametrize("header", ["retry-after: 1", "date"])
def test_retry_after_is_obeyed_in_both_forms(header):
    header = f"retry-after: {late(2)}" if header == "date" else header
    moments = []

    def script(request, number):
        moments.append(time.monotonic())
        return http(429, b"", header) if number == 0 else ok(CHAT)

    with serving(script) as server:
        reply = ask(engine(server.url, deadline=10))
    assert reply.error is None and reply.text == "\\boxed{2}"
    assert moments[1] - moments[0] > 0.8


def test_a_retry_after_beyond_the_deadline_is_not_waited_for():
    with serving(lambda request, number: http(503, b"", "retry-after: 3600")) as server:
        began = time.monotonic()
        reply = ask(engine(server.url, deadline=60))
    assert type(reply.error) is EngineBusy and "503" in str(reply.error) and time.monotonic() - began < 30


@pytest.mark.parametrize("value", ["", "soon", "-5", "1e999", "²", "Wed, 99 Foo", "9" * 400])
def test_a_senseless_retry_after(value):
    assert client.retry_after(value) >= 0


def test_the_deadline_holds_over_all_tries():
    with serving(lambda request, number: silent) as server:
        began = time.monotonic()
        reply = ask(engine(server.url, timeout=0.4, deadline=0.6))
    assert type(reply.error) is EngineBusy and time.monotonic() - began < 5


def test_what_failed_once_is_asked_again():
    wrong = [http(500, b""), b"", http(200, b"<html>"), http(429, b"")]
    with serving(lambda request, number: wrong[number] if number < 4 else ok(CHAT)) as server:
        assert ask(engine(server.url)).text == "\\boxed{2}"
        assert len(server.asked) == 5


def test_a_redirect_is_not_followed_and_the_key_stays_at_home(monkeypatch, caplog):
    monkeypatch.setenv("A_KEY", "sk-very-secret")
    caplog.set_level("DEBUG")
    with serving(lambda request, number: ok(CHAT)) as other:
        moved = http(307, b"", f"location: {other.url}/v1/chat/completions")
        with serving(lambda request, number: moved) as server:
            far = engine(server.url, key_env="A_KEY")
            reply = ask(far)
        assert type(reply.error) is EngineFault and "elsewhere" in str(reply.error)
        assert server.asked[0].headers["authorization"] == "Bearer sk-very-secret"
        assert other.asked == []
    echo = http(401, b'{"error": {"message": "bad key sk-very-secret"}}')
    with serving(lambda request, number: echo) as server:
        far = engine(server.url, key_env="A_KEY")
        reply = ask(far)
    told = f"{reply!r} {reply.error!r} {reply.error.hint} {far!r} {vars(far)} {far.client!r} {far.options!r}"
    assert "***" in told and "sk-very-secret" not in told + caplog.text


def test_one_key_goes_to_one_origin():
    with pytest.raises(UserError, match="several servers"):
        engine("http://127.0.0.1:1", "http://localhost:1", key_env="A_KEY")


# --- several servers -------------------------------------------------------------------------------------------------


def test_a_server_that_is_down_is_left_alone():
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as taken:
        down = f"http://127.0.0.1:{taken.getsockname()[1]}"
    with serving(well_behaved) as server:
        far = engine(down, server.url)
        assert all(ask(far).error is None for _ in range(4))
        assert len(server.asked) == 4
        assert [e.failures > 0 for e in far.client.pool.endpoints] == [True, False]


def test_the_least_busy_server_is_asked_and_no_more_connections_are_made_than_allowed():
    open_now, most = {0: 0, 1: 0}, {0: 0, 1: 0}

    def counting(which):
        def script(request, number):
            open_now[which] += 1
            most[which] = max(most[which], open_now[which])
            time.sleep(0.05)
            open_now[which] -= 1
            return well_behaved(request, number)

        return script

    with serving(counting(0)) as one, serving(counting(1)) as two:
        far = engine(one.url, two.url, connections=3)
        assert far.capacity == 6
        far.submit([GenerateJob(i, (far.prompt(QUESTION),), i, "end") for i in range(12)])
        came, end = [], time.monotonic() + 10
        while len(came) < 12 and time.monotonic() < end:
            came += far.poll(0.05)
        assert len(came) == 12 and all(reply.error is None for reply in came)
        assert most[0] <= 3 and most[1] <= 3
        assert abs(len(one.asked) - len(two.asked)) <= 4


def test_cancelled_jobs_bring_nothing():
    with serving(lambda request, number: silent) as server:
        far = engine(server.url, timeout=2)
        far.submit([GenerateJob(1, (far.prompt(QUESTION),), 1, "end")])
        time.sleep(0.1)
        far.cancel({1})
        assert far.poll(0.2) == []


# --- steps, seeds, costs ---------------------------------------------------------------------------------------------


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


# --- evaluations -----------------------------------------------------------------------------------------------------


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


# --- a whole search --------------------------------------------------------------------------------------------------


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
