"""Figures: their ground, their axes, the same bytes again."""

import io

import numpy as np
import pytest
from PIL import Image

from ddim.plotting import canvas


def opened(png: bytes) -> Image.Image:
    return Image.open(io.BytesIO(png)).convert("RGBA")


def strips() -> bytes:
    rows = np.full((2, 3, 1, 8, 8), 200, np.uint8)
    return canvas.strips(rows, row_labels=["a", "b"], column_labels=["t = 1000", "t = 5", ""])


def chart(high: float) -> canvas.Canvas:
    with canvas.canvas(2) as figure:
        for axes in figure.axes:
            canvas.curve(axes, 0, [10, 100], [0.01, high], "ours")
            canvas.log_y(axes)
        canvas.legend_above(figure.axes)
    return figure


def test_images_stand_on_a_transparent_ground_and_lines_on_white() -> None:
    """So both suit a dark page: images as they are, lines inverted."""
    picture = opened(strips())
    assert picture.getpixel((0, 0))[3] == 0
    assert picture.getextrema()[3] == (0, 255)  # the images themselves are opaque
    assert opened(chart(1.0).png).getpixel((0, 0)) == (255, 255, 255, 255)


@pytest.mark.parametrize(("high", "plain"), [(1.0, True), (1e6, False)])
def test_a_logarithmic_axis_of_few_decades_has_plain_numbers(high: float, plain: bool) -> None:
    labels = [tick.get_text() for tick in chart(high).axes[0].get_yticklabels()]
    assert ("0.05" in labels) == plain
    assert any("10^{" in label for label in labels) != plain


def test_one_legend_stands_above_all_panels() -> None:
    figure = chart(1.0).axes[0].get_figure()
    assert figure is not None
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["ours"]


def test_the_same_numbers_are_the_same_bytes() -> None:
    assert strips() == strips()
    assert chart(1.0).png == chart(1.0).png
