"""Function-preserving growth: a wider or deeper model that computes what the smaller one did.

New residual channels start silent (nothing writes to them), new heads and inner units are read with weight zero, new
layers add nothing; RMS norms are rescaled for the wider mean. Training then has all the new capacity to use.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ttc_core.lab.model import Llama, Shape, build

_READERS = ("q.weight", "k.weight", "v.weight", "gate.weight", "up.weight")
_WRITERS = ("o.weight", "down.weight")


def _widened(small: Tensor, large: Tensor, name: str, ratio: float) -> Tensor:
    """Embed the small weight in the large one's random start so that the function is kept."""
    if small.dim() == 1:
        result = torch.full_like(large, ratio)
        result[: small.shape[0]] = small * ratio
        return result
    rows, columns = small.shape
    result = large.clone()
    if name.endswith(_READERS):
        result[:rows, :columns] = small
        result[:rows, columns:] = large[:rows, columns:] * 0.5
        return result
    result.zero_()
    result[:rows, :columns] = small
    return result


def grow(small: Llama, shape: Shape, after: tuple[int, ...] = (), seed: int = 0) -> Llama:
    """Return a larger model with the same outputs.

    Arguments:
        small: the trained model; its head dimension must equal the larger one's.
        shape: the larger shape.
        after: for each new layer, the number of old layers below it, rising.
        seed: seed of the new weights.
    Raises:
        ValueError: if the shapes do not fit together.
    """
    old = small.shape
    fits = shape.width // shape.heads == old.width // old.heads and shape.layers == old.layers + len(after)
    if not fits or shape.width < old.width or shape.inner < old.inner:
        raise ValueError(f"cannot grow {old} to {shape} with new layers after {after}")
    torch.manual_seed(seed)
    large = build(shape)
    state = large.state_dict()
    # The mean square over more channels is smaller by width / old width while the new ones are silent.
    ratio = math.sqrt(old.width / shape.width)
    placed = [old_index + sum(place <= old_index for place in after) for old_index in range(old.layers)]
    for name, weight in small.state_dict().items():
        target = name
        if name.startswith("blocks."):
            _, index, rest = name.split(".", 2)
            target = f"blocks.{placed[int(index)]}.{rest}"
        state[target] = _widened(weight, state[target], name, ratio)
    for index in set(range(shape.layers)) - set(placed):
        for writer in _WRITERS:
            state[f"blocks.{index}.{writer}"].zero_()
        for norm in ("norm1.weight", "norm2.weight"):
            state[f"blocks.{index}.{norm}"].fill_(ratio)
    large.load_state_dict(state)
    return large
