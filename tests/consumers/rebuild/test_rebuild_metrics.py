"""What a rebuild measures of itself, over HTTP as Prometheus reads it."""

import socket

import pytest
from prometheus_client.parser import text_string_to_metric_families

from consumers.ops.small_server import CannotServe
from consumers.rebuild.metrics import RebuildMetrics, served
from consumers.rebuild.rebuilding import Rebuilding
from tests.consumers.rebuild.test_rebuilding import LOG, MANY, counted, generation, rebuild_of
from tests.consumers.small_world import TENANT
from tests.support.plain_http import get


def scraped(process: Rebuilding) -> dict[tuple[str, ...], float]:
    """Name of each sample, and its label values in the order of the labels' names."""
    with served(RebuildMetrics(process, process._filling), "127.0.0.1", 0) as port:
        text = get(f"http://127.0.0.1:{port}/metrics").text
    families = text_string_to_metric_families(text)
    samples = [one for family in families for one in family.samples]
    return {(one.name, *(one.labels[label] for label in sorted(one.labels))): one.value for one in samples}


async def test_a_rebuild_says_how_far_it_is_and_which_generation_serves() -> None:
    world, _ = await counted()
    process, _ = rebuild_of(world, LOG)
    process.left = [TENANT]
    before = scraped(process)
    assert before["ticket_counts_rebuild_tenants", "left"] == 1
    assert before["ticket_counts_rebuild_tenants", "swapped"] == 0
    await process.run([TENANT])
    after = scraped(process)
    assert after["ticket_counts_rebuild_tenants", "left"] == 0
    assert after["ticket_counts_rebuild_tenants", "swapped"] == 1
    assert after[("ticket_counts_rebuild_steps",)] == after[("ticket_counts_rebuild_steps_done",)] == MANY
    assert after["ticket_counts_rebuild_generation", await generation(world), TENANT] == 1


async def test_nothing_is_served_where_no_port_was_given() -> None:
    process, _ = rebuild_of((await counted())[0])
    with served(RebuildMetrics(process, process._filling), "127.0.0.1", None) as port:
        assert port is None


async def test_a_port_that_another_program_has_is_said() -> None:
    process, _ = rebuild_of((await counted())[0])
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(CannotServe, match="Address already in use"),
        served(RebuildMetrics(process, process._filling), "127.0.0.1", taken.getsockname()[1]),
    ):
        pass
