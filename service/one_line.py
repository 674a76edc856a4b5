"""Makes JSON one line for every reader. Pure.

JSON escapes the line ends of ASCII, but a string may hold U+0085, U+2028 and U+2029 unescaped. Readers that split text
by Unicode's rules (Python's `splitlines`, several clients of event streams) would cut it there.
"""

LINE_ENDS = {"\x85": "\\u0085", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def one_line(text: str) -> str:
    """Returns the JSON text with U+0085, U+2028 and U+2029 escaped, which doesn't change its meaning."""
    for end, escaped in LINE_ENDS.items():
        text = text.replace(end, escaped)
    return text
