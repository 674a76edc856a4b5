"""Calls and answers of the form API. Only describes: a call's fields are texts in any letter case, of any bytes."""

from typing import Annotated, Literal

from pydantic import Field

from service.web.models.model import Closed, Count, Model


class FormCall(Model):
    """The fields of a call. Fields may stand in the query or in the body; the body wins."""

    action: Annotated[str, Field(examples=["GetTicketCounts"])]
    """In any letter case."""
    identifier: str = ""
    """With `secret`."""
    secret: str = ""
    """With `identifier`."""
    username: str = ""
    """With `password`: an identifier, or the name of an admin."""
    password: str = ""
    """The identifier's secret, or the hex md5 of the admin's password."""
    accesskey: str = ""
    """Lifts the addresses a credential is limited to."""
    responsetype: Literal["json", "xml"] = "json"
    ignore_department_assignments: str = ""
    """GetTicketCounts: all departments."""
    include_counts_by_status: str = ""
    """GetTicketCounts: each status with its count."""
    deptid: str = ""
    """GetSupportStatuses: one department's tickets only."""
    ignore_dept_assignments: Annotated[str, Field(alias="ignore_dept_assignments")] = ""
    """GetSupportDepartments: all of them."""


class FormStatus(Closed):
    """One of the tenant's statuses."""

    title: str
    count: Count


class FormTicketCounts(Closed):
    """The answer to GetTicketCounts."""

    result: Literal["success"]
    filtered_departments: list[int]
    all_active: Count
    awaiting_reply: Count
    flagged_tickets: Count
    status: Annotated[dict[str, FormStatus], Field(default_factory=dict)]
    """By the title in lower case, letters and digits alone."""


class FormSupportStatus(Model):
    """One of the tenant's statuses, with its color."""

    title: str
    count: Count
    color: str


class FormStatusList(Model):
    """The statuses in their order."""

    status: list[FormSupportStatus]


class FormSupportStatuses(Closed):
    """The answer to GetSupportStatuses."""

    result: Literal["success"]
    totalresults: Count
    statuses: FormStatusList


class FormDepartment(Model):
    """A department; its numbers are texts."""

    id: str
    name: str
    awaitingreply: str
    opentickets: str


class FormDepartmentList(Model):
    """The departments, by their ids."""

    department: list[FormDepartment]


class FormSupportDepartments(Closed):
    """The answer to GetSupportDepartments."""

    result: Literal["success"]
    totalresults: Count
    departments: FormDepartmentList


class FormError(Closed):
    """The answer to a call that is refused."""

    result: Literal["error"]
    message: str
