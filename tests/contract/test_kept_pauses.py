"""The port Pauses: what every store does, the fake as the real one."""


async def test_a_pause_is_kept_replaced_and_dropped(store):
    assert await store.pauses() == {}
    await store.put_pause("a", 5)
    await store.put_pause("b", 6)
    await store.put_pause("a", 7)
    assert await store.pauses() == {"a": 7, "b": 6}
    await store.put_pause("b", None)
    await store.put_pause("c", None)
    assert await store.pauses() == {"a": 7}
