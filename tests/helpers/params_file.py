"""params.yaml, damaged in several ways, and what the one line about each must say."""

from helpers.pipeline import ROOT

DAMAGED = [
    ("tab", "params.yaml, line 3: found character '\\t' that cannot start any token"),
    ("list", "params.yaml is a list, no settings by their keys"),
    ("empty", "params.yaml is empty"),
    ("text", "params.yaml"),
    ("nan", "train.lr must be finite, got nan"),
    ("type", "params.yaml: train.lr must be a number, got 'fast'"),
    ("unknown", "params.yaml: train.stpes is no setting; did you mean train.steps?"),
    ("cut", "params.yaml, line "),
]


def damaged(damage: str) -> str:
    """The committed params.yaml after one kind of damage."""
    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    lines = text.splitlines()
    return {
        "tab": "\n".join([*lines[:2], "\t" + lines[2], *lines[3:]]),
        "list": "- 1\n- 2\n",
        "empty": "",
        "text": "only words",
        "nan": text.replace("  lr: 0.002\n", "  lr: .nan\n"),
        "type": text.replace("  lr: 0.002\n", "  lr: fast\n"),
        "unknown": text.replace("train:\n  steps:", "train:\n  stpes:"),
        "cut": text[: text.index("multipliers:") + 5],
    }[damage]
