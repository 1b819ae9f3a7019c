"""Not invertible against invertible (the lecture's limitation 2 and Case 2).

One image, encoded again and again: by DDPM's forward process, which draws noise (Eq. 4), and by
DDIM's, which draws nothing. Then whether the latents of real images look like noise at all.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from scipy import stats
from torch import Tensor

from ddim.analysis import statistics
from ddim.analysis.context import DRAWS, Context, pixels
from ddim.analysis.section_content import FigureContent, SectionContent, table
from ddim.evaluation import intervals
from ddim.evaluation.reconstruction import squared_errors
from ddim.objective import q_sample
from ddim.plotting import canvas
from ddim.plotting.style import stroke
from ddim.records.section import Table

TITLE = "Not invertible against invertible"
CLAIM = (
    "DDPM's forward process gives one image a different latent every time, so it cannot be "
    "inverted; with σ = 0 an image has one latent, and decoding returns the image."
)
DDPM, DDIM = "DDPM", "DDIM"
MAX_IMAGES = 5000  # training images, at most, that say how much a pixel varies
STD_THRESHOLD = 0.05  # standard deviation on [0, 1] below which a pixel is called constant
ROWS_SHOWN = {DDPM: 3, DDIM: 2}  # enough to see whether they differ


@dataclass(frozen=True)
class RoundTrip:
    """One encoder: how far its latents of one image differ, and what decoding returns."""

    encoder: str
    spread: float  # standard deviation per pixel of one image's latents
    largest_difference: float
    mse: tuple[float, float, float]  # mean, low, high of the round trip's squared error
    decoded: tuple[np.ndarray, ...]  # uint8 [num_shown,C,H,W], one for each row shown


@dataclass(frozen=True)
class PixelVariation:
    """Standard deviations of the latents where training images are constant, and elsewhere."""

    num_constant: int
    num_pixels: int
    std_constant: float
    std_varying: float


@dataclass(frozen=True)
class InversionResult:
    """Both encoders, and how normal the latents of encoded images are."""

    S: int
    draws: int
    num_images: int
    last_t: int  # tau_S
    a: float  # alpha_bar there
    originals: np.ndarray  # uint8 [num_shown,C,H,W]
    ddpm: RoundTrip
    ddim: RoundTrip
    latents: np.ndarray  # float32 [N,C,H,W], encoded by DDIM
    moments: statistics.Moments
    moments_of_normal: statistics.Moments  # of as many true normal numbers
    chi: statistics.ChiTest
    pixels: PixelVariation | None  # None where all pixels vary, or none

    @property
    def d(self) -> int:
        """Numbers in one latent."""
        return int(self.latents[0].size)

    @property
    def norms(self) -> np.ndarray:
        """The norm of every latent, float64 [N]."""
        flat = self.latents.reshape(len(self.latents), -1)
        return torch.from_numpy(flat).double().norm(dim=1).numpy()


def measure(context: Context) -> InversionResult:
    """Encode every image several times both ways and decode; then look at the latents."""
    context.require_images()
    analysis = context.cfg.analysis
    S, draws = analysis.steps, analysis.invert.draws
    images = context.held_out(analysis.num_images)
    ddpm = [diffuse(context, images, S, seed=DRAWS + k) for k in range(draws)]
    ddim = [context.encode(images, S) for _ in range(draws)]
    latents = context.encode(images, S)
    return InversionResult(
        S=S,
        draws=draws,
        num_images=len(images),
        last_t=context.tau(S)[-1],
        a=float(context.alpha_bar[context.tau(S)[-1]]),
        originals=pixels(images[: analysis.num_shown]),
        ddpm=_round_trip(context, DDPM, images, torch.stack(ddpm)),
        ddim=_round_trip(context, DDIM, images, torch.stack(ddim)),
        latents=latents.numpy(),
        moments=statistics.moments(latents.numpy()),
        moments_of_normal=statistics.moments(context.noise(DRAWS, len(latents)).numpy()),
        chi=statistics.chi_test(
            latents.double().flatten(1).norm(dim=1).numpy(), latents[0].numel()
        ),
        pixels=_pixel_variation(context, latents),
    )


def diffuse(context: Context, x_0: Tensor, S: int, seed: int) -> Tensor:
    """DDPM's encoding: a draw of q(x_t | x_0) at t = tau_S, from where S steps decode."""
    a = float(context.alpha_bar[context.tau(S)[-1]])
    return q_sample(x_0, a, context.noise(seed, len(x_0)))


def _round_trip(context: Context, encoder: str, images: Tensor, latents: Tensor) -> RoundTrip:
    """Decode latents [draws,N,C,H,W] of images [N,C,H,W]."""
    analysis = context.cfg.analysis
    decoded = [context.decode(x_T, analysis.steps) for x_T in latents]
    errors = np.mean([squared_errors(back, images) for back in decoded], axis=0)
    kept = decoded[: ROWS_SHOWN[encoder]]
    return RoundTrip(
        encoder=encoder,
        spread=float(latents.double().var(0).mean().sqrt()),  # the variance is unbiased, std not
        largest_difference=float((latents - latents[0]).abs().max()),
        mse=intervals.of_mean(errors),
        decoded=tuple(pixels(back[: analysis.num_shown]) for back in kept),
    )


def _pixel_variation(context: Context, latents: Tensor) -> PixelVariation | None:
    spread = pixel_std(np.array(context.train.images[:MAX_IMAGES]))
    of_latents = latents.std(0).numpy()
    constant = spread < STD_THRESHOLD
    if not constant.any() or constant.all():
        return None
    return PixelVariation(
        num_constant=int(constant.sum()),
        num_pixels=constant.size,
        std_constant=float(of_latents[constant].mean()),
        std_varying=float(of_latents[~constant].mean()),
    )


def pixel_std(images: np.ndarray) -> np.ndarray:
    """Standard deviation of every pixel over uint8 images [N,C,H,W], on [0, 1]: [C,H,W]."""
    return np.asarray(images.astype(np.float64).std(0) / 255)


# --- presentation ---------------------------------------------------------------------------------


def present(result: InversionResult) -> SectionContent:
    """Both encoders beside each other, and the latents beside the normal distribution."""
    ddpm, ddim = result.ddpm, result.ddim
    return SectionContent(
        finding=(
            f"Encoded {result.draws} times, an image's latents spread by {ddpm.spread:.2f} per "
            f"pixel under DDPM and by {ddim.spread:g} under DDIM; the round trip costs a squared "
            f"error of {ddim.mse[0]:.2g} under DDIM and {ddpm.mse[0]:.2g} under DDPM."
        ),
        text=_text(result),
        numbers=_numbers(result),
        figures=(_strip(result), _latents_figure(result)),
        tables=(_encoders(result), _moments(result)),
    )


def _numbers(result: InversionResult) -> dict[str, float]:
    ddpm, ddim, varying = result.ddpm, result.ddim, result.pixels
    numbers = {
        "ddpm_spread": ddpm.spread,
        "ddim_spread": ddim.spread,
        "ddim_largest_difference": ddim.largest_difference,
        "ddpm_round_trip": ddpm.mse[0],
        "ddim_round_trip": ddim.mse[0],
        **{f"latent_{key}": value for key, value in result.moments._asdict().items()},
        "norm_mean": float(result.norms.mean()),
        "norm_mean_of_chi": float(stats.chi(result.d).mean()),
        "norm_ks_distance": result.chi.distance,
        "norm_ks_p": result.chi.p_value,
    }
    if varying is not None:
        numbers["latent_std_constant_pixels"] = varying.std_constant
        numbers["latent_std_varying_pixels"] = varying.std_varying
    return numbers


def _text(result: InversionResult) -> str:
    a, widest, chi = result.a, result.ddim.largest_difference, result.chi
    again = "equal to the last bit" if widest == 0 else f"equal up to {widest:.1g}"
    verdict = "no sign against it" if chi.p_value > 0.05 else "they are not"
    return (
        f"Both kinds of latents lie at tau_S = {result.last_t} and are decoded by the same "
        f"deterministic sampler (S = {result.S}). DDPM's hold the image at √a = "
        f"{math.sqrt(a):.2g} times its size, under fresh noise of {math.sqrt(1 - a):.4f}; DDIM's "
        f"are {again}: encoding draws nothing.\n\n"
        f"Were the encoder exact and the network perfect, latents of real images would be "
        f"standard normal and their norms chi-distributed with {result.d} degrees of freedom. A "
        f"Kolmogorov-Smirnov test of the {result.num_images} norms gives a distance of "
        f"{chi.distance:.3f} (p = {chi.p_value:.2g}): {verdict}.{_on_pixels(result.pixels)}"
    )


def _on_pixels(varying: PixelVariation | None) -> str:
    """What pixels that hardly ever change do to their latents: no noise in, none out."""
    if varying is None:
        return ""
    text = (
        f" The {varying.num_constant} of {varying.num_pixels} values that hardly change from "
        "image to image in the training set have latents with a standard deviation of "
        f"{varying.std_constant:.2f}; the others' is {varying.std_varying:.2f}."
    )
    less = varying.std_constant < varying.std_varying
    return text + (" An invertible map cannot make noise out of a constant." if less else "")


def _rows(result: InversionResult) -> list[tuple[str, float, float, float, float, float]]:
    both = (result.ddpm, result.ddim)
    return [(one.encoder, one.spread, one.largest_difference, *one.mse) for one in both]


def _encoders(result: InversionResult) -> Table:
    columns = ["encoder", "spread of the latents", "largest difference", "round-trip error"]
    images = f"{result.num_images} held-out images (error: on [0, 1])"
    title = f"{result.draws} encodings of each of {images}"
    return table(title, [*columns, "low", "high"], _rows(result))


def _moments(result: InversionResult) -> Table:
    return table(
        f"Are the latents standard normal? {result.num_images} encoded images, "
        f"{result.d} numbers each",
        ["", "mean", "variance", "skewness", "excess kurtosis"],
        [
            ["encoded images", *result.moments],
            ["as many true normal numbers", *result.moments_of_normal],
        ],
    )


def _strip(result: InversionResult) -> FigureContent:
    rows, labels = [result.originals], ["original"]
    for one in (result.ddpm, result.ddim):
        rows += one.decoded
        labels += [f"{one.encoder}, {k + 1}" for k in range(len(one.decoded))]
    images = np.concatenate(rows)
    return FigureContent(
        file="round_trip.png",
        content=canvas.picture(images, len(result.originals), row_labels=labels),
        caption="Held-out images; below, what comes back from DDPM's latents and from DDIM's.",
        alt="Rows of images: originals; what DDPM's latents decode to (squared error "
        f"{result.ddpm.mse[0]:.2g}); what DDIM's latents decode to (squared error "
        f"{result.ddim.mse[0]:.2g}).",
        columns=["encoder", "spread", "largest_difference", "error", "low", "high"],
        rows=_rows(result),
    )


def _latents_figure(result: InversionResult) -> FigureContent:
    norms, d = result.norms, result.d
    chi = stats.chi(d)
    r = np.linspace(min(norms.min(), math.sqrt(d) - 3), max(norms.max(), math.sqrt(d) + 3), 200)
    quantiles = np.linspace(0.005, 0.995, 67)
    ours, normal = np.quantile(result.latents.ravel(), quantiles), stats.norm.ppf(quantiles)
    with canvas.canvas(2, width=7.4) as figure:
        left, right = figure.axes
        canvas.bars(left, 1, norms, max(8, len(norms) // 6), "encoded images")
        canvas.thin_curve(left, 0, r, chi.pdf(r), f"chi, {d} degrees")
        left.set(xlabel="norm of x_T", ylabel="density")
        left.legend(loc="upper left", bbox_to_anchor=(0, 1.17), ncols=2)
        canvas.thin_curve(right, 0, normal, normal, "normal")
        right.scatter(normal, ours, s=12, color=stroke(1).light, label="encoded images")
        right.set(xlabel="quantile of N(0, 1)", ylabel="quantile of the latents")
        right.legend(loc="lower right")
    return FigureContent(
        file="latents.png",
        content=figure.png,
        caption="Latents of encoded held-out images: norms (left) and all entries (right).",
        alt=f"Left, a histogram of {len(norms)} norms with mean {norms.mean():.2f} under the chi "
        "density. Right, quantiles of the entries against those of the normal distribution.",
        columns=["image", "norm", "chi_cdf"],
        rows=[(i, float(norm), float(chi.cdf(norm))) for i, norm in enumerate(norms)],
    )
