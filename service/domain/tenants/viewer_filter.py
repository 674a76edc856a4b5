"""The viewer filter: a condition applied to single tickets, for one viewer and instant. Pure; needs no columns."""

from service.domain.catalogue.catalogue import TenantSettings
from service.domain.conditions.condition import Condition
from service.domain.counting.column_matcher import ColumnMatcher
from service.domain.counting.columns import QUESTIONS, Answers, Column, simplify
from service.domain.counting.compiling import holding
from service.domain.counting.local_days import LocalDay
from service.domain.counting.scopes import visible
from service.domain.counting.viewer import Perspective, Viewer
from service.domain.counting.windows import on_day
from service.domain.steps import Steps
from service.domain.tenants.lowering import lower
from service.domain.tickets.ticket import Instant, Ticket


class ViewerFilter:
    """A condition of one tenant, compiled for one viewer, perspective and instant. Build one per preview."""

    def __init__(
        self,
        condition: Condition,
        settings: TenantSettings,
        viewer: Viewer,
        perspective: Perspective,
        now: Instant,
        day: LocalDay,
    ) -> None:
        self._condition = on_day(lower(condition, settings), day)
        self._viewer, self._perspective, self._now = viewer, perspective, now
        # Compiled when the first ticket has these answers: all eight take up to 50 ms for the largest condition.
        self._columns: dict[Answers, ColumnMatcher] = {}

    def counts(self, ticket: Ticket) -> bool:
        """Whether the viewer sees the ticket in this perspective, and it fits the condition."""
        answers = self._answers(ticket)
        columns = self._columns.get(answers)
        if columns is None:
            columns = self._columns[answers] = self._compiled(answers)
        return columns.mask(ticket, self._now) != 0

    def counts_in_steps(self, ticket: Ticket) -> Steps[bool]:
        """Runs `counts` with one leaf per step: on a ticket of a megabyte a leaf takes milliseconds."""
        plain = self._plain(self._answers(ticket))
        return False if plain is None else (yield from holding(plain, ticket, self._now))

    def _answers(self, ticket: Ticket) -> Answers:
        user = self._viewer.user
        return (ticket.assignee == user, ticket.requester == user, ticket.team in self._viewer.teams)

    def _plain(self, answers: Answers) -> Condition | None:
        """Returns the residual for these answers; None when the viewer doesn't see such tickets."""
        if not visible(self._viewer.role, self._perspective, answers):
            return None
        return simplify(self._condition, dict(zip(QUESTIONS, answers, strict=True)))

    def _compiled(self, answers: Answers) -> ColumnMatcher:
        """Compiles the residual for these answers: one column, or none when the viewer doesn't see such tickets."""
        plain = self._plain(answers)
        return ColumnMatcher({} if plain is None else {0: Column(plain)})
