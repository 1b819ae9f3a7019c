"""Where a network runs and in which precision: the one door between a sampler and a network."""

from typing import Self

import torch
from torch import Tensor, nn

from ddim.schema import Accelerator

_AUTOCAST = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}


def torch_device(accelerator: Accelerator) -> torch.device:
    """The device that `trainer.accelerator` names; `auto` is the best one present."""
    present = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if accelerator is Accelerator.auto:
        return torch.device(next((name for name, there in present.items() if there), "cpu"))
    if not present.get(accelerator.value, True):
        raise ValueError(
            f"trainer.accelerator is {accelerator.value}, which this machine does not have:"
            " use auto or cpu"
        )
    return torch.device(accelerator.value)


class EpsModel(nn.Module):
    """A trained network as samplers call it: eps = eps_model(x, t), without gradients.

    x may be float32 or float64; it is cast here, at the door, and eps comes back in x's dtype.

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
        self._compiled = compiled

    def place(self, device: torch.device) -> Self:
        """Move to `device` for good and get ready for speed there.

        With 32-true on CUDA this switches TF32 convolutions off for the whole process: encoding
        and decoding (Table 2) needs float32 that is float32.
        """
        self.to(device)
        if device.type == "cuda":
            torch.backends.cudnn.allow_tf32 = self._autocast is not None
        if self._compiled:
            self.network.compile()
        return self

    @torch.no_grad()
    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        """eps [N,C,H,W] in x's dtype, for x [N,C,H,W] and t int64 [N] in 1..T."""
        weight = next(self.network.parameters())
        with torch.autocast(x.device.type, self._autocast, enabled=self._autocast is not None):
            eps: Tensor = self.network(x.to(weight.dtype), t)
        return eps.to(x.dtype)


def describe(device: torch.device) -> str:
    """The device as the report names it: 'cpu (2 threads)', or the GPU's own name."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"cpu ({torch.get_num_threads()} threads)" if device.type == "cpu" else device.type
