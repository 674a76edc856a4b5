"""What both stores promise of credentials: never older over newer, and found by their admin's name as well."""

import msgspec
import pytest

from service.domain.catalogue.catalogue import Admin, Credential
from service.store import codec, keys
from service.store.redis.store import PUT_ENTRY, RedisStore
from tests.store.contract import TENANT, Store

ANN = Credential("key", ("aa",), TENANT, Admin("1", "Ann", "ann"), ("net",), allowed_ips=("10.0.0.0/8",))


async def identifiers(store: Store, username: str) -> list[str]:
    return sorted(credential.identifier for credential in await store.credentials_of(username))


async def test_a_credential_is_never_older_than_one_that_was_stored(store: Store) -> None:
    old = msgspec.structs.replace(ANN, secret_sha256=("bb", "cc"))
    await store.put_credential("key", 9, ANN)
    await store.put_credential("key", 8, old)
    assert await store.credential("key") == ANN
    await store.put_credential("key", 10, None)
    await store.put_credential("key", 9, ANN)
    assert await store.credential("key") is None
    assert await store.credential("other") is None


async def test_credentials_are_found_by_their_admins_name(store: Store) -> None:
    other = msgspec.structs.replace(ANN, identifier="other", tenant="globex")
    bob = msgspec.structs.replace(ANN, identifier="bob's", admin=Admin("2", "Bob", "bob"))
    for offset, credential in enumerate((ANN, other, bob)):
        await store.put_credential(credential.identifier, offset, credential)
    assert await store.credentials_of("bob") == [bob]
    assert await identifiers(store, "ann") == ["key", "other"]
    assert await identifiers(store, "nobody") == []


async def test_a_renamed_admin_and_a_removed_credential_are_found_no_more(store: Store) -> None:
    await store.put_credential("key", 1, ANN)
    renamed = msgspec.structs.replace(ANN, admin=Admin("1", "Ann", "anna"))
    await store.put_credential("key", 2, renamed)
    assert await identifiers(store, "ann") == []
    assert await store.credentials_of("anna") == [renamed]
    await store.put_credential("key", 1, ANN)
    assert await identifiers(store, "ann") == []
    await store.put_credential("key", 3, None)
    assert await identifiers(store, "anna") == []


@pytest.mark.parametrize("name", ["", "a", "an", "ann ", "Ann", "ann\0", "ann\0key", "[ann", "ünï", "an*"])
async def test_names_are_compared_exactly(store: Store, name: str) -> None:
    await store.put_credential("key", 1, ANN)
    assert await identifiers(store, name) == []
    await store.put_credential("odd", 2, msgspec.structs.replace(ANN, identifier="odd", admin=Admin("3", "Odd", name)))
    assert await identifiers(store, name) == ["odd"]
    assert await identifiers(store, "ann") == ["key"]


async def test_the_index_holds_nothing_of_what_is_no_longer_in_force(redis_store: RedisStore) -> None:
    await redis_store.put_credential("key", 1, ANN)
    renamed = msgspec.structs.replace(ANN, admin=Admin("1", "Ann", "anna"))
    await redis_store.put_credential("key", 2, renamed)
    assert await redis_store._client.call("ZRANGE", keys.ADMINS, 0, -1) == [b"anna\0key"]
    await redis_store.put_credential("key", 3, None)
    assert not await redis_store._client.call("EXISTS", keys.ADMINS)


async def test_an_index_that_lacks_a_credential_is_mended_by_putting_it_again(redis_store: RedisStore) -> None:
    places = [keys.CREDENTIALS, keys.CREDENTIAL_OFFSETS]
    await PUT_ENTRY.run(redis_store._client, places, ["key", 5, codec.pack_entry(ANN)])  # as before there was an index
    assert await redis_store.credentials_of("ann") == []
    await redis_store.put_credential("key", 5, ANN)
    assert await redis_store.credentials_of("ann") == [ANN]
