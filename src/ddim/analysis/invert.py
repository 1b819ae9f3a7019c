"""Not invertible against invertible (the lecture's limitation 2 and Case 2).

One image, encoded again and again: by DDPM's forward process, which draws noise (Eq. 4), and by
DDIM's, which draws nothing. Then whether the latents of real images look like noise at all.

Images are dequantised before they are encoded, since grey levels alone have no density that a flow
could carry to a normal one; round trips are judged against the images themselves.
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
from ddim.evaluation import hypotheses, intervals
from ddim.evaluation.reconstruction import squared_errors
from ddim.images import HALF_RANGE
from ddim.objective import q_sample
from ddim.plotting import canvas
from ddim.plotting.style import stroke
from ddim.records.section import Table
from ddim.records.verdict import Verdict

TITLE = "Not invertible against invertible"
CLAIM = (
    "DDPM's forward process gives one image a different latent every time, so it cannot be "
    "inverted; with σ = 0 an image has one latent, and decoding returns the image."
)
SOURCE = "lecture, limitation 2 (02:01, 03:03); paper, Sec. 4.3 and 5.4"
DDPM, DDIM = "DDPM", "DDIM"
DEQUANTISATION = 1003  # seed of its noise, apart from those of ddim.analysis.context
MAX_IMAGES = 5000  # training images, at most, that say how much a pixel varies
STD_THRESHOLD = 0.05  # standard deviation on [0, 1] below which a pixel hardly varies
ROWS_SHOWN = 2  # round trips of one image: enough to see whether they differ
ONE_LATENT = 0.01  # DDIM's spread is called none below this share of DDPM's


@dataclass(frozen=True)
class RoundTrip:
    """One encoder: how far its latents of one image differ, and what decoding returns."""

    encoder: str
    spreads: np.ndarray  # float64 [N]: the standard deviation per pixel of one image's latents
    largest_difference: float
    errors: np.ndarray  # float64 [N]: the round trip's squared error on [0, 1], mean of the draws
    decoded: tuple[np.ndarray, ...]  # uint8 [num_shown,C,H,W], one for each row shown

    @property
    def spread(self) -> float:
        """Over all images: the root of the mean variance, which is unbiased where a std is not."""
        return float(np.sqrt(np.mean(self.spreads**2)))

    @property
    def mse(self) -> tuple[float, float, float]:
        """Mean, low and high of the round trip's squared error."""
        return intervals.of_mean(self.errors)


@dataclass(frozen=True)
class PixelVariation:
    """How much every pixel varies: over training images, and over latents of held-out ones."""

    training: np.ndarray  # float64 [C,H,W], standard deviation on [0, 1]
    latents: np.ndarray  # float64 [C,H,W], of dequantised images
    undequantised: np.ndarray  # float64 [C,H,W], latents of the same images as they are

    @property
    def constant(self) -> np.ndarray:
        """bool [C,H,W]: where training images hardly vary."""
        return self.training < STD_THRESHOLD

    @property
    def is_mixed(self) -> bool:
        """Whether some pixels vary and some hardly do."""
        return bool(self.constant.any() and not self.constant.all())


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
    pixels: PixelVariation

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
    x_0 = dequantise(context, images)
    ddpm = [diffuse(context, x_0, S, seed=DRAWS + k) for k in range(draws)]
    ddim = [context.encode(x_0, S) for _ in range(draws)]
    latents = ddim[0]
    norms = latents.double().flatten(1).norm(dim=1).numpy()
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
        chi=statistics.chi_test(norms, latents[0].numel()),
        pixels=PixelVariation(
            training=pixel_std(np.array(context.train.images[:MAX_IMAGES])),
            latents=latents.double().std(0).numpy(),
            undequantised=context.encode(images, S).double().std(0).numpy(),
        ),
    )


def dequantise(context: Context, images: Tensor) -> Tensor:
    """Images [N,C,H,W] on [-1, 1] plus uniform noise one grey level wide, centred on the level.

    Image i's noise is a function of (DEQUANTISATION, i); `to_uint8` returns the image itself.
    """
    uniform = torch.special.ndtr(context.noise(DEQUANTISATION, len(images)).double())
    return (images.double() + (uniform - 0.5) / HALF_RANGE).to(images.dtype)


def diffuse(context: Context, x_0: Tensor, S: int, seed: int) -> Tensor:
    """DDPM's encoding: a draw of q(x_t | x_0) at t = tau_S, from where S steps decode."""
    a = float(context.alpha_bar[context.tau(S)[-1]])
    return q_sample(x_0, a, context.noise(seed, len(x_0)))


def _round_trip(context: Context, encoder: str, images: Tensor, latents: Tensor) -> RoundTrip:
    """Decode latents [draws,N,C,H,W] of images [N,C,H,W]."""
    analysis = context.cfg.analysis
    decoded = [context.decode(x_T, analysis.steps) for x_T in latents]
    return RoundTrip(
        encoder=encoder,
        spreads=latents.double().var(0).flatten(1).mean(1).sqrt().numpy(),
        largest_difference=float((latents - latents[0]).abs().max()),
        errors=np.mean([squared_errors(back, images) for back in decoded], axis=0),
        decoded=tuple(pixels(back[: analysis.num_shown]) for back in decoded[:ROWS_SHOWN]),
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
        verdicts=_verdicts(result),
        figures=(_strip(result), *_variation_figure(result.pixels), _latents_figure(result)),
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
    if varying.is_mixed:
        constant = varying.constant
        numbers["latent_std_constant_pixels"] = float(varying.latents[constant].mean())
        numbers["latent_std_varying_pixels"] = float(varying.latents[~constant].mean())
    return numbers


def _verdicts(result: InversionResult) -> tuple[Verdict, Verdict]:
    ddpm, ddim = result.ddpm, result.ddim
    one = hypotheses.paired(
        "spread: DDIM against a share of DDPM", ddim.spreads - ONE_LATENT * ddpm.spreads
    )
    back = hypotheses.paired("round trip: DDIM against DDPM", ddim.errors - ddpm.errors)
    unique, returned = hypotheses.decide([one]), hypotheses.decide([back])
    return (
        Verdict(
            claim="DDPM encodes one image differently every time; DDIM has one latent for it",
            source="lecture, limitation 2 (02:01, 03:03)",
            paper="",
            ours=f"spread per pixel {ddpm.spread:.2f} (DDPM), {ddim.spread:g} (DDIM)",
            test=f"under {ONE_LATENT:.0%} of DDPM's; {unique.summary}",
            word=unique.word,
        ),
        Verdict(
            claim="Encoding and decoding returns the image more nearly by DDIM than by DDPM",
            source="paper, Sec. 4.3 and 5.4",
            paper="",
            ours=f"squared error {ddim.mse[0]:.2g} (DDIM), {ddpm.mse[0]:.2g} (DDPM)",
            test=f"paired: {returned.summary}",
            word=returned.word,
        ),
    )


def _text(result: InversionResult) -> str:
    a, widest, chi = result.a, result.ddim.largest_difference, result.chi
    again = "equal to the last bit" if widest == 0 else f"equal up to {widest:.1g}"
    verdict = "no sign against it" if chi.p_value > hypotheses.LEVEL else "they are not"
    return (
        "Before it is encoded, an image is dequantised: to each grey level uniform noise one level "
        f"wide is added, once per image, from the seed {DEQUANTISATION}. Both encoders get the "
        "same dequantised image; the round trip is judged against the original.\n\n"
        f"Both kinds of latents lie at τ_S = {result.last_t} and are decoded by the same "
        f"deterministic sampler (S = {result.S}). DDPM's hold the image at √a = "
        f"{math.sqrt(a):.2g} times its size, under fresh noise of {math.sqrt(1 - a):.4f}; DDIM's "
        f"are {again}: encoding draws nothing.\n\n"
        f"Were the encoder exact and the network perfect, latents of real images would be "
        f"standard normal and their norms chi-distributed with {result.d} degrees of freedom. A "
        f"Kolmogorov-Smirnov test of the {result.num_images} norms gives a distance of "
        f"{chi.distance:.3f} (p = {chi.p_value:.2g}): {verdict}.{_on_pixels(result.pixels)}"
    )


def _on_pixels(varying: PixelVariation) -> str:
    constant = varying.constant
    if not varying.is_mixed:
        every = "Every" if constant.all() else "No"
        return f"\n\n{every} pixel hardly varies over the training images."
    inside = float(varying.latents[constant].mean())
    outside = float(varying.latents[~constant].mean())
    before = float(varying.undequantised[constant].mean())
    less = (
        " So the encoder does not make noise of full width out of them."
        if inside < outside
        else " So the encoder makes them vary as much as the others."
    )
    return (
        f"\n\n{constant.sum()} of {constant.size} values hardly vary over the training images "
        f"(standard deviation below {STD_THRESHOLD:g} of the range). A pixel that never varies "
        "has no density, and an invertible map cannot make noise out of a constant; dequantised "
        "it is one grey level wide. The latents there have a standard deviation of "
        f"{inside:.2f} ({before:.2f} without dequantisation), elsewhere {outside:.2f}.{less}"
    )


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
        labels += [
            f"{one.encoder}, encoded\nand decoded ({k + 1})" for k in range(len(one.decoded))
        ]
    return FigureContent(
        file="round_trip.png",
        content=canvas.strips(np.stack(rows), row_labels=labels),
        caption="Held-out images; below, what comes back from two encodings by DDPM's forward "
        "process and from two by DDIM's.",
        alt="Rows of images: originals; two rows decoded from DDPM's latents (squared error "
        f"{result.ddpm.mse[0]:.2g}); two rows decoded from DDIM's latents (squared error "
        f"{result.ddim.mse[0]:.2g}).",
        columns=["encoder", "spread", "largest_difference", "error", "low", "high"],
        rows=_rows(result),
    )


def _variation_figure(varying: PixelVariation) -> tuple[FigureContent, ...]:
    """Maps of the standard deviation, mean over channels; nothing where all pixels vary."""
    if not varying.is_mixed:
        return ()
    training, latents = varying.training.mean(0), varying.latents.mean(0)
    with canvas.canvas(2, width=7.4, height=3.4) as figure:
        left, right = figure.axes
        canvas.heatmap(left, training, float(training.max()), "training images (full range: 1)")
        canvas.heatmap(
            right, latents, max(1.0, float(latents.max())), "latents $x_T$ (pure noise: 1)"
        )
    return (
        FigureContent(
            file="pixels.png",
            content=figure.png,
            is_chart=True,
            caption="Standard deviation of every pixel: over training images (left), over the "
            "latents of dequantised held-out images (right). Standard normal latents would have 1.",
            alt="Two maps of the image's pixels, shaded by how much each of them varies: left "
            "over training images, right over latents.",
            columns=["row", "column", "std_training", "std_latents"],
            rows=[
                (*map(int, where), float(training[where]), float(latents[where]))
                for where in np.ndindex(training.shape)
            ],
        ),
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
        canvas.thin_curve(left, 0, r, chi.pdf(r), "chi distribution")
        left.set(xlabel="norm of $x_T$", ylabel="density", title="norms")
        canvas.thin_curve(right, 0, normal, normal, "normal")
        right.scatter(normal, ours, s=12, color=stroke(1).light)
        right.set(xlabel="quantile of N(0, 1)", ylabel="quantile", title="all entries")
        canvas.legend_above([left])
    return FigureContent(
        file="latents.png",
        content=figure.png,
        is_chart=True,
        caption="Latents of encoded held-out images (blue) against standard normal ones (black): "
        f"norms against chi with {d} degrees of freedom (left), quantiles of all entries (right).",
        alt=f"Left, a histogram of {len(norms)} norms with mean {norms.mean():.2f} under the chi "
        "density. Right, quantiles of the entries against those of the normal distribution.",
        columns=["image", "norm", "chi_cdf"],
        rows=[(i, float(norm), float(chi.cdf(norm))) for i, norm in enumerate(norms)],
    )
