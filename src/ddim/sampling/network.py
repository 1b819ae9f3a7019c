"""A trained network as samplers call it: in a precision, on a device, without gradients."""

from typing import Self

import torch
from torch import Tensor, nn

_AUTOCAST = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}


class EpsModel(nn.Module):
    """A trained network as samplers call it: eps = eps_model(x, t), without gradients.

    x may be float32 or float64; it is cast here, and eps comes back in x's dtype.

    Args:
        network: called as network(x [N,C,H,W], t int64 [N]); put into evaluation mode.
        precision: Lightning's names. 32-true computes in float32, bf16-mixed under autocast.
        compiled: whether `place` compiles the network (in place: its state dict keeps its keys).
    """

    def __init__(
        self, network: nn.Module, *, precision: str = "32-true", compiled: bool = False
    ) -> None:
        super().__init__()
        self.network = network.eval()
        self._autocast = _AUTOCAST.get(precision)
        self._compiled, self._is_compiled = compiled, False

    def place(self, device: torch.device) -> Self:
        """Move to `device` for good and get ready for speed there; the network is this one's alone.

        With 32-true on CUDA this switches TF32 convolutions off for the whole process: encoding
        and decoding (Table 2) needs float32 that is float32.
        """
        self.to(device)
        if self._autocast is not None:
            _cast(self.network, self._autocast)
        if device.type == "cuda":
            torch.backends.cudnn.allow_tf32 = self._autocast is not None
        elif device.type == "cpu" and self._autocast is not None:
            # In bfloat16 all but the convolutions is slow in channels_last, 1.6 times as a whole.
            self.network.to(memory_format=torch.contiguous_format)
        if self._compiled and not self._is_compiled:  # once, however many cells it samples
            self.network.compile()
            self._is_compiled = True
        return self

    @torch.no_grad()
    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        """eps [N,C,H,W] in x's dtype, for x [N,C,H,W] and t int64 [N] in 1..T."""
        half = self._autocast is not None
        dtype = torch.float32 if half else next(self.network.parameters()).dtype
        with torch.autocast(x.device.type, self._autocast, enabled=half):
            eps: Tensor = self.network(x.to(dtype), t)
        return eps.to(x.dtype)


def _cast(network: nn.Module, dtype: torch.dtype) -> None:
    """Cast once what autocast would cast at every evaluation: the same numbers, bit for bit."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.to(dtype)
