"""GetSupportStatuses and GetSupportDepartments: counts, shapes, and whose departments."""

import pytest

from tests.oracle.panel import support_departments, support_statuses
from tests.web.form.panel import TENANT, Panel


async def test_statuses_of_the_whole_tenant(panel: Panel) -> None:
    answer = (await panel.call("GetSupportStatuses")).json()
    assert answer == support_statuses(panel.oracle, TENANT)
    assert answer["totalresults"] == 6
    assert answer["statuses"]["status"][0] == {"title": "Open", "count": 5, "color": "#779500"}
    assert answer["statuses"]["status"][5]["color"] == ""


@pytest.mark.parametrize("sent", ["1", "2", "3", " 3 ", "4", "0", "-1", "99999999999999999999999", "tech", "3.0", "٣"])
async def test_statuses_of_one_department_and_zeros_for_one_that_is_not_there(panel: Panel, sent: str) -> None:
    answer = (await panel.call("getsupportstatuses", deptid=sent)).json()
    department = int(sent) if sent.strip() in ("1", "2", "3") else -5
    assert answer == support_statuses(panel.oracle, TENANT, department)
    total = sum(status["count"] for status in answer["statuses"]["status"])
    assert total == {1: 2, 2: 1, 3: 4}.get(department, 0)


async def test_an_empty_department_is_as_if_left_out(panel: Panel) -> None:
    assert (await panel.call("getsupportstatuses", deptid="")).json() == support_statuses(panel.oracle, TENANT)


@pytest.mark.parametrize("ignoring", [False, True])
@pytest.mark.parametrize(("who", "teams"), [("key", ["sales", "tech"]), ("none", [])])
async def test_departments_with_what_is_open_in_them(panel: Panel, who: str, teams: list[str], ignoring: bool) -> None:
    answer = (
        await panel.call(
            "GetSupportDepartments", identifier=who, secret=f"s-{who}", ignore_dept_assignments=str(int(ignoring))
        )
    ).json()
    assert answer == support_departments(panel.oracle, TENANT, teams, ignoring=ignoring)
    assert answer["totalresults"] == (3 if ignoring else len(teams))


async def test_a_department_in_the_documented_shape(panel: Panel) -> None:
    answer = (await panel.call("GetSupportDepartments")).json()
    assert answer == {
        "result": "success",
        "totalresults": 2,
        "departments": {
            "department": [
                {"id": "1", "name": "Sales", "awaitingreply": "1", "opentickets": "1"},
                {"id": "3", "name": "Support", "awaitingreply": "2", "opentickets": "3"},
            ]
        },
    }
