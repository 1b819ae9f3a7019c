"""What the figures compare: FIDs of as many images alone, side by side, the floor at its n."""

from dataclasses import replace
from pathlib import Path

import pytest
from helpers import report_fixture as fixture
from matplotlib import rc_context

from ddim.records.results import Results, load
from ddim.report import numbers, plots
from ddim.report.document import Heat, HeatMap, Plot, Series
from ddim.report.render import figures
from ddim.runtime import picture_file

OVERRIDES = ("sweep.eta=[0.0,hat]", "reconstruct.steps=[10]", "analysis.sections=[]")


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """2,000 images a cell, but 250 at S = 1000; 360 held-out ones."""
    folder = tmp_path_factory.mktemp("few") / "digits"
    fixture.experiment(folder, fixture.config(*OVERRIDES, *fixture.FEW))
    return load(folder)


def test_cells_with_fewer_images_have_a_hollow_curve_of_their_own(few: Results) -> None:
    plot = plots.fid(few)
    filled, hollow = plot.series[0], plot.series[2]
    assert (filled.key, filled.x, filled.hollow) == ("0.0", (10.0, 20.0, 50.0, 100.0), False)
    assert (hollow.key, hollow.x, hollow.hollow) == ("0.0/n250", (100.0, 1000.0), True)
    assert (filled.look, filled.label) == (hollow.look, hollow.label)
    assert hollow.y[0] == few.repeats(100, "0.0")[0].measured.subsets[0].fid
    assert hollow.y[1] == few.repeats(1000, "0.0")[0].measured.fid
    assert {(row[0], row[5]) for row in plot.data} == {
        (10, 2000), (20, 2000), (50, 2000), (100, 2000), (100, 250), (1000, 250)
    }  # fmt: skip
    assert "n = 2,000 (hollow: 250), right of the filled ones of the same S." in plot.caption


def test_as_many_images_everywhere_are_one_curve_an_eta(built: Results) -> None:
    plot = plots.fid(built)
    assert [series.hollow for series in plot.series] == [False] * 5
    assert "hollow" not in plot.caption


def test_the_floor_is_drawn_at_the_n_of_a_curve_alone(few: Results, built: Results) -> None:
    everywhere = plots.fid(built).level
    assert everywhere is not None
    assert (everywhere.label, everywhere.y, everywhere.x) == ("floor, n = 360", 2.31, None)
    of_hollow = plots.fid(few).level  # there is no floor at 2,000
    assert of_hollow is not None
    assert (of_hollow.label, of_hollow.y) == ("floor, n = 250", 3.2)
    assert of_hollow.x == (100.0, 1000.0)
    reference = fixture.changed(few.reference, floors=(fixture.floor(360, 2.31),))
    assert plots.fid(replace(few, reference=reference)).level is None


def test_a_floor_far_below_every_number_is_told_and_leaves_the_axis_to_the_curves(
    built: Results,
) -> None:
    far = fixture.changed(built.reference, floors=(fixture.floor(360, 0.1),))
    plot = plots.fid(replace(built, reference=far))
    assert plot.level is None
    assert plot.caption.endswith("Below the axis: the floor, n = 360, FID 0.100.")
    assert plot.y_span[0] > 1


def test_the_papers_table_is_beside_on_its_own_scale(few: Results) -> None:
    paper = plots.fid(few).beside
    assert paper is not None
    assert paper.title == "Paper: CIFAR-10, n = 50,000, own scale"
    assert {series.label: series.y[0] for series in paper.series}["σ̂"] == 367.43
    looks = {series.label: series.look for series in (*plots.fid(few).series, *paper.series)}
    assert len(set(looks.values())) == len(looks) == 5  # eta is told by the same look in both


def test_the_heat_map_is_at_equal_n(few: Results) -> None:
    ours, paper = plots.heat_map(few).panels
    assert ours.title == "Ours: digits, n = 250"
    assert ours.values[0][0] == few.repeats(10, "0.0")[0].measured.subsets[0].fid
    assert paper.values[-1][-1] == 3.17
    assert paper.texts[-1][0] == "367"


def test_points_at_one_s_are_drawn_side_by_side() -> None:
    curves = [Series(k, k, (10.0, 100.0), (1.0, 2.0), look=i) for i, k in enumerate("abc")]
    thin = Series("d", "a", (100.0, 1000.0), (1.0, 2.0), look=0, hollow=True)
    plot = Plot("p", "", "", "", (*curves, thin), "", (), (), dodge=0.1)
    assert plot.places(curves[1]) == (10.0, 100.0)
    assert plot.places(curves[0])[1] == pytest.approx(100 * 10**-0.1)
    assert plot.places(curves[2])[1] == pytest.approx(100 * 10**0.1)
    # right of the filled ones where there are some, in its place where there are none
    assert plot.places(thin) == pytest.approx((100 * 10**0.2, 1000 * 10**-0.1))
    assert replace(plot, dodge=0.0).places(curves[0]) == (10.0, 100.0)


def test_the_running_mean_of_the_loss_reaches_both_ends(small: Path) -> None:
    plot = plots.loss(load(small))
    assert plot is not None
    batch, mean = plot.series
    assert (mean.y[0], mean.y[-1]) == (batch.y[0], batch.y[-1])
    assert mean.y[10] == pytest.approx(sum(batch.y[5:16]) / 11)


def test_no_label_is_mathematics_as_typed(built: Results) -> None:
    """A $ is a $ in these figures, so matplotlib's own labels of powers would show theirs."""
    from matplotlib.text import Text

    for plot in (plots.reconstruction(built), plots.fid(built), plots.loss(built)):
        assert plot is not None
        figure = figures._plot(plot)
        with rc_context(figures._RC):
            figure.canvas.draw()
        labels = [text.get_text() for text in figure.findobj(Text)]
        assert not [label for label in labels if "$" in label]
    assert numbers.power_of_ten(-3) == "10⁻³"


def test_a_grid_of_one_number_and_numbers_of_0_have_a_heat_map(tmp_path: Path) -> None:
    """Their logarithms have no range, or none at all."""
    one = Heat("one", ("η = 0.0",), ("20",), ((0.5,),), (("0.5",),))
    zeros = Heat("zeros", ("η = 0.0",), ("10", "20", "50"), ((0.0, 3.0, None),), (("0", "3", ""),))
    nothing = Heat("nothing", ("η = 0.0",), ("20",), ((0.0,),), (("0",),))
    drawn = HeatMap("fid_map", "S", (one, zeros, nothing), alt="", caption="")
    png, _ = figures.heat_map_files(drawn, tmp_path)
    picture_file.check(png)
