"""Unite: when the number of a LID becomes known, what was kept under the LID goes where the person's other things are.

Document by document, a bounded number at a time, and from where it stopped after a crash: what is done is forgotten in
the same transaction in which it is remembered elsewhere. The old thread leads to the new one last. Nothing is deleted.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace

import structlog

from whatsapp_backend.domain.coverage import ENDLESS_MS, Coverage, LedgerChange
from whatsapp_backend.domain.mirror import Alias, Gathered, Moved, Nameless, Progress
from whatsapp_backend.domain.states import MessageState
from whatsapp_backend.flows.land import Lander
from whatsapp_backend.flows.window import WindowLander
from whatsapp_backend.ports import Identities, Ledger, Mirror
from whatsapp_backend.rules import contacts, gathering, landing, messages, threads
from whatsapp_backend.rules.coverage.threads import united
from whatsapp_backend.rules.document_ids import contact_path, message_path, thread_id, thread_path
from whatsapp_backend.rules.gathering import State
from whatsapp_backend.rules.identity import canonical_jid, is_lid
from whatsapp_backend.rules.landing import Arrival
from whatsapp_backend.rules.stored import typed

log = structlog.get_logger()

_DOCUMENTS = 100
"""So many at a time: new messages wait no longer than that takes."""
_PEOPLE = 50
_ALL_OF_TIME = (0, ENDLESS_MS)


class Unite:
    """Does a piece of the work at each `step`, as long as there is some."""

    def __init__(
        self,
        *,
        mirror: Mirror,
        identities: Identities,
        lander: Lander,
        windows: WindowLander,
        ledger: Ledger,
        settle: Callable[[Sequence[str]], Awaitable[None]],
        keep: Callable[[Progress], Awaitable[None]],
        consumer: str,
    ) -> None:
        self._mirror = mirror
        self._identities = identities
        self._lander = lander
        self._windows = windows
        self._ledger = ledger
        self._settle = settle
        self._keep = keep
        self._consumer = consumer
        self.waiting = True
        """Whether there may be something to do: an earlier life may have left it."""

    def look_again(self) -> None:
        """Numbers became known."""
        self.waiting = True

    async def step(self) -> bool:
        """Do some of it. False when nothing is left."""
        if not self.waiting:
            return False
        todo = await self._identities.ununited(_PEOPLE)
        done = await self._some_of(await self._to_numbers(todo))
        if done:
            # The gaps first: nobody would look for them again after a crash in between.
            await self._settle([thread_path(thread_id(alias.account, alias.pn)) for alias in done])
            await self._keep(Progress(consumer=self._consumer, united=tuple(done)))
        self.waiting = len(todo) == _PEOPLE or len(done) < len(todo)
        return self.waiting

    async def _some_of(self, todo: Iterable[Alias]) -> list[Alias]:
        """Those of these of whom nothing is left, after some of the work."""
        budget, done = _DOCUMENTS, []
        for alias in todo:
            rows = await self._identities.nameless(alias.account, alias.lid, budget)
            if rows:
                await self._move(alias, rows)
            budget -= len(rows)
            if budget <= 0:
                break
            await self._finish(alias)
            done.append(alias)
        return done

    async def _move(self, alias: Alias, rows: Sequence[Nameless]) -> None:
        """The documents at these paths, with the number in place of the LID."""
        states = await self._states(alias, [row.path for row in rows])
        numbers = {jid: alias.pn for jid in (alias.lid, canonical_jid(alias.lid)) if jid == alias.lid or is_lid(jid)}
        arrivals = []
        for number, (path, state) in enumerate(states.items(), 1):
            named = messages.identified(state, numbers.get)
            to = path
            if named.client_jid != state.client_jid:
                to = message_path(thread_id(named.account, named.client_jid), named.message_id)
            arrivals.append(
                Arrival(path=to, state=named, order=number, sender=named.sender, sender_lid=named.sender_lid)
            )
        window = await self._windows.land_arrivals(arrivals)
        if window.parked:
            log.error("could_not_be_united", account=alias.account, count=len(window.parked))
        progress = await self._windows.progress_of((), window, consumer=self._consumer)
        lies = {order: slot.path for slot in window.landed.there for order in slot.orders}
        moved = [
            Moved(path=path, to=to)
            for number, (path, arrival) in enumerate(zip(states, arrivals, strict=True), 1)
            if (to := lies.get(number, arrival.path)) != path
        ]
        paid = self._windows.paid_by(window)
        await self._keep(replace(progress, moved=tuple(moved), named=tuple(rows), paid=progress.paid + paid))

    async def _to_numbers(self, todo: Sequence[Alias]) -> list[Alias]:
        """The same; what a survey found of a LID in another spelling goes to its number, if that is known by now."""
        found = []
        for alias in todo:
            numbers = await self._identities.aliases(alias.account, [alias.pn]) if is_lid(alias.pn) else {}
            found.append(replace(alias, pn=numbers.get(alias.pn, alias.pn)))
        return found

    async def _states(self, alias: Alias, paths: Sequence[str]) -> dict[str, MessageState]:
        known = await self._mirror.messages(paths)
        waiting = await self._mirror.waiting(paths)
        states = {path: messages.loaded(one.state) for path, one in known.items() if one.state is not None}
        absent = {path for path, one in waiting.items() if one.due_at_ms is None}
        forgotten = [path for path in paths if path not in states and path not in absent]
        documents = await self._lander.read(forgotten) if forgotten else {}
        under_lid = f"{thread_path(thread_id(alias.account, alias.lid))}/messages/"
        for path, document in documents.items():
            # A raw JID may stand in the document, or none: what lies in the LID's thread is the LID's.
            jid = alias.lid if path.startswith(under_lid) else typed(document.fields, "clientJid", str)
            found = landing.moved_in(document, alias.account, jid) if jid else None
            if found is not None:
                states[path] = found
            else:
                log.warning("no_message_to_unite", account=alias.account)
        for path, one in waiting.items():
            state = messages.loaded(one.state)
            states[path] = messages.merged(states[path], state) if path in states else state
        return states

    async def _finish(self, alias: Alias) -> None:
        """The thread and the contact under the LID; then nothing is left of it. Done again it changes nothing."""
        old, new = (thread_path(thread_id(alias.account, jid)) for jid in (alias.lid, alias.pn))
        person = contact_path(alias.account, alias.lid)
        found = await self._mirror.gathered([old, person])
        taken: list[State] = []
        redirected: list[Gathered] = []
        if row := found.get(old):
            thread, told = threads.redirected(threads.loaded(row.state), alias.pn)
            taken.append(told)
            there = thread.last_at_ms > 0 or row.updated_at_ns is not None
            redirected.append(replace(row, state=threads.dumped(thread), dirty=there))
        if row := found.get(person):
            taken.append(replace(contacts.loaded(row.state), jid=alias.pn, lid=alias.lid))
        rows = await self._taken(taken)
        covered = await self._covered(alias, old, new)
        await self._keep(
            Progress(
                consumer=self._consumer,
                gathered=(*redirected, *rows),
                ledger=LedgerChange(coverages=covered),
                moved=(Moved(path=old, to=new),) if redirected or covered else (),
                read=tuple((new, threads.loaded(row.state).read_at_ms) for row in rows if row.path == new),
            )
        )

    async def _covered(self, alias: Alias, old: str, new: str) -> tuple[Coverage, ...]:
        """What is known of the history of both threads together."""
        known = await self._ledger.coverages([old, new])
        if old not in known:
            return ()
        into = known.get(new) or Coverage(account=alias.account, thread=new, jid=alias.pn)
        empty = {thread: not (await self._ledger.around(thread, [_ALL_OF_TIME]))[0].inside for thread in (old, new)}
        return (united(into, known[old], other_empty=empty[old], into_empty=empty[new]),)

    async def _taken(self, taken: Iterable[State]) -> list[Gathered]:
        by_path = gathering.gathered_by_path(taken)
        known = await self._mirror.gathered(by_path)
        rows = known | {row.path: row for row in gathering.changed(by_path, known)}
        return [gathering.to_be_written(rows[path]) for path in by_path]
