"""Muon for the matrices and AdamW for the rest, in fp32."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)


class Muon(torch.optim.Optimizer):
    """Momentum orthogonalised by five Newton-Schulz steps (Jordan et al. 2024); same shapes go through together."""

    def __init__(
        self, parameters: Iterable[Tensor], lr: float, momentum: float = 0.95, decay: float = 0.01, half: bool = False
    ) -> None:
        super().__init__(parameters, {"lr": lr, "momentum": momentum, "decay": decay})
        self._precision = torch.bfloat16 if half else torch.float32

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Update every parameter that has a gradient."""
        for group in self.param_groups:
            by_shape: dict[torch.Size, list[tuple[Tensor, Tensor]]] = {}
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                state = self.state[parameter]
                if "momentum" not in state:
                    state["momentum"] = torch.zeros_like(parameter)
                state["momentum"].lerp_(parameter.grad, 1 - group["momentum"])
                update = parameter.grad.lerp(state["momentum"], group["momentum"])
                by_shape.setdefault(parameter.shape, []).append((parameter, update))
            for pairs in by_shape.values():
                self._apply(pairs, group["lr"], group["decay"])

    def _apply(self, pairs: list[tuple[Tensor, Tensor]], lr: float, decay: float) -> None:
        stacked = torch.stack([update for _, update in pairs])
        tall = stacked.shape[1] > stacked.shape[2]
        x = stacked.mT if tall else stacked
        x = (x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)).to(self._precision)
        a, b, c = NEWTON_SCHULZ
        for _ in range(5):
            gram = x @ x.mT
            x = a * x + (b * gram + c * (gram @ gram)) @ x
        scale = 0.2 * math.sqrt(max(x.shape[1:]))
        for (parameter, _), direction in zip(pairs, (x.mT if tall else x).float(), strict=True):
            parameter.mul_(1 - lr * decay).add_(direction, alpha=-lr * scale)


class Optimiser:
    """Several optimisers under one learning-rate schedule."""

    def __init__(
        self, model: nn.Module, lr: float, extra: Iterable[tuple[list[Tensor], float]] = (), half: bool = False
    ) -> None:
        """Split the trainable parameters of a model.

        Arguments:
            model: its matrices get Muon, its embedding and norms AdamW.
            lr: peak learning rate of both.
            extra: further parameters with their own peak learning rate under AdamW.
            half: orthogonalise in bf16.
        """
        named = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
        matrices = [p for n, p in named if p.dim() == 2 and "embedding" not in n]
        others = [p for n, p in named if p.dim() != 2 or "embedding" in n]
        self._parts: list[tuple[torch.optim.Optimizer, float]] = [(Muon(matrices, lr, half=half), lr)]
        for parameters, rate in [(others, lr), *extra]:
            adam = torch.optim.AdamW(parameters, lr=rate, betas=(0.9, 0.98), weight_decay=0.0)
            self._parts.append((adam, rate))
        self._all = [p for part, _ in self._parts for g in part.param_groups for p in g["params"]]

    def step(self, loss: Tensor, factor: float) -> None:
        """Go one step down the gradient of the loss at `factor` times the peak learning rates."""
        for part, rate in self._parts:
            for group in part.param_groups:
                group["lr"] = rate * factor
            part.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self._all, 1.0)
        for part, _ in self._parts:
            part.step()

    def state_dict(self) -> list[Any]:
        """Return the state for a checkpoint."""
        return [part.state_dict() for part, _ in self._parts]

    def load_state_dict(self, states: list[Any]) -> None:
        """Restore a checkpoint's state."""
        for (part, _), state in zip(self._parts, states, strict=True):
            part.load_state_dict(state)


def schedule(done: float, step: int, warm_up: int = 100, decay: float = 0.4) -> float:
    """Return the learning-rate factor: warm-up by steps, level, then linear to 3 % over the last part.

    Arguments:
        done: share of the training already done, 0 to 1.
        step: number of steps already taken.
        decay: share of the training over which the rate falls.
    """
    falling = min(1.0, max(0.03, (1 - done) / decay))
    return min(1.0, (step + 1) / warm_up) * falling
