"""A small Llama in plain torch, weight for weight the one of transformers (tied embeddings, rotary, SwiGLU).

torch is imported by this module; import it inside functions only, so that ttc_core stays light.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

EPSILON = 1e-5
LONGEST = 2048
ROPE_BASE = 10_000.0


@dataclass(frozen=True)
class Shape:
    """The size of a model; head dimension is width / heads."""

    width: int
    layers: int
    heads: int
    inner: int
    vocabulary: int

    def parameters(self) -> int:
        """Return the number of parameters."""
        layer = 4 * self.width**2 + 3 * self.width * self.inner + 2 * self.width
        return self.vocabulary * self.width + self.layers * layer + self.width

    def as_dict(self) -> dict[str, int]:
        """Return the fields as a dict."""
        return asdict(self)


def rotary_tables(length: int, head: int) -> tuple[Tensor, Tensor]:
    """Return cosines and sines, each (length, head)."""
    frequencies = 1 / (ROPE_BASE ** (torch.arange(0, head, 2).float() / head))
    angles = torch.outer(torch.arange(length).float(), frequencies)
    angles = torch.cat([angles, angles], -1)
    return angles.cos(), angles.sin()


def rotate(x: Tensor, cosines: Tensor, sines: Tensor) -> Tensor:
    """Apply rotary positions to (..., length, head)."""
    first, second = x.chunk(2, -1)
    return x * cosines + torch.cat([-second, first], -1) * sines


class Block(nn.Module):
    """One pre-norm Llama layer."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        width = shape.width
        self.heads, self.head = shape.heads, width // shape.heads
        self.norm1 = nn.RMSNorm(width, eps=EPSILON)
        self.norm2 = nn.RMSNorm(width, eps=EPSILON)
        self.q = nn.Linear(width, width, bias=False)
        self.k = nn.Linear(width, width, bias=False)
        self.v = nn.Linear(width, width, bias=False)
        self.o = nn.Linear(width, width, bias=False)
        self.gate = nn.Linear(width, shape.inner, bias=False)
        self.up = nn.Linear(width, shape.inner, bias=False)
        self.down = nn.Linear(shape.inner, width, bias=False)

    def project(self, x: Tensor, cosines: Tensor, sines: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return rotated queries and keys, and values, each (batch, heads, length, head)."""
        batch, length, _ = x.shape
        h = self.norm1(x)
        q, k, v = (p(h).view(batch, length, self.heads, self.head).transpose(1, 2) for p in (self.q, self.k, self.v))
        return rotate(q, cosines, sines), rotate(k, cosines, sines), v

    def finish(self, x: Tensor, attended: Tensor) -> Tensor:
        """Add attention output (batch, heads, length, head) and the MLP to the residual stream."""
        x = x + self.o(attended.transpose(1, 2).reshape(x.shape))
        h = self.norm2(x)
        return x + self.down(functional.silu(self.gate(h)) * self.up(h))

    def forward(self, x: Tensor, cosines: Tensor, sines: Tensor) -> Tensor:
        """Run the layer causally over (batch, length, width)."""
        q, k, v = self.project(x, cosines, sines)
        with torch.autocast(x.device.type, enabled=False):
            # On a CPU torch's attention goes backward four times as fast in fp32 as in bf16.
            attended = functional.scaled_dot_product_attention(q.float(), k.float(), v.float(), is_causal=True)
        return self.finish(x, attended)


class Llama(nn.Module):
    """Causal language model; rows are padded on the right in training."""

    cosines: Tensor
    sines: Tensor

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.embedding = nn.Embedding(shape.vocabulary, shape.width)
        self.blocks = nn.ModuleList(Block(shape) for _ in range(shape.layers))
        self.norm = nn.RMSNorm(shape.width, eps=EPSILON)
        cosines, sines = rotary_tables(LONGEST, shape.width // shape.heads)
        self.register_buffer("cosines", cosines, persistent=False)
        self.register_buffer("sines", sines, persistent=False)
        self._initialise()

    def _initialise(self) -> None:
        quiet = 1 / math.sqrt(2 * self.shape.layers)
        for name, parameter in self.named_parameters():
            if "embedding" in name:
                nn.init.normal_(parameter, 0, 0.02)
            elif parameter.dim() == 2:
                scale = quiet if name.endswith(("o.weight", "down.weight")) else 1.0
                nn.init.normal_(parameter, 0, scale / math.sqrt(parameter.shape[1]))

    def residual(self, tokens: Tensor, layers: int | None = None) -> Tensor:
        """Return the residual stream (batch, length, width) after the first `layers` layers (default all)."""
        length = tokens.shape[1]
        x = self.embedding(tokens)
        for block in list(self.blocks)[:layers]:
            x = block(x, self.cosines[:length], self.sines[:length])
        return x

    def hidden(self, tokens: Tensor) -> Tensor:
        """Return normalised last hidden states (batch, length, width)."""
        normalised: Tensor = self.norm(self.residual(tokens))
        return normalised

    def logits(self, hidden: Tensor) -> Tensor:
        """Return next-token logits (..., vocabulary) of hidden states."""
        return hidden @ self.embedding.weight.T

    def forward(self, tokens: Tensor) -> Tensor:
        """Return next-token logits (batch, length, vocabulary)."""
        return self.logits(self.hidden(tokens))


def build(shape: Shape, state: dict[str, Any] | None = None) -> Llama:
    """Make a model and load a state dict if one is given."""
    model = Llama(shape)
    if state is not None:
        model.load_state_dict(state)
    return model
