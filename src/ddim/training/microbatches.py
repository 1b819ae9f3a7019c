"""A training batch in equal parts that a CPU computes side by side, forward and backward.

Why: ddim.sampling.parallel. The parts' gradients are summed in their order, so the weights depend
on the number of parts (the last bits do), but not on how many threads there are.
"""

from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn


class Microbatches:
    """eps = network(x, t) as one differentiable call, computed in `parts` parts of the batch.

    network must draw no random numbers (dropout): threads would take them from one generator in
    any order.
    """

    def __init__(self, network: nn.Module, parts: int) -> None:
        self._network, self._parts = network, parts
        self._parameters = [p for p in network.parameters() if p.requires_grad]

    def __call__(self, x: Tensor, t: Tensor) -> Tensor:
        """eps [N,...] of x [N,...] and t [N]; `parts` must divide N."""
        return _Split.apply(self._network, self._parts, x, t, *self._parameters)


class _Split(torch.autograd.Function):
    """Gradients go to the parameters alone: x and t are data."""

    @staticmethod
    def forward(
        ctx: Any, network: nn.Module, parts: int, x: Tensor, t: Tensor, *parameters: Tensor
    ) -> Tensor:
        autocast = torch.is_autocast_enabled("cpu")
        dtype = torch.get_autocast_dtype("cpu")

        def evaluate(part: tuple[Tensor, Tensor]) -> Tensor:
            # Both modes are a thread's own, and inside of a Function gradients are off.
            with torch.enable_grad(), torch.autocast("cpu", dtype, enabled=autocast):
                return network(*part)

        batches = zip(x.chunk(parts), t.chunk(parts), strict=True)
        ctx.outputs, ctx.parameters = list(_pool(parts).map(evaluate, batches)), parameters
        return torch.cat([output.detach() for output in ctx.outputs])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        def differentiate(part: tuple[Tensor, Tensor]) -> tuple[Tensor, ...]:
            output, gradient = part
            return torch.autograd.grad(output, ctx.parameters, gradient)

        pairs = zip(ctx.outputs, gradients[0].chunk(len(ctx.outputs)), strict=True)
        parts = list(_pool(len(ctx.outputs)).map(differentiate, pairs))
        sums = (sum(each[1:], each[0]) for each in zip(*parts, strict=True))
        return (*[None] * 4, *sums)  # of network, parts, x and t there is none


@cache
def _pool(parts: int) -> ThreadPoolExecutor:
    """At most a thread for each core, each with its share of them."""
    cores = torch.get_num_threads()
    share = max(1, cores // parts)
    return ThreadPoolExecutor(
        min(parts, cores), initializer=torch.set_num_threads, initargs=(share,)
    )
