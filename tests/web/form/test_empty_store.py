"""The form API and its local twin on a store that came back empty: nobody is told that a right secret is wrong."""

from typing import Any

import pytest

from service.web.form.attempts import FREE
from service.web.form.local import LocalPanel
from tests.fakes.memory_store import MemoryStore
from tests.support.pipeline import FakeProducer, Pipeline, published
from tests.web.form.panel import CREDENTIALS, TENANT, TENANT_ENTRY, a_panel, md5
from tests.web.world import NOW_US, SetClock

WARMING = {"result": "error", "message": "These counts are still being filled"}

WAYS: list[dict[str, Any]] = [
    {"identifier": "key", "secret": "s-key"},
    {"username": "ada", "password": md5("p-ada")},
]


class LaidOut(MemoryStore):
    """As the local API needs one."""

    async def ensure_layout(self) -> None:
        """It is as it should be."""


@pytest.mark.parametrize("fields", WAYS)
async def test_a_credential_is_waited_for_and_not_called_wrong(fields: dict[str, Any]) -> None:
    panel = await a_panel((), ())
    for _ in range(FREE + 2):  # nothing of it counts as a failed attempt
        answer = await panel.call(**fields)
        assert (answer.status_code, answer.json()) == (503, WARMING)
        assert int(answer.headers["retry-after"]) > 0
    xml = await panel.call(responsetype="xml", **fields)
    assert (xml.status_code, b"<message>These counts are still being filled</message>" in xml.content) == (503, True)
    await panel.learn(TENANT_ENTRY, *CREDENTIALS)
    assert (await panel.call(**fields)).status_code == 200
    assert (await panel.call(**{name: f"not {value}" for name, value in fields.items()})).status_code == 403


@pytest.mark.parametrize("how", [(None, None), ("ada", None), ("ada", TENANT), (None, TENANT)])
async def test_the_local_api_waits_too(how: tuple[str | None, str | None]) -> None:
    store, topic = LaidOut(), published(())
    pipeline, local = Pipeline(store, topic, FakeProducer(), NOW_US), LocalPanel(store, SetClock(NOW_US))
    assert await local.answer("GetTicketCounts", {}, *how) == WARMING
    for entry in (TENANT_ENTRY, *CREDENTIALS):
        topic.publish(entry)
    await pipeline.catch_up()
    assert (await local.answer("GetTicketCounts", {}, *how))["result"] == "success"
