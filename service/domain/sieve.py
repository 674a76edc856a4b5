"""Which tickets one viewer's condition counts at one instant, ticket by ticket. Pure; needs no column filled before."""

from datetime import tzinfo

from service.domain.at_moment import at_moment
from service.domain.catalogue import TenantSettings
from service.domain.columns import QUESTIONS, Answers, simplify
from service.domain.condition import Condition
from service.domain.lowering import lower
from service.domain.matching import Columns
from service.domain.scopes import visible
from service.domain.ticket import Instant, Ticket
from service.domain.viewer import Perspective, Viewer


class Sieve:
    """`condition` over one tenant's settings, with the viewer and the instant put in; build one for each question."""

    def __init__(
        self,
        condition: Condition,
        settings: TenantSettings,
        viewer: Viewer,
        perspective: Perspective,
        now: Instant,
        zone: tzinfo,
    ) -> None:
        self._condition = at_moment(lower(condition, settings), settings, now, zone)
        self._viewer, self._perspective, self._now = viewer, perspective, now
        # Made when a ticket first answers so: all at once would take up to 50 ms for the largest condition there is.
        self._columns: dict[Answers, Columns] = {}

    def counts(self, ticket: Ticket) -> bool:
        """Whether the viewer may see the ticket, in this perspective, and it fits the condition."""
        user = self._viewer.user
        answers = (ticket.assignee == user, ticket.requester == user, ticket.team in self._viewer.teams)
        columns = self._columns.get(answers)
        if columns is None:
            columns = self._columns[answers] = self._compiled(answers)
        return columns.mask(ticket, self._now) != 0

    def _compiled(self, answers: Answers) -> Columns:
        """What is left to be asked of a ticket with these answers: one column, or none where it can't count."""
        if not visible(self._viewer.role, self._perspective, answers):
            return Columns({})
        return Columns({0: simplify(self._condition, dict(zip(QUESTIONS, answers, strict=True)))})
