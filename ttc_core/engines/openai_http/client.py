"""One request to a server, tried again where that can help; every way in which it can fail has a name here.

    refused, no route        another try, another server        at most CONNECT tries; where the server has answered
                             before, until the deadline, as it may be started again. Then the searches end
    429, 408, 425, 500-504   another try, Retry-After obeyed    at most BUSY tries
    time-out, cut connection another try                        at most CUT tries
    no JSON, or other JSON   another try                        at most BROKEN tries, then a fault
    401, 404, 3xx, 403 at the very first   all that wait for the model end, to be tried again
    other 4xx, too long      a fault at once

All tries and pauses of a request lie within the deadline. Nothing is read beyond MOST bytes; no redirect is followed,
so that the key never leaves the origin it was given for; `hosts` says which machines may be called.
"""

from __future__ import annotations

import asyncio
import email.utils
import functools
import json
import logging
import random
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ttc_core.engines.openai_http import hosts
from ttc_core.engines.openai_http.options import Options
from ttc_core.engines.openai_http.pool import Endpoint, Pool
from ttc_core.errors import EngineBusy, EngineError, EngineFault, EngineGone
from ttc_core.settings import settings

CONNECT, BUSY, CUT, BROKEN = 4, 6, 3, 2
MOST = 16 * 2**20
RETRIED = (408, 425, 429, 500, 502, 503, 504)
PAUSE = 0.5  # seconds before the second try; doubled each time, at most 30, and drawn at random below that
HINTS = {
    401: "check the key in the environment variable that key_env names",
    403: "check the key in the environment variable that key_env names",
    404: "check base_url and model in your models.toml",
}
Read = Callable[[dict[str, Any]], Any]


class _Again(Exception):
    """This try failed and another may not. kind: its class; after: seconds to wait at least."""

    def __init__(self, error: EngineError, most: int, after: float = 0.0, ill: bool = False) -> None:
        super().__init__(str(error))
        self.error, self.most, self.after, self.ill = error, most, after, ill


@dataclass
class Broken(Exception):
    """A reply that is JSON but not what was asked for."""

    what: str


class Client:
    """Of one model. Lives on one event loop."""

    def __init__(self, name: str, options: Options) -> None:
        import httpx

        logging.getLogger("httpcore").setLevel(logging.WARNING)  # below that it writes down headers
        self.name, self._options = name, options
        self.heard = 0  # replies so far
        self.pool = Pool(options.endpoints, options.connections, time.monotonic)
        limits = httpx.Limits(max_connections=options.connections * len(options.endpoints))
        # trust_env: a proxy or a .netrc of this machine would see what is meant for the server alone
        self._http = httpx.AsyncClient(
            timeout=httpx.Timeout(options.timeout, connect=min(10.0, options.timeout), pool=None),
            transport=hosts.transport(_certificates(), limits, settings().hosts),
            follow_redirects=False,
            trust_env=False,
        )

    async def post(self, path: str, payload: dict[str, Any], read: Read) -> Any:
        """What `read` makes of the reply's JSON.

        Raises:
            EngineBusy: no try succeeded; EngineGone: the server is not there, does not know the key or the model;
                EngineFault: the reply is broken or the request was refused.
        """
        last: EngineError = EngineBusy(f"{self.name}'s server has no free place")
        try:
            async with asyncio.timeout(self._options.deadline) as deadline:
                tries: dict[int, int] = {}
                while True:
                    try:
                        return await self._try(path, payload, read)
                    except _Again as again:
                        last = again.error
                        tries[again.most] = tries.get(again.most, 0) + 1
                        restarts = again.most == CONNECT and self.heard > 0
                        if tries[again.most] >= again.most and not restarts:
                            break
                        pause = self._pause(sum(tries.values()), again.after)
                        if asyncio.get_running_loop().time() + pause > (deadline.when() or 0.0):
                            break  # it would end in the deadline: say so now
                    await asyncio.sleep(pause)
        except TimeoutError as error:
            kind = EngineGone if isinstance(last, EngineGone) else EngineBusy
            raise kind(f"{self.name} did not answer within {self._options.deadline:g} s: {last}") from error
        raise last

    async def close(self) -> None:
        """End the connections."""
        await self._http.aclose()

    def _pause(self, tries: int, after: float) -> float:
        return after + random.uniform(0.0, min(30.0, PAUSE * 2.0 ** (tries - 1)))

    async def _try(self, path: str, payload: dict[str, Any], read: Read) -> Any:
        async with self.pool.place() as endpoint:
            try:
                async with asyncio.timeout(self._options.timeout):  # whole: a server may drip one byte a second
                    status, headers, body = await self._send(endpoint, path, payload)
                self._check(status, headers, body, endpoint)
                reply = self._read(body, headers, read)
            except TimeoutError as error:
                self.pool.ill(endpoint)
                raise _Again(EngineBusy(f"{self.name}'s server was too slow"), CUT) from error
            except _Again as again:
                if again.ill:
                    self.pool.ill(endpoint)
                raise
            self.pool.well(endpoint)
            self.heard += 1
            return reply

    async def _send(self, endpoint: Endpoint, path: str, payload: dict[str, Any]) -> tuple[int, Any, bytes]:
        import httpx

        key = self._options.key()
        headers = {"Accept-Encoding": "identity", **({"Authorization": f"Bearer {key}"} if key else {})}
        try:
            async with self._http.stream("POST", endpoint.url + path, json=payload, headers=headers) as reply:
                body = bytearray()
                async for chunk in reply.aiter_bytes():
                    body += chunk
                    if len(body) > MOST:
                        raise EngineFault(f"{self.name}'s server sent more than {MOST // 2**20} MB")
                return reply.status_code, reply.headers, bytes(body)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            gone = EngineGone(f"{self.name}'s server at {endpoint.url} cannot be reached", hint="is it running?")
            raise _Again(gone, CONNECT, ill=True) from error
        except httpx.TimeoutException as error:
            raise _Again(EngineBusy(f"{self.name}'s server was too slow"), CUT, ill=True) from error
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise _Again(EngineBusy(f"{self.name}'s server broke off its reply"), CUT) from error
        except (httpx.InvalidURL, ValueError) as error:
            raise EngineFault(f"{self.name}'s server cannot be asked: {type(error).__name__}") from error

    def _check(self, status: int, headers: Any, body: bytes, endpoint: Endpoint) -> None:
        if status == 200:
            return
        said = self._said(body)
        if status in RETRIED:
            busy = EngineBusy(f"{self.name}'s server answered {status}{said}")
            raise _Again(busy, BUSY, retry_after(headers.get("retry-after", "")), ill=status in (502, 503, 504))
        if 300 <= status < 400:
            raise EngineGone(
                f"{self.name}'s server at {endpoint.url} sends requests elsewhere, which is not followed",
                hint="set base_url to the address it really has",
            )
        closed = status in (401, 404) or (status == 403 and not self.heard)  # 403 may be of one prompt alone
        kind = EngineGone if closed else EngineFault
        raise kind(f"{self.name}'s server refused the request ({status}){said}", hint=HINTS.get(status, ""))

    def _said(self, body: bytes) -> str:
        """The server's own words, short, and never the key."""
        try:
            found = self._parsed(body)
            found = found.get("error", found)
            text = str(found.get("message", "")) if isinstance(found, dict) else str(found)
        except (ValueError, AttributeError, RecursionError):
            text = ""
        text = " ".join(text.split())[:200]
        return f": {text}" if text else ""

    def _parsed(self, body: bytes) -> Any:
        """The JSON of a reply without the key, which a server may send back, spelled in any way that JSON has."""
        found, key = json.loads(body), self._options.key()
        return _without(key, found) if key else found

    def _read(self, body: bytes, headers: Any, read: Read) -> Any:
        try:
            document = self._parsed(body)
            if not isinstance(document, dict):
                raise Broken("its reply is no object")
            return read(document)
        except Broken as error:
            what = error.what
        except (ValueError, RecursionError):
            html = "html" in headers.get("content-type", "")
            what = "it sent a web page" if html else "its reply is no JSON"
        except (KeyError, TypeError, IndexError, AttributeError):
            what = "its reply has another form than expected"
        raise _Again(EngineFault(f"{self.name}'s server answered nonsense: {what}"), BROKEN)


def _without(key: str, found: Any) -> Any:
    if isinstance(found, str):
        return found.replace(key, "***")
    if isinstance(found, list):
        return [_without(key, one) for one in found]
    if isinstance(found, dict):
        return {_without(key, name): _without(key, value) for name, value in found.items()}
    return found


@functools.cache
def _certificates() -> ssl.SSLContext:
    """Read once: it takes longer than a request."""
    import httpx

    return httpx.create_ssl_context()


def retry_after(value: str) -> float:
    """Seconds that a Retry-After header asks for, as a number or as a date; 0 for none or nonsense."""
    try:
        return max(0.0, float(value)) if value.strip().isdigit() else _until(value)
    except (ValueError, TypeError, OverflowError):
        return 0.0


def _until(value: str) -> float:
    return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time()) if value.strip() else 0.0
