"""Ranges of the settings analysis.*: as ddim.config.checks, which has those of all else."""

import re
from itertools import pairwise
from typing import TYPE_CHECKING

from ddim.config.checks import (
    SECTIONS,
    UNIT_STRENGTH,
    numbers_of_steps,
    positive,
    without_repeats,
)
from ddim.runtime.refusals import refuse_unless, refuse_unless_one_of
from ddim.schedule import HAT, check_eta

if TYPE_CHECKING:
    from ddim.config import schema

MANY = 100_000  # more points, draws or paths than any picture or average needs
_ROW_NAME = re.compile(r"[\w(][\w ()+\-,:]{0,39}")  # in titles, file names, LaTeX and tables


def check_analysis(analysis: "schema.Analysis") -> None:
    """The settings analysis.* of all sections together."""
    for name in analysis.sections:
        refuse_unless_one_of(SECTIONS, "analysis.sections", name)
    if analysis.sections:
        without_repeats("analysis.sections", analysis.sections)
    if analysis.section is not None:
        refuse_unless_one_of(SECTIONS, "analysis.section", analysis.section)
    positive("analysis", analysis, "num_shown", "steps")
    least = "at least 4, two pairs to interpolate between"
    refuse_unless(analysis.num_images >= 4, "analysis.num_images", least, analysis.num_images)
    accepts = f"at most analysis.num_images = {analysis.num_images}"
    ok = analysis.num_shown <= analysis.num_images
    refuse_unless(ok, "analysis.num_shown", accepts, analysis.num_shown)


def check_speed(speed: "schema.Speed") -> None:
    """The settings analysis.speed.*."""
    accepts = "a share of the long chain's FID, greater than 0 and at most 1"
    refuse_unless(0 < speed.margin <= 1, "analysis.speed.margin", accepts, speed.margin)


def check_invert(invert: "schema.Invert") -> None:
    """The settings analysis.invert.*."""
    accepts = f"at least 2 and at most {MANY}"
    refuse_unless(2 <= invert.draws <= MANY, "analysis.invert.draws", accepts, invert.draws)


def check_sigma(sigma: "schema.Sigma") -> None:
    """The settings analysis.sigma.*."""
    accepts = f"at least 2 and at most {MANY}"
    refuse_unless(2 <= sigma.draws <= MANY, "analysis.sigma.draws", accepts, sigma.draws)
    positive("analysis.sigma", sigma, "num_paths", "drawn_steps")
    ok = sigma.num_paths <= MANY
    refuse_unless(ok, "analysis.sigma.num_paths", f"at most {MANY}", sigma.num_paths)
    for eta in sigma.eta:
        check_eta(eta, "analysis.sigma.eta")
    numbers = [eta for eta in sigma.eta if eta != HAT]
    ok = len(numbers) >= 2 and numbers[0] == 0 and all(a < b for a, b in pairwise(numbers))
    ok = ok and sigma.eta.count(HAT) <= 1
    accepts = f"numbers that rise from 0.0, at least two, and {HAT!r} if you like"
    refuse_unless(ok, "analysis.sigma.eta", accepts, sigma.eta)


def check_interpolate(interpolate: "schema.Interpolate") -> None:
    """The settings analysis.interpolate.*."""
    points = interpolate.points
    ok = 3 <= points <= MANY and points % 2 == 1
    accepts = f"an odd number, at least 3 and at most {MANY}"
    refuse_unless(ok, "analysis.interpolate.points", accepts, points)


def check_edit(edit: "schema.Edit") -> None:
    """The settings analysis.edit.*."""
    positive("analysis.edit", edit, "per_class")
    strengths = edit.strengths
    ok = min(strengths, default=-1) >= 0 and {0, UNIT_STRENGTH} <= set(strengths)
    accepts = "a list of numbers, 0 or more, with 0.0 (not moved) and 1.0 (one whole difference)"
    refuse_unless(ok, "analysis.edit.strengths", accepts, strengths)
    without_repeats("analysis.edit.strengths", strengths)


def check_family(family: "schema.Family") -> None:
    """The settings analysis.family.*."""
    n = family.num_simulations
    accepts = "at least 2 and at most 100000000"
    refuse_unless(2 <= n <= 10**8, "analysis.family.num_simulations", accepts, n)
    ok = len(family.eta) > 0 and all(0 < eta <= 1 for eta in family.eta)
    accepts = "a list of numbers in (0, 1]: J_sigma has no sigma = 0"
    refuse_unless(ok, "analysis.family.eta", accepts, family.eta)
    without_repeats("analysis.family.eta", family.eta)


def check_ode(ode: "schema.Ode") -> None:
    """The settings analysis.ode.*."""
    rising = all(a < b for a, b in pairwise(ode.steps))
    ok = len(ode.steps) >= 3 and ode.steps[0] > 0 and rising
    refuse_unless(ok, "analysis.ode.steps", "a rising list of at least 3 numbers", ode.steps)


def check_solvers(solvers: "schema.Solvers") -> None:
    """The settings analysis.solvers.*."""
    key, n = "analysis.solvers", solvers.num_images
    refuse_unless(n >= 2, f"{key}.num_images", "at least 2", n)
    numbers_of_steps(f"{key}.steps", solvers.steps)
    for name in solvers.rows:
        ok = _ROW_NAME.fullmatch(name) is not None
        accepts = "named by 1 to 40 letters, digits, spaces and ( ) + - , :"
        refuse_unless(ok, f"{key}.rows", accepts, name)
        taken = name.lower() == "ddim (ours)"
        refuse_unless(not taken, f"{key}.rows", "named otherwise than our own row", name)
