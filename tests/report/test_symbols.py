"""Subscripts of the papers' symbols, in HTML and in Markdown, and what is none."""

import pytest

from ddim.report.render import symbols

SUBSCRIPTS = {
    "x_T": "x<sub>T</sub>",
    "q_σ(x_t | x_{t-1}, x_0)": "q<sub>σ</sub>(x<sub>t</sub> | x<sub>t-1</sub>, x<sub>0</sub>)",
    "√a_prev": "√a<sub>prev</sub>",
    "sum of L_(t-1)": "sum of L<sub>t-1</sub>",
    "|ε_θ|²": "|ε<sub>θ</sub>|²",
    "τ_S = 901": "τ<sub>S</sub> = 901",
}
OTHERS = ("cifar10_16", "sample_every", "S10_eta0.0", "a/x_0.png", r"x\_T", "data_x_T")


@pytest.mark.parametrize("convert", [symbols.in_html, symbols.in_markdown])
def test_a_letter_with_something_below_it_is_a_subscript(convert: object) -> None:
    assert callable(convert)
    for text, expected in SUBSCRIPTS.items():
        assert convert(text) == expected
    for text in OTHERS:
        assert convert(text) == text


def test_tags_and_code_stay() -> None:
    html = '<a href="x_T" title="x_T">x_T</a> <code>x_T</code>'
    expected = '<a href="x_T" title="x_T">x<sub>T</sub></a> <code>x_T</code>'
    assert symbols.in_html(html) == expected


def test_addresses_pictures_and_code_of_markdown_stay() -> None:
    text = r"![x_T \] x_T](x_T.png) `x_T` [x_T](x_T.csv)"
    assert symbols.in_markdown(text) == r"![x_T \] x_T](x_T.png) `x_T` [x<sub>T</sub>](x_T.csv)"
