"""Real Baileys, the fake server and the emulator: every kind of arrival lands once."""

from whole import Whole


async def test_an_inbound_message_lands_once_with_the_runbooks_fields(whole: Whole) -> None:
    """As the inbox reads it."""
    await whole.send("M1", text="hello")
    await whole.lands({"M1"})
    (landed,) = (await whole.documents()).values()
    assert landed["direction"] == "inbound"
