"""A Llama in numpy whose result for a row never depends on the rows beside it.

BLAS picks its summation order by the shape of the whole product, so that a token's logits would change in the last
bits with the batch around it, and sampling would turn that into other text. Here every product has a fixed shape:
linear layers run on tiles of so many rows that their places do not matter (`_tile`), attention (attention.py) on pages
of `BLOCK` keys that are added up in order, and keys beyond a row's length contribute exact zeros. A token's keys and
values are therefore the same bits whether they were computed in a prompt, while decoding or while scoring, alone or
beside 255 others.
"""

from __future__ import annotations

import functools
import hashlib
import json
import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ttc_core import models
from ttc_core.engines.embedded.attention import Floats, Ints
from ttc_core.errors import EngineFault

log = logging.getLogger(__name__)

TILES = (64, 32, 16, 8, 4, 2)  # rows that a linear layer's product may have
HINT = "fetch it again; `make sums` records weights that you changed yourself"
LONGEST = 1 << 20  # positions; rotations are computed for all of them


@dataclass(frozen=True)
class _Layer:
    """Weights (in, out), each with the factors of the norm before it multiplied in.

    Queries and keys have their two halves interleaved, so that a rotation is a complex product; queries are scaled by
    1 / sqrt(head), and the gate by 1/2.
    """

    qkv: Floats  # (width, (heads + 2 kv heads) head)
    out: Floats  # (heads head, width)
    gate: Floats  # (width, inner)
    up: Floats  # (width, inner)
    down: Floats  # (inner, width)


class Llama:
    """Weights and the arithmetic of one row; see the module's docstring for the invariance.

    layers, heads, groups, head, width: the shape, `groups` the heads of keys and values, each read by heads / groups
    of the queries; longest: positions a context may have; parameters: their number.
    """

    def __init__(self, folder: Path) -> None:
        """Read a folder in Hugging Face layout; weights stored in fp16 or fp32, computed with in fp32.

        Raises:
            EngineFault: a file is missing, broken or not the recorded one, or the architecture is not a plain Llama.
        """
        try:
            config = json.loads((folder / "config.json").read_text("utf-8"))
            if config.get("model_type") != "llama" or config.get("rope_scaling"):
                raise ValueError("not a plain Llama")
            self.width, self.heads = int(config["hidden_size"]), int(config["num_attention_heads"])
            self.groups = int(config.get("num_key_value_heads") or self.heads)
            self.head = int(config.get("head_dim") or self.width // self.heads)
            self.layers, self.eps = int(config["num_hidden_layers"]), np.float32(config["rms_norm_eps"])
            self.longest = int(config["max_position_embeddings"])
            if not 0 < self.longest <= LONGEST:
                raise ValueError(f"max_position_embeddings must be from 1 to {LONGEST:,}")
            if min(self.width, self.heads, self.groups, self.head) < 1 or self.heads * self.head > LONGEST:
                raise ValueError(f"{self.heads} heads of {self.head} cannot be")
            weights = _weights(folder)
            self.parameters = sum(w.size for w in weights.values())
            self._embedding = weights["model.embed_tokens.weight"]
            self._unembedding = np.ascontiguousarray(weights.get("lm_head.weight", self._embedding).T)
            self._norm = weights["model.norm.weight"]
            self._layers = [self._layer(weights, i) for i in range(self.layers)]
        except (OSError, ValueError, KeyError, TypeError, ArithmeticError, RecursionError) as error:
            raise EngineFault(f"the model in {folder.name} cannot be loaded: {error}", hint=HINT) from error
        base = float(config.get("rope_theta", 10_000.0))
        inverse = 1.0 / base ** (np.arange(0, self.head, 2, dtype=np.float32) / np.float32(self.head))
        angles = np.arange(self.longest, dtype=np.float32)[:, None] * inverse.astype(np.float32)
        turns = (np.cos(angles) + 1j * np.sin(angles)).astype(np.complex64)  # (longest, head / 2)
        self._turns: NDArray[np.complex64] = np.tile(turns, self.heads + self.groups)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(layers, heads, head) of keys and values."""
        return self.layers, self.groups, self.head

    def linear(self) -> list[Floats]:
        """The weights (in, out) that every token is multiplied with."""
        layers = [weight for w in self._layers for weight in (w.qkv, w.out, w.gate, w.up, w.down)]
        return [*layers, self._unembedding]

    def embed(self, tokens: Ints) -> Floats:
        """(rows,) token ids to (rows, width)."""
        rows: Floats = self._embedding[tokens]
        return rows

    def project(self, layer: int, x: Floats, positions: Ints) -> tuple[Floats, Floats, Floats]:
        """Of the stream (rows, width): scaled queries (rows, heads, head), keys and values (rows, groups, head).

        Queries and keys are rotated to their positions: RoFormer (Su et al. 2021, arXiv 2104.09864), eq. 12.
        """
        qkv = _linear(self._rms(x), self._layers[layer].qkv)
        turned = qkv[:, : 2 * self._turns.shape[1]].view(np.complex64)
        turned *= self._turns[positions]
        split = qkv.reshape(len(x), -1, self.head)
        return split[:, : self.heads], split[:, self.heads : -self.groups], split[:, -self.groups :]

    def finish(self, layer: int, x: Floats, attended: Floats) -> Floats:
        """The stream (rows, width) after a layer's output projection of attended (rows, heads head) and its MLP."""
        w = self._layers[layer]
        middle = _linear(attended, w.out)
        middle += x
        normalised = self._rms(middle)
        half = _linear(normalised, w.gate)  # silu(2 h) = h (1 + tanh h)
        gate = np.tanh(half)
        gate += 1
        gate *= half
        gate *= _linear(normalised, w.up)
        out = _linear(gate, w.down)
        out += middle
        return out

    def hidden(self, x: Floats) -> Floats:
        """The normalised last state (rows, width)."""
        return self._rms(x) * self._norm

    def logits(self, hidden: Floats) -> Floats:
        """(rows, width) to (rows, vocabulary)."""
        return _linear(hidden, self._unembedding)

    def _rms(self, x: Floats) -> Floats:
        square = np.vecdot(x, x)[:, None] / np.float32(self.width)
        normalised: Floats = x / np.sqrt(square + self.eps)
        return normalised

    def _layer(self, weights: dict[str, Floats], index: int) -> _Layer:
        def w(name: str) -> Floats:
            return weights[f"model.layers.{index}.{name}.weight"]

        def interleaved(name: str) -> Floats:
            return w(name).reshape(-1, 2, self.head // 2, self.width).swapaxes(1, 2).reshape(-1, self.width)

        def columns(rows: Floats, norm: str = "") -> Floats:
            return np.ascontiguousarray((rows * w(norm) if norm else rows).T)

        q = interleaved("self_attn.q_proj") * np.float32(self.head**-0.5)
        return _Layer(
            columns(np.concatenate([q, interleaved("self_attn.k_proj"), w("self_attn.v_proj")]), "input_layernorm"),
            columns(w("self_attn.o_proj")),
            columns(w("mlp.gate_proj") * np.float32(0.5), "post_attention_layernorm"),
            columns(w("mlp.up_proj"), "post_attention_layernorm"),
            columns(w("mlp.down_proj")),
        )


def _linear(x: Floats, weight: Floats) -> Floats:
    """(rows, in) x (in, out) in tiles of equally many rows, the last one padded with zeros."""
    rows, width = x.shape
    tile = _tile(*weight.shape)
    tiles = -(-rows // tile)
    if tiles * tile != rows:
        padded = np.zeros((tiles * tile, width), np.float32)
        padded[:rows] = x
        x = padded
    product: Floats = np.matmul(x.reshape(tiles, tile, width), weight).reshape(tiles * tile, -1)
    return product[:rows]


@functools.cache
def _tile(width: int, out: int) -> int:
    """The most rows of which a product with (width, out) adds up each in the same order, found by trying.

    OpenBLAS for AVX-512 does so with 64; for AVX2 its blocks of 12 rows add up the last six in another order.
    """
    rng = np.random.default_rng(0)
    row, weight = rng.standard_normal(width, np.float32), rng.standard_normal((width, out), np.float32)
    for tile in TILES:
        product = np.matmul(np.tile(row, (2, tile, 1)), weight)
        if (product == product[0, 0]).all():
            return tile
    return 1


def _weights(folder: Path) -> dict[str, Floats]:
    """What was hashed is what is loaded: the file is read once. Weights that no sum is recorded of are taken as is."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    content, wanted = (folder / models.WEIGHTS).read_bytes(), models.recorded(folder)
    if wanted is None:
        log.info("%s: no sum is recorded of these weights, they are taken as they are", folder.name)
    elif hashlib.sha256(content).hexdigest() != wanted:
        raise ValueError(f"{models.WEIGHTS} is another file than SHA256SUMS records")
    try:
        return {name: np.ascontiguousarray(w, dtype=np.float32) for name, w in load(content).items()}
    except SafetensorError as error:
        raise ValueError(f"{models.WEIGHTS}: {error}") from error
