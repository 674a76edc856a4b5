"""How a call's fields are read: names in any case, three places, the last one and the body first."""

import pytest

from service.web.form.multipart import boundary_of, multipart_fields
from tests.web.form.panel import PATH, Panel

URLENCODED = {"content-type": "application/x-www-form-urlencoded"}
CALL = "action=getticketcounts&identifier=key&secret=s-key"


async def test_names_of_actions_and_fields_are_in_any_letter_case(panel: Panel) -> None:
    sent = "ACTION=GETTICKETCOUNTS&Identifier=key&sEcReT=s-key&IncludeCountsByStatus=On&ResponseType=JSON"
    answer = await panel.client.post(PATH, content=sent, headers=URLENCODED)
    assert answer.json()["status"]["open"]["count"] == 2


async def test_the_body_wins_over_the_query_and_the_last_over_the_first(panel: Panel) -> None:
    answer = await panel.client.post(
        f"{PATH}?action=nonsense&identifier=key&includecountsbystatus=0",
        content="Action=x&action=GetTicketCounts&secret=s-key&includeCountsByStatus=1",
        headers=URLENCODED,
    )
    assert answer.json()["status"]["open"] == {"title": "Open", "count": 2}


async def test_a_pair_in_each_place_is_a_double_pair(panel: Panel) -> None:
    answer = await panel.client.post(f"{PATH}?username=key&password=s-key", content=CALL, headers=URLENCODED)
    assert answer.json()["message"] == "Authentication Failed"


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/x-www-form-urlencoded; charset=utf-8", 200),
        ("Application/X-WWW-Form-URLEncoded;charset=ISO-8859-1", 200),
        (None, 200),
        ("text/plain", 403),
        ("application/json", 403),
        ("multipart/form-data", 400),
    ],
)
async def test_a_body_of_another_kind_has_no_fields(panel: Panel, content_type: str | None, status: int) -> None:
    headers = {"content-type": content_type} if content_type else {}
    request = panel.client.build_request("POST", PATH, content=CALL, headers=headers)
    assert (await panel.client.send(request)).status_code == status


async def test_a_query_alone_is_enough(panel: Panel) -> None:
    assert (await panel.client.post(f"{PATH}?{CALL}")).status_code == 200


async def test_arrays_and_unknown_fields_are_passed_over(panel: Panel) -> None:
    sent = f"{CALL}&deptid[0]=1&deptid[]=2&=&&x&%5B=%5D&includeCountsByStatus[]=1"
    answer = await panel.client.post(PATH, content=sent, headers=URLENCODED)
    assert (answer.status_code, "status" in answer.json()) == (200, False)


async def test_a_multipart_body_is_read_and_its_files_are_not(panel: Panel) -> None:
    fields = {"Action": "GetTicketCounts", "identifier": "key", "secret": "s-key", "includeCountsByStatus": "yes"}
    files = {name: (None, value.encode()) for name, value in fields.items()}
    answer = await panel.client.post(PATH, files=[*files.items(), ("secret", ("secret.txt", b"other"))])
    assert answer.json()["status"]["open"] == {"title": "Open", "count": 2}


TWO_PARTS = (
    b'--b\r\nContent-Type: text/plain\r\nCONTENT-DISPOSITION: form-data ; NAME="a\\"b%22%0D%0A"\r\n\r\n1\r\n2\r\n'
    b'--b\r\nContent-Disposition: form-data; name="c"\r\n\r\n--x\r\n--b--'
)

MULTIPART = [
    (b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--b--', [("a", "1")]),
    (b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--b--\r\nepilogue', [("a", "1")]),
    (b"preamble\r\n--b  \r\ncontent-disposition:form-data;name=a\r\n\r\n\r\n--b--\r\n", [("a", "")]),
    (TWO_PARTS, [('a"b"\r\n', "1\r\n2"), ("c", "--x")]),
    (b'--b\r\nContent-Disposition: form-data; filename="f"; name="a"\r\n\r\n1\r\n--b--', []),
    (b"--b\r\nContent-Disposition: form-data; filename*=UTF-8''f; name=a\r\n\r\n1\r\n--b--", []),
    (b'--b\r\nContent-Disposition: attachment; name="a"\r\n\r\n1\r\n--b--', []),
    (b"--b\r\nContent-Disposition: form-data\r\n\r\n1\r\n--b--", []),
    (b'--b\r\nContent-Disposition: form-data; name="a"\r\n1\r\n--b--', []),
    (b'--b--\r\n--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1', []),
    (b"--b\r\n\r\n1\r\n--b--", []),
    (b"", []),
    (b"--", []),
    ('--b\r\nContent-Disposition: form-data; name="ü"\r\n\r\nß\r\n--b--'.encode(), [("ü", "ß")]),
    (b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n\xff\r\n--b--', [("a", "\udcff")]),
]


@pytest.mark.parametrize(("body", "fields"), MULTIPART, ids=range(len(MULTIPART)))
def test_parts_of_a_multipart_body(body: bytes, fields: list[tuple[str, str]]) -> None:
    assert multipart_fields(body, b"b", 10) == fields


def test_no_more_parts_are_read_than_are_needed_to_refuse_them() -> None:
    part = b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n'
    assert len(multipart_fields(part * 50, b"b", 10)) == 11


@pytest.mark.parametrize(
    ("content_type", "boundary"),
    [
        (b"multipart/form-data; boundary=abc", b"abc"),
        (b'multipart/form-data; charset=utf-8; BOUNDARY="a b:c"', b"a b:c"),
        (b"multipart/form-data;boundary=----WebKitFormBoundary7MA4YWxk; x=y", b"----WebKitFormBoundary7MA4YWxk"),
        (b"multipart/form-data", None),
        (b"multipart/form-data; boundary=", None),
        (b"multipart/form-data; boundary=" + b"x" * 300, b"x" * 200),
    ],
)
def test_the_boundary_is_found(content_type: bytes, boundary: bytes | None) -> None:
    assert boundary_of(content_type) == boundary
