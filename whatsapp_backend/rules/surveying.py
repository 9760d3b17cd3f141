"""What is to be made of documents that others wrote: where each message lies, which threads are one person's, how many
of what there are.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import orjson

from whatsapp_backend.domain.mirror import Gathered, Nameless
from whatsapp_backend.domain.states import ThreadState
from whatsapp_backend.domain.surveys import Adopted, Generation, Survey
from whatsapp_backend.domain.writes import Document, Fields
from whatsapp_backend.rules import threads
from whatsapp_backend.rules.document_ids import message_path, thread_id, thread_path
from whatsapp_backend.rules.generations import generation_of, is_displaced, is_stub, message_id_of
from whatsapp_backend.rules.identity import canonical_jid, is_lid, is_phone
from whatsapp_backend.rules.stored import typed

_LEADS = ("redirectTo", "canonicalThreadId", "migratedTo")
REDIRECTS = ("canonicalThreadId", "redirectTo")
"""The fields by which the app follows a thread to another one."""
THREAD_FIELDS = (
    "accountId",
    "clientJid",
    "clocks",
    "displayName",
    "lastInboundAtMs",
    "lastMessageAtMs",
    "lastMessageDirection",
    "lastMessageId",
    "lastMessagePreview",
    "lastMessageSenderName",
    *_LEADS,
)
"""What has to be read of a thread to recognise it and to merge with it."""
_NAMESPACES = ("dev", "development", "prod", "production")
_ACCOUNT = re.compile(r"account_[^_]+_(?P<hash>[0-9a-f]{32})")
COUNTS = (
    "documents_read",
    "threads",
    *(f"threads_{generation}" for generation in Generation if generation not in (Generation.APP, Generation.STUB)),
    "threads_redirected",
    "threads_lid",
    "threads_not_canonical",
    "threads_to_unite",
    "threads_of_other_accounts",
    *(f"messages_{generation}" for generation in Generation),
    "adopted",
    "duplicates",
)
"""Every count of a report, in the order people read them."""


def spellings(account: str) -> tuple[str, ...]:
    """The account's id, and those under which earlier generations may have kept the same number."""
    match = _ACCOUNT.fullmatch(account)
    if not match:
        return (account,)
    return tuple(dict.fromkeys((account, *(f"account_{name}_{match['hash']}" for name in _NAMESPACES))))


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundThread:
    """A thread as it was found. `jid` is as its id spells it; `canonical` as we would; `leads_to` is another's id."""

    id: str
    account: str
    jid: str
    canonical: str
    leads_to: str | None
    document: Document

    @property
    def goes_elsewhere(self) -> bool:
        """Whether its messages belong, or may one day belong, into another thread."""
        return self.leads_to is None and (self.jid != self.canonical or is_lid(self.canonical))

    @property
    def leads_to_jid(self) -> str | None:
        """Whose the other thread is, where that is this account's."""
        prefix = f"{self.account}__"
        if not self.leads_to or not self.leads_to.startswith(prefix):
            return None
        return canonical_jid(self.leads_to.removeprefix(prefix))


def thread_found(account: str, document: Document) -> FoundThread | None:
    """What a thread is of this account; None for one whose id is another account's, or nobody's."""
    jid = _jid_in(account, document.id, document.fields)
    if jid is None:
        return None
    leads = (typed(document.fields, name, str) for name in _LEADS)
    return FoundThread(
        id=document.id,
        account=account,
        jid=jid,
        canonical=canonical_jid(jid),
        leads_to=next((to for to in leads if to and to != document.id), None),
        document=document,
    )


def _jid_in(account: str, own_id: str, fields: Fields) -> str | None:
    """The JID in a thread's id; what we encoded in it stands beside it."""
    told = typed(fields, "clientJid", str)
    if told and thread_id(account, told) == own_id:
        return told
    prefix, jid = f"{account}__", own_id.removeprefix(f"{account}__")
    return jid if own_id.startswith(prefix) and "@" in jid and thread_id(account, jid) == own_id else None


def number_told(found: FoundThread) -> tuple[str, str] | None:
    """The LID and the number's JID that are one person, because the thread of the one leads to that of the other.

    Unless their digits are the same: an earlier worker took the digits of a LID for a number.
    """
    other = found.leads_to_jid
    if other is None:
        return None
    lid, number = (found.canonical, other) if is_lid(found.canonical) else (other, found.canonical)
    believable = is_lid(lid) and is_phone(number) and lid.partition("@")[0] != number.partition("@")[0]
    return (lid, number) if believable else None


def leads_astray(found: FoundThread) -> bool:
    """Whether new messages will land in it although it leads to another thread of the same person: nobody saw them."""
    other = found.leads_to_jid
    if other is None or found.jid != found.canonical or is_lid(found.canonical):
        return False
    return other == found.canonical or number_told(found) is not None


def gathered_of(found: FoundThread) -> Gathered:
    """What the mirror is to know of a thread whose messages go elsewhere, so that it leads there in the end."""
    ours = ThreadState(account=found.account, client_jid=found.jid)
    return Gathered(
        path=thread_path(found.id),
        account=found.account,
        state=threads.dumped(threads.state_in(found.document.fields, ours)),
        updated_at_ns=found.document.updated_at_ns,
        dirty=False,
    )


def nameless_of(found: FoundThread, page: Iterable[Document]) -> list[Nameless]:
    """The documents that are to go elsewhere once it is known where; of ours also those whose sender is a LID."""
    rows = []
    for document in page:
        if found.goes_elsewhere:
            rows.append(Nameless(account=found.account, lid=found.jid, path=document.path))
        sender = _sender_in(document.fields)
        if sender and is_lid(sender) and sender != found.jid:
            rows.append(Nameless(account=found.account, lid=sender, path=document.path))
    return rows


def _sender_in(fields: Fields) -> str | None:
    """Of a document of ours. Those of others are not written again only to name their senders."""
    if typed(fields, "clocks", dict) is None:
        return None
    told = typed(fields, "senderJid", str)
    return canonical_jid(told) if told else None


def plain_paths(found: FoundThread, page: Iterable[Document]) -> list[str]:
    """Where we would put the messages of these documents."""
    return [plain for document in page if (plain := _plain_path(found, document))]


def _plain_path(found: FoundThread, document: Document) -> str | None:
    if is_stub(document.fields) or is_displaced(document.id):
        return None
    message_id = message_id_of(document.id, document.fields)
    return message_path(found.id, message_id) if message_id else None


def adopted_in(
    found: FoundThread, page: Iterable[Document], lies: Mapping[str, str]
) -> tuple[list[Adopted], Counter[str]]:
    """Where the messages lie whose documents are not at their places, and counts.

    Of two documents of one message the one at its place is taken, else the first. `lies` is what is known of the
    thread's earlier pages.
    """
    known = dict(lies)
    changed: dict[str, str] = {}
    counts: Counter[str] = Counter()
    for document in page:
        plain = _plain_path(found, document)
        if plain is None:
            continue
        before = known.get(plain)
        if before is not None:
            counts["duplicates"] += 1
        if before is None or document.path == plain:
            known[plain] = changed[plain] = document.path
            counts["adopted"] += (document.path != plain) - (before is not None and before != plain)
    rows = [Adopted(path=plain, document_id=path.rpartition("/")[2]) for plain, path in changed.items()]
    return rows, counts


def with_page(survey: Survey, page: Sequence[Document], counts: Mapping[str, int]) -> Survey:
    """The survey after a page of a thread's messages."""
    kinds = Counter(generation_of(document.id, document.fields).value for document in page)
    found = Counter({f"messages_{kind}": number for kind, number in kinds.items()}) + Counter(documents_read=read(page))
    return replace(
        survey,
        counts=_plus(_plus(survey.counts, found), counts),
        messages_after=page[-1].id if page else survey.messages_after,
        thread_counts=_plus(survey.thread_counts, kinds),
    )


def with_thread(survey: Survey, found: FoundThread) -> Survey:
    """The survey after the last page of a thread."""
    counts = {
        "threads": 1,
        f"threads_{_thread_generation(found, survey.thread_counts)}": 1,
        "threads_redirected": int(found.leads_to is not None),
        "threads_lid": int(is_lid(found.canonical)),
        "threads_not_canonical": int(found.jid != found.canonical),
        "threads_to_unite": int(found.goes_elsewhere),
    }
    return replace(with_counts(survey, counts), threads_after=found.id, thread="", messages_after="", thread_counts={})


def with_stranger(survey: Survey, own_id: str) -> Survey:
    """The survey after a thread whose messages cannot be ours: another account's, or one whose id names no JID."""
    own = own_id.startswith(f"{survey.account}__")
    counts = {"threads": 1, "threads_unrecognised": 1} if own else {"threads_of_other_accounts": 1}
    return replace(with_counts(survey, counts), threads_after=own_id, thread="", messages_after="", thread_counts={})


def with_counts(survey: Survey, counts: Mapping[str, int]) -> Survey:
    """The survey with these on top."""
    return replace(survey, counts=_plus(survey.counts, counts))


def counted(survey: Survey) -> dict[str, int]:
    """Every count of a survey, also those of what was not found, in the order people read them."""
    return {name: survey.counts.get(name, 0) for name in COUNTS}


def dumped(survey: Survey) -> bytes:
    """The survey as JSON text."""
    return orjson.dumps(survey)


def loaded(text: bytes) -> Survey:
    """The survey from JSON text."""
    return Survey(**orjson.loads(text))


def read(page: Sequence[Document]) -> int:
    """What a query is billed: its documents, or one for none."""
    return max(1, len(page))


def _thread_generation(found: FoundThread, messages: Mapping[str, int]) -> Generation:
    """Its own, where it is ours; else that of most of its messages, and of equals the later."""
    if typed(found.document.fields, "clocks", dict) is not None:
        return Generation.OURS
    earlier = (Generation.FIRST, Generation.SECOND, Generation.THIRD)
    most = max(earlier, key=lambda kind: (messages.get(kind, 0), earlier.index(kind)))
    return most if messages.get(most, 0) else Generation.UNKNOWN


def _plus(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    total = {name: one.get(name, 0) + other.get(name, 0) for name in one.keys() | other.keys()}
    return {name: number for name, number in sorted(total.items()) if number}
