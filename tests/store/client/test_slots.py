"""Who has which slot, by what servers say: the newest claim holds, whoever tells of it and whenever."""

import pytest

from service.store.client.cluster_view import ClusterUrl, is_cluster, view_in
from service.store.client.slots import SLOTS, Address, Node, Slots, View

A, B, C = Address("10.0.0.1", 7000), Address("10.0.0.2", 7001), Address("fd00::3", 7002)


def view(by: Address, *nodes: Node, importing: int | None = None, migrating: int | None = None) -> View:
    return View(by, nodes, _set(importing), _set(migrating))


def _set(slot: int | None) -> frozenset[int]:
    return frozenset() if slot is None else frozenset({slot})


def master(address: Address, epoch: int, *ranges: tuple[int, int]) -> Node:
    return Node(address, True, epoch, ranges)


BEFORE = view(A, master(A, 1, (0, 99)), master(B, 2, (100, SLOTS - 1)))


def test_nobody_is_known_to_have_anything_at_first() -> None:
    slots = Slots()
    assert (slots.owner(0), slots.masters) == (None, ())


def test_a_newer_claim_takes_a_slot_and_an_older_view_does_not_give_it_back() -> None:
    slots = Slots()
    slots.take([BEFORE])
    layout = slots.layout
    slots.take([view(C, master(C, 5, (0, 99)))])
    assert (slots.owner(0), slots.owner(99), slots.owner(100)) == (C, C, B)
    assert slots.masters == (B, C)
    assert slots.layout != layout
    slots.take([BEFORE])  # what a server that was frozen meanwhile still believes
    assert slots.owner(0) == C


def test_views_of_one_look_may_be_of_different_ages_in_any_order() -> None:
    newer = view(B, master(A, 1, (1, 99)), master(B, 6, (0, 0), (100, SLOTS - 1)))
    for views in ([BEFORE, newer], [newer, BEFORE]):
        slots = Slots()
        slots.take(views)
        assert (slots.owner(0), slots.owner(1)) == (B, A)


def test_a_server_that_comes_to_another_address_keeps_what_it_has() -> None:
    slots = Slots()
    slots.take([BEFORE])
    at_another = view(C, master(C, 1, (0, 99)))
    slots.take([BEFORE, at_another])  # not everybody has heard of it
    slots.take([at_another])
    assert slots.owner(0) == C


def test_a_slot_on_its_way_whose_owner_knows_of_no_move_is_torn() -> None:
    slots = Slots()
    slots.take([view(A, *BEFORE.nodes, migrating=7), view(B, *BEFORE.nodes, importing=7)])
    assert slots.torn == frozenset()
    slots.take([view(C, master(C, 5, (0, 99))), view(B, *BEFORE.nodes, importing=7)])
    assert slots.torn == {7}
    slots.take([view(C, master(C, 5, (0, 99)), migrating=7), view(B, *BEFORE.nodes, importing=7)])
    assert slots.torn == frozenset()
    slots.take([view(B, *BEFORE.nodes, importing=7)])
    assert slots.torn == {7}, "its owner didn't answer, so nobody knows"
    slots.take([view(B, *BEFORE.nodes)])
    assert slots.torn == frozenset()


def node(flags: str, *, epoch: str = "1", slots: tuple[list[str], ...] = (), name: str = "", **more: object) -> object:
    return {"flags": flags, "epoch": epoch, "slots": slots, "hostname": name, "migrations": [], **more}


def test_what_a_server_says_is_read_as_it_is_meant() -> None:
    moves = [{"slot": "3", "node_id": "x", "state": "importing"}, {"slot": "4", "node_id": "x", "state": "migrating"}]
    said = {
        ":7000": node("myself,master", epoch="4", slots=(["0", "9"], ["11"]), migrations=moves),
        "fd00::3:7002": node("slave"),
        "10.0.0.2:7001": node("master,fail?", epoch="2", slots=(["12", "13"],), name="b.example.org"),
        ":0": node("master,noaddr", slots=(["14"],)),
        "10.0.0.1:7007": node("master,fail", epoch="3", slots=(["15"],)),
        "10.0.0.9:7009": node("handshake"),
    }
    found = view_in(said, A, by_name=False)  # type: ignore[arg-type]
    nodes = (
        master(A, 4, (0, 9), (11, 11)),
        Node(C, False, 1),
        master(B, 2, (12, 13)),
        Node(Address("10.0.0.1", 7007), False, 3, ((15, 15),)),
    )
    assert found == View(A, nodes, frozenset({3}), frozenset({4}))
    named = view_in(said, A, by_name=True)  # type: ignore[arg-type]
    assert [one.address.host for one in named.nodes] == ["10.0.0.1", "fd00::3", "b.example.org", "10.0.0.1"]


@pytest.mark.parametrize(
    ("url", "servers"),
    [
        ("redis+cluster://a:7000", ["redis://a:7000/0"]),
        ("redis+cluster://a:7000,[fd00::3]:7001/", ["redis://a:7000/0", "redis://[fd00::3]:7001/0"]),
        ("rediss+cluster://me:p%40ss@a:7000,b:1", ["rediss://me:p%40ss@a:7000/0", "rediss://me:p%40ss@b:1/0"]),
    ],
)
def test_the_url_of_a_cluster_is_one_for_each_of_its_servers(url: str, servers: list[str]) -> None:
    assert is_cluster(url)
    parts = ClusterUrl.of(url)
    assert [parts.server(seed) for seed in parts.seeds] == servers
    assert not any(is_cluster(server) for server in servers)
