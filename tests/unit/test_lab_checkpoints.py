"""Members of the family with wider heads, as vLLM on a CPU wants them, compute what the originals compute."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ttc_core.engines.embedded.llama import Llama
from ttc_core.engines.embedded.tokens import Tokenizer
from ttc_core.lab.checkpoints import export_checkpoint
from ttc_core.settings import DATA


def logits(folder: Path, text: str) -> np.ndarray:
    """Every position's logits, by the embedded engine's own layers, one context after another."""
    from ttc_core.engines.embedded.cache import Trie
    from ttc_core.engines.embedded.context import Work, forward

    model, tokenizer = Llama(folder), Tokenizer(folder)
    trie = Trie(model.shape, 2**20)
    entry = trie.find([(tokenizer.bos, *tokenizer.encode(text))])
    [states] = forward(model, trie, [Work(entry.path(), [entry])])
    return model.logits(states)


@pytest.mark.parametrize("name", ["mini-s", "mini-prm"])
@pytest.mark.parametrize("head", [32, 64])
def test_wider_heads_compute_the_same(name: str, head: int, tmp_path: Path) -> None:
    text = "Tom has 3 cards. Tom buys 4 packs of 2. How many cards does Tom have now?\n4 * 2 = 8\n3 + 8 = 11\n"
    widened = export_checkpoint(DATA / "models" / name, tmp_path / "wide", head)
    before, after = logits(DATA / "models" / name, text), logits(widened, text)
    assert Llama(widened).head == head
    assert np.abs(before - after).max() < 1e-4 * np.abs(before).max()


def test_heads_are_not_cut(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot be widened to 24"):
        export_checkpoint(DATA / "models" / "mini-s", tmp_path, 24)
