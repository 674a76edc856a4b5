"""Which tickets one viewer's condition counts at one instant, ticket by ticket. Pure; needs no column filled before."""

from datetime import tzinfo

from service.domain.at_moment import at_moment
from service.domain.catalogue import TenantSettings
from service.domain.columns import Answers, ColumnId, column_id, residuals
from service.domain.condition import NEVER, Condition
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
        self._user, self._teams, self._now = viewer.user, viewer.teams, now
        self._columns: dict[Answers, Columns] = {}
        made: dict[ColumnId, Columns] = {}
        for answers, plain in residuals(at_moment(lower(condition, settings), settings, now, zone)).items():
            if plain != NEVER and visible(viewer.role, perspective, answers):
                name = column_id(plain)
                if name not in made:
                    made[name] = Columns({0: plain})
                self._columns[answers] = made[name]

    def counts(self, ticket: Ticket) -> bool:
        """Whether the viewer may see the ticket, in this perspective, and it fits the condition."""
        user = self._user
        columns = self._columns.get((ticket.assignee == user, ticket.requester == user, ticket.team in self._teams))
        return columns is not None and columns.mask(ticket, self._now) != 0
