"""The ten words that a reader of the report needs."""

from ddim.report.document import Bullets, Part

TERMS = {
    "cell": "one sampler: S steps with one η; its images, and what was measured of them.",
    "S": "number of steps, so of network evaluations, that make an image; at most T.",
    "τ": "the S of the T training steps that the sampler visits.",
    "η": "how much noise each step adds: 0 none (DDIM), 1 as much as DDPM.",
    "σ̂": "DDPM with the larger of its two variances (paper, App. D.3).",
    "x_T": "the noise that an image starts from, the latent of a deterministic sampler.",
    "FID": "distance of the features of generated images from those of real ones; lower is better.",
    "floor": "the same number for held-out real images: what a perfect sampler would score.",
    "slerp": "interpolation of two x_T along an arc, which keeps their length.",
    "γ": "weights of the training loss over t (Theorem 1); here all are 1.",
}


def part() -> Part:
    """The glossary, a line a word."""
    lines = tuple(f"**{term}**: {meaning}" for term, meaning in TERMS.items())
    return Part("Glossary", "glossary", [Bullets(lines)])
