"""Text that every reader takes for one line."""

import json

from hypothesis import example, given
from hypothesis import strategies as st

from service.one_line import one_line


@given(st.text())
@example("\x85\u2028\u2029\r\n\v\f\x1c")
def test_json_means_the_same_and_is_one_line(text: str) -> None:
    encoded = one_line(json.dumps(text, ensure_ascii=False))
    assert json.loads(encoded) == text
    assert encoded.splitlines() == [encoded]
