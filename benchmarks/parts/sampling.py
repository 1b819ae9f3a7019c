"""Part `sampling`: our sampler beside bare forward passes, diffusers, and plain PyTorch.

Random weights, whose speed is that of trained ones, and for the comparison with diffusers a
schedule that stops at alpha-bar = 0.35, over which such a network's images stay of the order of 1.
"""

import copy
import functools
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks import networks
from benchmarks.findings import Findings
from benchmarks.measure import interleaved, ratios
from benchmarks.networks import PRECISIONS, Eps
from benchmarks.parts import Options
from benchmarks.plain import PlainUNet
from ddim import sampler, schedule
from ddim.config.schema import Config
from ddim.images import to_uint8
from ddim.noise import Noise
from ddim.runtime.progress import Advance
from ddim.sampling.generate import generate
from ddim.sampling.network import EpsModel
from ddim.sampling.parallel import map_batches
from ddim.sampling.samplers import DDIM
from ddim.unet import UNet

BETAS = (1e-4, 2e-3)  # a tenth of the paper's last one
T = 1000


def run(options: Options, findings: Findings) -> None:
    """All comparisons, or the one that --against names."""
    device = torch.device(options.device)
    if options.wants("forwards"):
        for name in options.experiments(("digits", "cifar10")):
            overhead(networks.experiment(options, name), name, options, findings)
    if options.wants("sequential") and device.type == "cpu":
        for name in options.experiments(("digits", "mnist")):
            against_sequential(networks.experiment(options, name), name, options, findings)
    if options.wants("diffusers"):
        for name in options.experiments(("cifar10",)):
            against_diffusers(networks.experiment(options, name), name, options, findings)
    if options.wants("plain"):
        for name in options.experiments(("digits", "mnist")):
            against_plain(networks.experiment(options, name), name, options, findings)
    if device.type == "cuda":
        findings.note(f"peak memory of the GPU: {torch.cuda.max_memory_allocated() / 1e9:.2f} GB")


def amounts(name: str, options: Options) -> tuple[int, int]:
    """(images, steps) of one call."""
    if options.device == "cuda":
        return (256, 10)
    large = {"digits": (360, 20), "mnist": (64, 5)}
    n, S = large.get(name, (4, 5))
    return (n, 2) if options.quick else (n, S)


def batch_size(n: int, device: torch.device) -> int:
    """On a CPU a batch for each core, as the stages are configured; on a GPU one."""
    return -(-n // torch.get_num_threads()) if device.type == "cpu" else n


def sides_of_eps(cfg: Config, unet: UNet, device: torch.device) -> dict[str, EpsModel]:
    """Our network by precision, as the stages call it: copies, each in its own memory format."""
    return {
        name: EpsModel(
            copy.deepcopy(unet), precision=precision, compiled=cfg.trainer.compile
        ).place(device)
        for name, precision in PRECISIONS.items()
    }


# --- the sampler itself --------------------------------------------------------------------------


def overhead(cfg: Config, name: str, options: Options, findings: Findings) -> None:
    """Time of `generate`, noise and uint8 included, over that of as many bare forward passes.

    Both take their batches side by side.
    """
    device, (n, S) = torch.device(options.device), amounts(name, options)
    unet = networks.random_network(cfg)
    model = EpsModel(unet, compiled=cfg.trainer.compile).place(device)
    batches = torch.randn(n, *cfg.image_shape, device=device).split(batch_size(n, device))

    @torch.no_grad()
    def passes(x: Tensor, _: Advance) -> None:
        for _ in range(S):
            unet(x, torch.full((len(x),), 500, device=device))

    def forwards() -> None:
        list(map_batches(passes, batches, device))

    sides: dict[str, Callable[[], object]] = {"forwards": forwards}
    for eta in (0, 1):
        sides[f"eta{eta}"] = functools.partial(ours, model, n, S, eta, device)
    seconds = interleaved(sides, options.repeats(9), finish=networks.finish(device))
    label = f"{name}, {n} images, S = {S}"
    findings.add(f"{label}: {S} forward passes", seconds["forwards"], "s")
    for eta in (0, 1):
        over = ratios(seconds[f"eta{eta}"], seconds["forwards"])
        goal = f"sampling.overhead.eta{eta}" if name in ("digits", "cifar10") else None
        findings.add(f"{label}: sampler, eta = {eta} / forward passes", over, "x", goal)


def ours(
    model: EpsModel, n: int, S: int, eta: float, device: torch.device, *, size: int | None = None
) -> np.ndarray:
    """Images 0..n-1 by the code that the stage `sample` runs, in batches of `size` or a core's."""
    model.place(device)
    alpha_bar = schedule.alpha_bar(T, *BETAS)
    tau = schedule.trajectory(T, S)
    sampler = DDIM(eps_model=model, alpha_bar=alpha_bar, tau=tau, eta=eta, clip_x0=False)
    assert isinstance(model.network, UNet)
    shape = networks.image_shape(model.network)
    size = size or batch_size(n, device)
    batches = generate(sampler, range(n), seed=0, shape=shape, batch_size=size, device=device)
    return np.concatenate(list(batches))


# --- batches one after the other -----------------------------------------------------------------


def against_sequential(cfg: Config, name: str, options: Options, findings: Findings) -> None:
    """The same batches side by side, a core each, and one after the other on all cores."""
    device, (n, S) = torch.device("cpu"), amounts(name, options)
    size = batch_size(n, device)
    for precision, model in sides_of_eps(cfg, networks.random_network(cfg), device).items():
        sides: dict[str, Callable[[], object]] = {
            "side by side": functools.partial(ours, model, n, S, 0.0, device),
            "one after the other": functools.partial(sequential, model, n, S, size, device),
        }
        seconds = interleaved(sides, options.repeats(9))
        label = f"{name}, {n} images in batches of {size}, S = {S}, {precision}"
        for side, values in seconds.items():
            rates = [n * S / value for value in values]
            findings.add(f"{label}: {side}, evaluations per second", rates, "/s")
        faster = ratios(seconds["one after the other"], seconds["side by side"])
        findings.add(f"{label}: side by side against one after the other", faster, "x")


def sequential(model: EpsModel, n: int, S: int, size: int, device: torch.device) -> None:
    """n images by one call for each batch, which leaves all cores to it."""
    for _ in range(n // size):
        ours(model, size, S, 0.0, device, size=size)


# --- diffusers -----------------------------------------------------------------------------------


def against_diffusers(cfg: Config, name: str, options: Options, findings: Findings) -> None:
    """The same images, weights and steps through diffusers' scheduler and network."""
    device, (n, S) = torch.device(options.device), amounts(name, options)
    unet = networks.random_network(cfg)
    models = sides_of_eps(cfg, unet, device)
    theirs = {"float32": networks.twin(unet).eval().to(device)}
    theirs["bfloat16"] = nn.Module.to(networks.twin(unet).eval(), device, torch.bfloat16)
    x_T = Noise(0, range(n), cfg.image_shape, device).draw()
    sides: dict[str, Callable[[], object]] = {}
    for precision, model in models.items():
        sides[f"ours {precision}"] = functools.partial(ours, model, n, S, 0.0, device)
        sides[f"diffusers {precision}"] = functools.partial(
            diffusers_images, theirs[precision], x_T, S
        )
    seconds = interleaved(sides, options.repeats(7), finish=networks.finish(device))
    label = f"{name}, {n} images, S = {S}"
    for side, values in seconds.items():
        findings.add(f"{label}: {side}", values, "s")
    pairs = [("float32", "float32"), ("bfloat16", "bfloat16"), ("bfloat16", "float32")]
    for our_precision, their_precision in pairs:
        faster = ratios(seconds[f"diffusers {their_precision}"], seconds[f"ours {our_precision}"])
        what = f"{label}: ours {our_precision} against diffusers {their_precision}"
        goal = diffusers_goal(our_precision, their_precision, device)
        findings.add(what, faster, "x", goal if name == "cifar10" else None)
    differences(models, theirs, x_T, S, label, findings)


def diffusers_goal(our_precision: str, their_precision: str, device: torch.device) -> str | None:
    """On a GPU the fastest mode against their default; on a CPU float32 and the fastest mode."""
    if device.type == "cuda":
        fastest = (our_precision, their_precision) == ("bfloat16", "float32")
        return "sampling.diffusers.cuda" if fastest else None
    kind = "float32" if our_precision == "float32" else "fastest"
    return f"sampling.diffusers.{kind}"


@torch.no_grad()
def diffusers_x0(model: nn.Module, x_T: Tensor, S: int) -> Tensor:
    """x_0 float32 by the loop of diffusers' DDIMPipeline, whose x_T is given here."""
    from diffusers import DDIMScheduler

    torch.backends.cudnn.allow_tf32 = True  # torch's default, which our float32 switches off
    scheduler = DDIMScheduler(
        num_train_timesteps=T, beta_start=BETAS[0], beta_end=BETAS[1], clip_sample=False
    )
    scheduler.set_timesteps(S)
    x = x_T.to(next(model.parameters()).dtype)
    for t in scheduler.timesteps:
        eps = model(x, t).sample
        x = scheduler.step(eps, t, x, eta=0.0).prev_sample
    return x.float()


def diffusers_images(model: nn.Module, x_T: Tensor, S: int) -> np.ndarray:
    """As `ours`."""
    return to_uint8(diffusers_x0(model, x_T, S)).cpu().numpy()


def differences(
    models: dict[str, EpsModel],
    theirs: dict[str, nn.Module],
    x_T: Tensor,
    S: int,
    label: str,
    findings: Findings,
) -> None:
    """The largest difference of a pixel on [-1, 1] to diffusers' float32 image."""
    reference = diffusers_x0(theirs["float32"], x_T, S)
    alpha_bar, tau = schedule.alpha_bar(T, *BETAS), schedule.trajectory(T, S)
    found = {"diffusers bfloat16": diffusers_x0(theirs["bfloat16"], x_T, S)}
    for precision, model in models.items():
        model.place(x_T.device)
        found[f"ours {precision}"] = sampler.sample(model, x_T, alpha_bar, tau)
    for side, x_0 in found.items():
        largest = float((x_0 - reference).abs().max())
        goal = "sampling.difference" if side == "ours float32" else None
        what = f"{label}: largest difference to diffusers float32, {side}"
        findings.add(what, [largest], "", goal)


# --- plain PyTorch -------------------------------------------------------------------------------


def against_plain(cfg: Config, name: str, options: Options, findings: Findings) -> None:
    """Forward passes of our network, as the sampler runs it, and of the same in plain PyTorch."""
    device = torch.device(options.device)
    unet = networks.random_network(cfg)
    plain = PlainUNet(unet.state_dict(), unet.arguments).eval().to(device)
    models = sides_of_eps(cfg, unet, device)
    largest = 2 * cfg.sample.batch_size
    for n in (16, largest) if options.quick else (16, 64, largest):
        x, t = torch.randn(n, *cfg.image_shape, device=device), torch.full((n,), 500).to(device)
        for precision, model in models.items():
            in_plain = functools.partial(plain_eps, plain, precision)
            label = f"{name}, {n} images, {precision}"
            compare(label, {"ours": model, "plain": in_plain}, (x, t), options, findings)


def plain_eps(plain: PlainUNet, precision: str, x: Tensor, t: Tensor) -> Tensor:
    """eps of the plain network, in float32."""
    with torch.no_grad(), networks.autocast(x.device, precision):
        return plain(x, t).float()


def compare(
    label: str, sides: dict[str, Eps], inputs: tuple[Tensor, Tensor], options: Options,
    findings: Findings,
) -> None:  # fmt: skip
    """Images per second of both sides, and how many times ours is faster."""
    x, t = inputs
    least = 1 if options.quick else 2**15  # pixels, for a time that a clock can tell
    passes = max(1, least // x[:, 0].numel())
    runs = {
        "ours": functools.partial(repeat_side_by_side, sides["ours"], x, t, passes),
        "plain": functools.partial(repeat, sides["plain"], x, t, passes),
    }
    seconds = interleaved(runs, options.repeats(9), finish=networks.finish(x.device))
    for side, values in seconds.items():
        rates = [len(x) * passes / value for value in values]
        findings.add(f"{label}: {side}, images per second", rates, "/s")
    faster = ratios(seconds["plain"], seconds["ours"])
    findings.add(f"{label}: ours against plain", faster, "x", "sampling.plain")


def repeat_side_by_side(eps: Eps, x: Tensor, t: Tensor, passes: int) -> None:
    """The same of the batches into which the sampler would cut x."""
    size = batch_size(len(x), x.device)
    batches = list(zip(x.split(size), t.split(size), strict=True))
    list(map_batches(lambda batch, _: repeat(eps, *batch, passes), batches, x.device))


def repeat(eps: Eps, x: Tensor, t: Tensor, passes: int) -> None:
    """Evaluate the network `passes` times."""
    for _ in range(passes):
        eps(x, t)
