"""A server whose replies a test writes, byte by byte if it likes."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import socketserver
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

Sent = bytes | Callable[[Any], None]


@dataclass
class Asked:
    """One request as it came."""

    path: str
    headers: dict[str, str]
    body: Any


@dataclass
class Server:
    """Where it listens and what it was asked."""

    url: str
    asked: list[Asked] = field(default_factory=list)


def http(status: int, body: bytes, headers: str = "content-type: application/json", length: int | None = None) -> bytes:
    """A whole HTTP reply; length: another one than the body has."""
    size = len(body) if length is None else length
    return f"HTTP/1.1 {status} X\r\n{headers}\r\ncontent-length: {size}\r\nconnection: close\r\n\r\n".encode() + body


def ok(document: Any) -> bytes:
    """A reply of 200 with this JSON."""
    return http(200, json.dumps(document).encode())


@contextlib.contextmanager
def serving(script: Callable[[Asked, int], Sent], port: int = 0) -> Iterator[Server]:
    """A server that answers with what script(request, how many came before) returns."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(OSError):
                line = self.rfile.readline().split()
                if len(line) < 2:
                    return
                headers = {}
                while (row := self.rfile.readline().strip()) != b"":
                    key, _, value = row.decode().partition(":")
                    headers[key.lower()] = value.strip()
                body = self.rfile.read(int(headers.get("content-length", 0)))
                request = Asked(line[1].decode(), headers, json.loads(body or b"null"))
                with lock:
                    number = len(server.asked)
                    server.asked.append(request)
                reply = script(request, number)
                self.wfile.write(reply) if isinstance(reply, bytes) else reply(self.wfile)

    class Threads(socketserver.ThreadingTCPServer):
        allow_reuse_address = daemon_threads = True
        request_queue_size = 128

        def handle_error(self, *_: Any) -> None:
            """A test's client goes away when it likes."""

    lock = threading.Lock()
    with Threads(("127.0.0.1", port), Handler) as listening:
        server = Server(f"http://127.0.0.1:{listening.server_address[1]}")
        thread = threading.Thread(target=listening.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield server
        listening.shutdown()


def choice(text: str | None, chat: bool = False, **more: Any) -> dict[str, Any]:
    """One choice of a reply."""
    said = {"message": {"role": "assistant", "content": text}} if chat else {"text": text}
    return {"index": 0, "finish_reason": "stop", **said, **more}


def well_behaved(request: Asked, _: int) -> bytes:
    """A model that writes four steps and an answer, whose words depend on the text so far and the seed; as vLLM's."""
    body = request.body
    chat = "messages" in body
    if "stop" not in body:
        body["stop"] = []
    if isinstance(body.get("prompt"), list):  # a verifier reads + or - behind each text
        found = [_judged(i, text) for i, text in enumerate(body["prompt"])]
        return ok({"choices": found, "usage": {"prompt_tokens": 10 * len(found), "completion_tokens": len(found)}})
    said = ""
    if chat:
        said = body["messages"][-1]["content"] if body["messages"][-1]["role"] == "assistant" else ""
    else:
        said = body["prompt"]
    number = int(hashlib.sha256(f"{said}{body.get('seed')}".encode()).hexdigest()[:6], 16)
    steps = len(re.findall(r"step \d", said))
    lines = [f"step {number % 90 + i}" for i in range(max(0, 4 - steps))] + [f"The answer is \\boxed{{{number % 3}}}."]
    stopped = None
    if "\n\n" in body["stop"] and len(lines) > 1:
        lines, stopped = lines[:1], "\n\n"
    text = "\n\n".join(lines)
    count = len(text.split())
    logs = {"content": [{"token": w, "logprob": -0.5, "top_logprobs": []} for w in text.split()]}
    if not chat:
        logs = {"tokens": text.split(), "token_logprobs": [-0.5] * count, "top_logprobs": None, "text_offset": None}
    usage = {"prompt_tokens": 40, "completion_tokens": count, "prompt_tokens_details": {"cached_tokens": 16}}
    return ok({"choices": [choice(text, chat, stop_reason=stopped, logprobs=logs)], "usage": usage})


def _judged(index: int, text: str) -> dict[str, Any]:
    good = -0.1 - int(hashlib.sha256(text.encode()).hexdigest()[:4], 16) / 65536
    logs = {"tokens": [" +"], "token_logprobs": [good], "top_logprobs": [{" +": good, " -": -1.0}], "text_offset": [0]}
    return {"index": index, "text": " +", "finish_reason": "length", "logprobs": logs}
