"""Real Baileys, the fake server and the emulator: every kind of arrival lands, completely and once."""

from typing import Any

from whole import ANA, BOB, PHONE, Whole, until
from world import GROUP

ANA_JID = f"{ANA}@s.whatsapp.net"


async def only(whole: Whole, id: str) -> dict[str, Any]:
    """The one document of this message."""
    await whole.lands({id})
    (found,) = [fields for fields in (await whole.documents()).values() if fields["waMessageId"] == id]
    return found


async def test_an_inbound_message_lands_once_with_the_runbooks_fields(whole: Whole) -> None:
    """As the inbox reads it."""
    sent = await whole.send("M1", text="hello")
    landed = await only(whole, "M1")
    assert landed["accountId"] == whole.account
    assert landed["clientJid"] == ANA_JID
    assert landed["threadId"] == f"{whole.account}__{ANA_JID}"
    assert (landed["direction"], landed["status"], landed["messageType"]) == ("inbound", "delivered", "text")
    assert (landed["body"], landed["syncSource"]) == ("hello", "realtime")
    assert landed["tsClientMs"] == landed["createdAtMs"] == sent["time"] * 1000
    assert landed["tsClient"].timestamp() == sent["time"]
    assert landed["providerMessageId"] == "M1"
    assert landed["key"]["id"] == "M1" and landed["key"]["fromMe"] is False
    assert landed["senderJid"] == ANA_JID
    assert "offlineSync" not in landed
    for server_time in ("tsServer", "createdAt", "updatedAt", "syncedAt"):
        assert landed[server_time] is not None

    async def thread() -> dict[str, Any] | None:
        return (await whole.threads()).get(f"{whole.account}__{ANA_JID}")

    found = await until(thread)
    assert found["lastMessagePreview"] == "hello"
    assert found["lastMessageAtMs"] == sent["time"] * 1000
    assert (found["accountId"], found["clientJid"], found["isLid"]) == (whole.account, ANA_JID, False)


async def test_a_group_message_lands_with_its_author(whole: Whole) -> None:
    """In the group's thread, under the phone number of who wrote it, also when he is addressed by LID."""
    await whole.server.op("group", id=GROUP, subject="Team", members=[ANA, BOB, whole.phone], addressing="lid")
    await whole.send("G1", chat=GROUP, from_=BOB, text="in the group")
    landed = await only(whole, "G1")
    assert landed["clientJid"] == GROUP
    assert landed["senderJid"] == f"{BOB}@s.whatsapp.net"
    assert landed["direction"] == "inbound"


async def test_an_own_message_typed_on_the_phone_lands_as_outbound(whole: Whole) -> None:
    """In the thread of whom it was sent to."""
    await whole.send("P1", from_me=True, text="from my phone")
    landed = await only(whole, "P1")
    assert landed["clientJid"] == ANA_JID
    assert (landed["direction"], landed["status"], landed["senderName"]) == ("outbound", "sent", "me")


async def test_media_and_replies_land_with_what_is_known_of_them(whole: Whole) -> None:
    """Nested and flat, as the app reads either."""
    await whole.server.op("message", account=whole.phone, chat=ANA, id="I1", kind="image", caption="look")
    image = await only(whole, "I1")
    assert (image["messageType"], image["body"]) == ("image", "look")
    assert image["media"]["type"] == image["mediaType"] == "image"
    assert image["media"]["mimetype"] == image["mediaMimetype"]
    assert image["media"]["mediaKey"]
    await whole.send("R1", text="nice", quote={"id": "I1", "from": ANA_JID, "text": "look"})
    assert (await only(whole, "R1"))["quoted"]["id"] == "I1"


async def test_a_message_that_is_not_encrypted_lands(whole: Whole) -> None:
    """Journaled before the engine sees it."""
    await whole.send("N1", encryption="plaintext", text="plain")
    assert (await only(whole, "N1"))["body"] == "plain"
    await whole.server.wait("receipt", id="N1")


async def test_a_lid_addressed_chat_lands_in_the_thread_of_its_phone_number(whole: Whole) -> None:
    """One thread a person."""
    await whole.send("L1", addressing="lid", text="by lid")
    assert (await only(whole, "L1"))["clientJid"] == ANA_JID


async def test_a_history_of_several_chunks_lands_completely(whole: Whole) -> None:
    """Inline and as blobs; the threads' last activity is the newest message's."""
    ids = set()
    for prefix, how in (("A", "inline"), ("B", "blob")):
        recipe = await whole.server.op(
            "history",
            account=whole.phone,
            conversations=6,
            messages=900,
            chunk_messages=250,
            prefix=prefix,
            as_=how,
            first_contact="15551000000" if prefix == "A" else "15552000000",
        )
        assert recipe["chunks"] == 4
        ids |= {f"{prefix}-{c}-{i}" for c in range(6) for i in range(150)}
    bodies = await whole.lands(ids)
    assert bodies["A-3-149"] == "A 3 149"
    assert bodies.keys() == ids
    landed = await whole.documents()
    assert {fields["syncSource"] for fields in landed.values()} == {"history_sync"}

    async def all_threads_follow_their_newest() -> bool:
        threads = await whole.threads()
        newest: dict[str, int] = {}
        for fields in landed.values():
            newest[fields["threadId"]] = max(newest.get(fields["threadId"], 0), fields["tsClientMs"])
        return {thread: fields["lastMessageAtMs"] for thread, fields in threads.items()} == newest

    await until(all_threads_follow_their_newest)

    async def account_tells() -> bool:
        account = (await whole.firestore.document(f"accounts/{whole.account}").get()).to_dict() or {}
        return bool(account.get("lastHistorySyncAt")) and account["historySyncCount"] > 0

    await until(account_tells)


async def test_messages_sent_while_the_daemon_was_down_land_marked_as_offline(whole: Whole) -> None:
    """More of them than one batch of the server's queue holds."""
    assert await whole.daemon.terminate() == 0
    ids = {f"O-{n}" for n in range(250)}
    await whole.server.op("messages", account=whole.phone, chats=[ANA, BOB], count=250, prefix="O", text="offline")
    await whole.daemon.start()
    bodies = await whole.lands(ids)
    assert bodies.keys() == ids
    assert all(
        fields["offlineSync"] and fields["syncSource"] == "realtime" for fields in (await whole.documents()).values()
    )
    await whole.daemon.caught_up(whole.account)
    await whole.nothing_queued()


async def test_a_fetch_history_command_returns_a_page(whole: Whole) -> None:
    """Messages older than the anchor, which come through the journal like everything else."""
    stored = await whole.server.op("store", account=whole.phone, chat=ANA, count=80, prefix="S")
    anchor = stored["messages"][-1]
    await whole.send("now")
    await whole.lands({"now"})
    answer = await whole.daemon.post(
        f"/api/whatsapp/fetch-history/{whole.account}",
        {
            "chat": ANA_JID,
            "anchor": {"id": anchor["id"], "fromMe": anchor["from_me"]},
            "time": anchor["time"],
            "count": 50,
        },
    )
    assert answer["success"] is True
    page = {f"S-{n}" for n in range(29, 79)}
    assert answer["messages"] == 50
    assert (await whole.lands(page)).keys() == page | {"now"}


async def test_a_phone_of_another_number_is_logged_out_and_the_status_says_why(whole: Whole) -> None:
    """Its messages belong to no account of ours."""
    other = await whole.daemon.add_account("+15550009999", "Other")
    await whole.server.scan(await whole.daemon.qr(other), phone=BOB)

    async def told() -> str | None:
        accounts = (await whole.daemon.get("/api/whatsapp/accounts"))["accounts"]
        (found,) = [one for one in accounts if one["id"] == other]
        return found["lastError"] if found["status"] == "needs_qr" else None

    assert "another number" in await until(told)
    assert await whole.daemon.status(whole.account) == "connected"


async def test_the_qr_route_answers_programs_and_people(whole: Whole) -> None:
    """JSON with the raw string, or a page, by Accept; and no document ever holds it."""
    other = await whole.daemon.add_account("+15550009999", "Other")
    code = await whole.daemon.qr(other)
    answer = await whole.daemon.get(f"/api/whatsapp/qr/{other}")
    assert answer == {"success": True, "status": "qr_ready", "qr": code}
    assert code.count(",") >= 3

    async def document() -> Any:
        fields = (await whole.firestore.document(f"accounts/{other}").get()).to_dict()
        return fields if fields and fields["status"] == "qr_ready" else None

    assert code not in str(await until(document))
    assert PHONE != "+15550009999"


async def test_odd_ids_and_reused_ids_land_safely_each_under_its_own_document(whole: Whole) -> None:
    """Ids are chosen by senders: slashes, dots, tildes, reserved forms, 1,500 bytes; and somebody else's id."""
    odd = {"a/b", ".", "..", "~", "x~01234567", "__x__", "a%2Fb", "é" * 750, "y" * 1500}
    for message in sorted(odd):
        await whole.send(message)
    await whole.lands(odd)
    await whole.server.op("group", id=GROUP, subject="Team", members=[ANA, BOB, whole.phone])
    await whole.send("SAME", chat=GROUP, from_=ANA, text="by Ana")
    await whole.lands({"SAME"})
    await whole.send("SAME", chat=GROUP, from_=BOB, text="by Bob")

    async def both() -> bool:
        found = [one["body"] for one in (await whole.documents()).values() if one["waMessageId"] == "SAME"]
        return sorted(found) == ["by Ana", "by Bob"]

    await until(both)
    await whole.nothing_queued()
    landed = await whole.documents()
    assert len(landed) == len(odd) + 2
    assert landed[f"threads/{whole.account}__{GROUP}/messages/SAME"]["body"] == "by Ana"
    assert {one["waMessageId"] for one in landed.values()} == odd | {"SAME"}
