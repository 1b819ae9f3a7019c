"""A claim of the lecture or the paper, the paper's figures and ours, and how it was decided.

Sections of the analysis hand theirs over in their record (ddim.records.section); those of Tables 1
and 2 are worked out when the report is written. The rule behind the word:
ddim.evaluation.hypotheses.
"""

from typing import Literal

from ddim.records.base import Part

Word = Literal["reproduced", "contradicted", "undecided"]
REPRODUCED: Word = "reproduced"
CONTRADICTED: Word = "contradicted"
UNDECIDED: Word = "undecided"


class Verdict(Part, frozen=True):
    """One row of the panel at the top of the report: short texts, Markdown within a line."""

    claim: str  # one sentence without our numbers
    source: str  # whose claim, and where: "paper, Table 1", "lecture, limitation 2 (02:01)"
    paper: str  # the paper's own figures; "" where it has none
    ours: str  # our figures
    test: str  # what was compared, and how clearly: "paired, 15 of 16, smallest z 2.1"
    word: Word
