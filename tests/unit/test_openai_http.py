"""The engine for servers: a server that does everything wrong, and several servers."""

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
from ttc_core.engines.openai_http import OpenAIHTTP, client
from ttc_core.errors import EngineBusy, EngineFault, EngineGone, UserError
from ttc_core.jobs import GenerateJob
from ttc_core.models import ModelCard
from ttc_core.types import Problem

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
        assert type(reply.error) is EngineGone and "elsewhere" in str(reply.error)
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
