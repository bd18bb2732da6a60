"""No input breaks a parser: it is taken or refused in one sentence. `python -m tests.fuzz` looks for long."""

from __future__ import annotations

from pathlib import Path
from random import Random

import hypothesis
import pytest
from hypothesis import strategies as st

from tests.fuzz.making import made
from tests.fuzz.parsers import PARSERS, tried

CORPUS = Path(__file__).with_name("corpus")
ANY_BYTES = ("study name", "answer", "stored text", "data set .csv", "data set .jsonl", "import samples")


@pytest.mark.parametrize("name", PARSERS)
def test_changed_documents(name):
    said = [tried(name, made(name, Random(seed))) for seed in range(150 if name != "bundle" else 15)]
    assert "taken" in said or name in ("data set .parquet",)


@pytest.mark.parametrize("name", ANY_BYTES)
@hypothesis.given(raw=st.binary(max_size=200) | st.text(max_size=100).map(lambda text: text.encode("utf-8")))
@hypothesis.settings(max_examples=100)
def test_any_bytes(name, raw):
    tried(name, raw)


@pytest.mark.parametrize("path", sorted(CORPUS.glob("*/*")), ids=lambda path: f"{path.parent.name}-{path.name}")
def test_what_once_broke_a_parser(path):
    names = {name.replace(" ", "-").replace(".", ""): name for name in PARSERS}
    tried(names[path.parent.name], path.read_bytes())
