"""A Llama in numpy whose result for a row never depends on the rows beside it.

BLAS picks its summation order by the shape of the whole product, so that a token's logits would change in the last
bits with the batch around it, and sampling would turn that into other text. Here every product has a fixed shape:
linear layers run on tiles of `TILE` rows, attention on blocks of `BLOCK` keys that are added up in order, and keys
beyond a row's length contribute exact zeros. A token's keys and values are therefore the same bits whether they were
computed in a prompt, while decoding or while scoring, alone or beside 255 others.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ttc_core.errors import EngineFault

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

TILE = 64  # rows of a linear layer's product
BLOCK = 64  # keys of an attention product


@dataclass(frozen=True)
class _Layer:
    norm1: Floats
    qkv: Floats  # (width, 3 width)
    out: Floats  # (width, width)
    norm2: Floats
    gate_up: Floats  # (width, 2 inner)
    down: Floats  # (inner, width)


class Llama:
    """Weights and the arithmetic of one row; see the module's docstring for the invariance.

    layers, heads, head, width: the shape; longest: positions a context may have; parameters: their number.
    """

    def __init__(self, folder: Path) -> None:
        """Read a folder in Hugging Face layout; weights stored in fp16 or fp32, computed with in fp32.

        Raises:
            EngineFault: a file is missing or broken, or the architecture is not a plain Llama.
        """
        try:
            config = json.loads((folder / "config.json").read_text("utf-8"))
            self.width, self.heads = int(config["hidden_size"]), int(config["num_attention_heads"])
            self.layers, self.eps = int(config["num_hidden_layers"]), np.float32(config["rms_norm_eps"])
            self.longest = int(config["max_position_embeddings"])
            self.head = self.width // self.heads
            if config.get("model_type") != "llama" or config.get("num_key_value_heads", self.heads) != self.heads:
                raise ValueError("not a Llama with as many key as query heads")
            weights = _weights(folder / "model.safetensors")
            self.parameters = sum(w.size for w in weights.values())
            self._embedding = weights["model.embed_tokens.weight"]
            self._unembedding = np.ascontiguousarray(weights.get("lm_head.weight", self._embedding).T)
            self._norm = weights["model.norm.weight"]
            self._layers = [_layer(weights, i) for i in range(self.layers)]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise EngineFault(f"the model in {folder.name} cannot be loaded: {error}") from error
        self._scale = np.float32(self.head**-0.5)
        base = float(config.get("rope_theta", 10_000.0))
        inverse = 1.0 / base ** (np.arange(0, self.head, 2, dtype=np.float32) / np.float32(self.head))
        angles = np.arange(self.longest, dtype=np.float32)[:, None] * inverse.astype(np.float32)
        self._cos = np.concatenate([np.cos(angles)] * 2, -1).astype(np.float32)[:, None]  # (longest, 1, head)
        self._sin = np.concatenate([np.sin(angles)] * 2, -1).astype(np.float32)[:, None]

    def embed(self, tokens: Ints) -> Floats:
        """(rows,) token ids to (rows, width)."""
        rows: Floats = self._embedding[tokens]
        return rows

    def project(self, layer: int, x: Floats, positions: Ints) -> tuple[Floats, Floats, Floats]:
        """Queries and keys with rotary positions, and values, each (rows, heads, head), of the stream (rows, width)."""
        w = self._layers[layer]
        qkv = _linear(self._rms(x, w.norm1), w.qkv).reshape(len(x), 3, self.heads, self.head)
        cos, sin = self._cos[positions], self._sin[positions]
        return _rotate(qkv[:, 0], cos, sin), _rotate(qkv[:, 1], cos, sin), qkv[:, 2]

    def attend(self, q: Floats, keys: Floats, values: Floats, lengths: Ints) -> Floats:
        """Attention output (rows, width).

        q (rows, heads, head); keys, values (contexts, blocks, heads, BLOCK, head), each context read by as many
        consecutive rows as the others; lengths (rows,): how many keys, counted through the blocks, each row may see.
        """
        rows, (contexts, blocks) = len(q), keys.shape[:2]
        queries = q.reshape(contexts, -1, 1, self.heads, 1, self.head)
        scores = np.matmul(queries, keys.swapaxes(-1, -2)[:, None]).reshape(rows, blocks, self.heads, BLOCK)
        scores *= self._scale
        unseen = np.arange(blocks * BLOCK).reshape(blocks, BLOCK)[None] >= lengths[:, None, None]
        scores += np.where(unseen, np.float32(-np.inf), np.float32(0))[:, :, None, :]
        scores -= scores.max((1, 3))[:, None, :, None]
        np.exp(scores, out=scores)
        sums = scores.sum(-1)  # (rows, blocks, heads)
        weights = scores.reshape(contexts, -1, blocks, self.heads, 1, BLOCK)
        parts = np.matmul(weights, values[:, None]).reshape(rows, blocks, self.heads, self.head)
        total, mixed = sums[:, 0].copy(), parts[:, 0].copy()
        for block in range(1, blocks):  # in order, so that later, empty blocks change nothing
            total += sums[:, block]
            mixed += parts[:, block]
        mixed /= total[:, :, None]
        attended: Floats = mixed.reshape(rows, self.width)
        return attended

    def finish(self, layer: int, x: Floats, attended: Floats) -> Floats:
        """The stream (rows, width) after a layer's output projection and MLP."""
        w = self._layers[layer]
        x = x + _linear(attended, w.out)
        gate_up = _linear(self._rms(x, w.norm2), w.gate_up)
        inner = gate_up.shape[1] // 2
        gate, up = np.ascontiguousarray(gate_up[:, :inner]), gate_up[:, inner:]
        with np.errstate(over="ignore"):
            gate /= 1 + np.exp(-gate)
        gate *= up
        return x + _linear(gate, w.down)

    def hidden(self, x: Floats) -> Floats:
        """The normalised last state (rows, width)."""
        return self._rms(x, self._norm)

    def logits(self, hidden: Floats) -> Floats:
        """(rows, width) to (rows, vocabulary)."""
        return _linear(hidden, self._unembedding)

    def _rms(self, x: Floats, weight: Floats) -> Floats:
        square: Floats = np.ascontiguousarray(x * x).mean(-1, keepdims=True)
        normalised: Floats = x / np.sqrt(square + self.eps) * weight
        return normalised


def _linear(x: Floats, weight: Floats) -> Floats:
    """(rows, in) x (in, out) in tiles of exactly TILE rows, the last one padded with zeros."""
    rows, width = x.shape
    tiles = -(-rows // TILE)
    if tiles * TILE != rows:
        padded = np.zeros((tiles * TILE, width), np.float32)
        padded[:rows] = x
        x = padded
    product: Floats = np.matmul(x.reshape(tiles, TILE, width), weight).reshape(tiles * TILE, -1)
    return product[:rows]


def _rotate(x: Floats, cos: Floats, sin: Floats) -> Floats:
    """Rotary positions on (rows, heads, head), halves paired as in Hugging Face's Llama."""
    half = x.shape[-1] // 2
    turned = np.concatenate([-x[..., half:], x[..., :half]], -1)
    rotated: Floats = (x * cos + turned * sin).astype(np.float32, copy=False)
    return rotated


def _weights(path: Path) -> dict[str, Floats]:
    from safetensors.numpy import load_file

    return {name: np.ascontiguousarray(w, dtype=np.float32) for name, w in load_file(path).items()}


def _layer(weights: dict[str, Floats], index: int) -> _Layer:
    def w(name: str) -> Floats:
        return weights[f"model.layers.{index}.{name}.weight"]

    def joined(*names: str) -> Floats:
        return np.ascontiguousarray(np.concatenate([w(name) for name in names]).T)

    return _Layer(
        w("input_layernorm"),
        joined("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
        joined("self_attn.o_proj"),
        w("post_attention_layernorm"),
        joined("mlp.gate_proj", "mlp.up_proj"),
        joined("mlp.down_proj"),
    )
