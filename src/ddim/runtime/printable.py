"""Text of others on a terminal or in a record: on one line, without control characters."""


def printable(text: str) -> str:
    """`text` with what cannot be printed escaped: a newline as a backslash and an n.

    So are lone surrogates, which stand for invalid UTF-8 in file names, and the characters that
    turn the direction of writing.
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
