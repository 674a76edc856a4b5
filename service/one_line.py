"""Text that every reader takes for one line. Pure.

JSON escapes the line ends of ASCII, but these three may stand in a string as they are, and readers that split text by
Unicode's rules (Python's `splitlines`, several clients of event streams) cut there.
"""

LINE_ENDS = {"\x85": "\\u0085", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def one_line(text: str) -> str:
    """The text with U+0085, U+2028 and U+2029 written as JSON escapes them: in JSON it means the same."""
    for end, escaped in LINE_ENDS.items():
        text = text.replace(end, escaped)
    return text
