"""Input for parsers: right documents, changed in a few places by values that nobody expects, and by bytes."""

from __future__ import annotations

import functools
import json
import tempfile
import zipfile
from pathlib import Path
from random import Random
from typing import Any

from tests.hostile.payloads import SHORT, samples, trace
from ttc_core.settings import DATA

RUN = json.loads((DATA / "examples" / "3-mini-test-0007-best_of_n.json").read_text("utf-8"))
RUN["nodes"] = RUN["nodes"][:1]  # as many as the search led by the code can hold
POLICY = json.loads((DATA / "policies" / "mini.json").read_text("utf-8"))
POLICY |= {name: POLICY[name][:2] for name in ("budgets", "choices", "at_once") if name in POLICY}
LEARN = {
    "problem": "1 + 1?", "answer": "2", "unique_id": "a", "completions": ["Answer: 2", "Answer: 3"],
    "scores": [[0.5], [0.25, 0.5]], "completion_tokens": [3, 4], "more": {"a": [1]},
}  # fmt: skip
OPENR = {
    "question": "1 + 1?", "final_answer": "2", "id": 1,
    "reasoning_steps": {
        "children": [{"text": "a", "mc_value": 0.5, "children": [{"text": "Answer: 2", "mc_value": 1}]}],
    },
}  # fmt: skip
STUDY = """\
name = "x"
datasets = [{ name = "mini-test", problems = 2 }]
models = ["mini-s"]
verifiers = ["mini-implicit"]
budgets = { from = 4, to = 16 }
seeds = [0]
pool = 4
temperature = 0.5
keep_trees = "sample:3"
max_cost = { generations = 10 }

[[strategies]]
name = "beam_search"
budgets = [1, 2]
grid = { width = [4] }
zip = { rounds = [1] }
"""
MODELS = """\
[models.mine]
engine = "openai_http"
model = "m"
parameters = 1_000
endpoints = ["http://127.0.0.1:8000"]
revises = 4
temperature = 0.5
stop = ["a"]

[verifiers.judge-mine]
kind = "judge"
model = "mine"

[verifiers.both]
kind = "ensemble"
of = ["judge-mine", "mini-prm"]
"""
ACCESS = """\
[roles]
admin = ["ada@example.org"]
runner = ["*@example.org"]
viewer = ["anyone"]
[limits]
budget = 1024
[login]
unstated = true
"""
ENVIRONMENT = "BATCH=256\nHOSTS=gpu1, 10.0.0.0/8\nPATIENCE=900\nREAD_ONLY=0\nEXAMPLES=1\nDATABASE_URL=sqlite:///x.db"
ROWS = [{"id": "a", "question": "1 + 1?", "answer": "2", "more": [1, {"a": None}]}, {"question": "2?", "answer": 2.0}]
SEEDS: dict[str, str] = {
    "study file": STUDY,
    "models file": MODELS,
    "access file": ACCESS,
    "policy": json.dumps(POLICY),
    "environment": ENVIRONMENT,
    "settings": "beam_search\nwidth=4\nselect=weighted",
    "run document": json.dumps(RUN),
    "import samples": "\n".join(map(json.dumps, samples("text"))),
    "import search_and_learn": json.dumps(LEARN),
    "import openr_tree": json.dumps(OPENR),
    "import thinkbooster": json.dumps(trace("named", "text")),
    "data set .jsonl": "\n".join(map(json.dumps, ROWS)),
    "data set .json": json.dumps(ROWS),
    "data set .csv": "id,question,answer\na,1 + 1?,2\n",
    "data set .tsv": "id\tquestion\tanswer\na\t1 + 1?\t2\n",
    "data set .parquet": "PAR1",
    "study name": "my-study_1.0",
    "answer": "so\n#### 12\nAnswer: \\boxed{\\frac{1}{2}}\nthe answer is 3.",
    "stored text": "a\x10b",
    "tokens": "Ana has 8 cards.",
}
TOML = ("study file", "models file", "access file", "environment", "settings")  # written in lines, a value in each
NUMBERS = ("0", "-1", "1.5", "1e999", "-1e999", "NaN", "1" + "0" * 400, "9" * 5000, "9223372036854775808", "-0.0",
           "2147483648", "1000000000000")  # fmt: skip
VALUES = (*NUMBERS, "true", "null", '""', "[]", "{}", "[[]]", '"\\ud800"', '"\\u0000"', '"../../x"', "[null]",
          '{"a":1}', "[" * 2000, '{"a":' * 2000, *(json.dumps(text) for text in SHORT.values()))  # fmt: skip


def _places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at, *(place for key, one in list(inside)[:6] for place in _places(one, (*at, key)))]


def _changed(document: Any, rng: Random) -> str:
    """The document as JSON with one value changed, doubled or left out."""
    place = rng.choice(_places(document))
    mark = "\x01here\x01"
    if not place:
        return rng.choice(VALUES)
    document = json.loads(json.dumps(document))
    parent = document
    for key in place[:-1]:
        parent = parent[key]
    how = rng.randrange(6)
    if how == 0:
        del parent[place[-1]]
        return json.dumps(document)
    if how == 1 and isinstance(parent, list):
        parent.append(parent[place[-1]])
        return json.dumps(document)
    parent[place[-1]] = mark
    return json.dumps(document).replace(json.dumps(mark), rng.choice(VALUES))


def _json(seed: str, rng: Random) -> str:
    lines = seed.split("\n")
    chosen = rng.randrange(len(lines))
    lines[chosen] = _changed(json.loads(lines[chosen]), rng)
    return "\n".join(lines)


def _toml(seed: str, rng: Random) -> str:
    """One value of one line changed, a line left out or doubled."""
    lines = seed.split("\n")
    chosen = rng.randrange(len(lines))
    key, equals, _ = lines[chosen].partition("=")
    how = rng.randrange(4)
    if how == 0 or not equals:
        lines[chosen] = rng.choice(["", lines[chosen] * 2, f"[{lines[chosen]}]", f"{rng.choice(VALUES)}"])
    else:
        lines[chosen] = f"{key}={rng.choice(VALUES)}"
    return "\n".join(lines)


def _bytes(raw: bytes, rng: Random) -> bytes:
    at, length = rng.randrange(len(raw) + 1), rng.choice((0, 1, 1, 5, 50))
    text = rng.choice(list(SHORT.values())).encode("utf-8", "surrogatepass")
    put = rng.choice([rng.randbytes(rng.randrange(4)), text,
                      b"\xff\xfe", b"\xef\xbb\xbf", b"\x00", b"\n" * 3, b'"', b"]", raw[at : at + 20] * 3])  # fmt: skip
    return raw[:at] + put + raw[at + length :]


@functools.cache
def _bundled() -> str:
    """The tables and the `bundle.json` of a small bundle, each after a line of @ and its name."""
    from tests.fuzz.parsers import PARTS
    from ttc_core import importing, runs
    from ttc_core.bundle import writing
    from ttc_core.store.database import database

    with tempfile.TemporaryDirectory() as folder:
        url, file = f"sqlite:///{folder}/x.db", Path(folder) / "x.zip"
        (Path(folder) / "x.json").write_text(json.dumps(trace("named", "text")))
        runs.ensure_database(db=url)
        importing.add("thinkbooster", Path(folder) / "x.json", "d", "s", db=url)
        writing.write("s", file, writing.Drawn(formats=["csv"], resamples=1), db=url)
        database(url).close()
        with zipfile.ZipFile(file) as zipped:
            return "\n".join(
                f"@{name.decode()}\n{zipped.read(name.decode()).decode().strip()}" for name in sorted(PARTS)
            )


def made(name: str, rng: Random) -> bytes:
    """Some input for this parser."""
    text = _bundled() if name == "bundle" else SEEDS[name]
    for _ in range(rng.choice((0, 1, 1, 1, 2, 3))):
        try:
            text = (_toml if name in TOML else _json)(text, rng)
        except (ValueError, RecursionError, TypeError):
            break
    raw = text.encode("utf-8", "surrogatepass")
    for _ in range(rng.choice((0, 0, 1, 3))):
        raw = _bytes(raw, rng)
    return raw
