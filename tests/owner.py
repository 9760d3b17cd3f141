"""Ownership as a test wants it."""

from collections.abc import Iterable

from whatsapp_backend.domain.leases import Term

ME = "me.1"


class FixedOwner:
    """Owns every account that is wanted, at once, until it is told otherwise. Stands for `Lead`."""

    def __init__(self, *, willing: bool = True) -> None:
        self.on_owned = self.on_lost = _nobody
        self.problem: str | None = None
        self.disputed: list[Term] = []
        self._willing = willing
        self._terms: dict[str, Term] = {}
        self._others: dict[str, str] = {}
        self._tokens = 0

    def term(self, account: str) -> Term | None:
        return self._terms.get(account)

    def holder(self, account: str) -> str | None:
        return ME if account in self._terms else self._others.get(account)

    def want(self, accounts: Iterable[str]) -> None:
        for account in accounts if self._willing else ():
            if account not in self._terms and account not in self._others:
                self.own(account)

    def disproved(self, term: Term) -> None:
        """It was ours after all."""
        self.disputed.append(term)
        if self._terms.get(term.account) == term:
            self.lose(term.account)
            self.own(term.account, term)

    def own(self, account: str, term: Term | None = None) -> Term:
        """It is ours from now on: under this term, or a new one."""
        self._tokens += 1
        term = term or Term(account=account, holder=ME, token=self._tokens, nonce="n")
        self._others.pop(account, None)
        self._terms[account] = term
        self.on_owned(term)
        return term

    def lose(self, account: str, *, to: str | None = None) -> None:
        """It is another's, or nobody knows whose."""
        term = self._terms.pop(account)
        if to:
            self._others[account] = to
        self.on_lost(term)

    def is_anothers(self, account: str, holder: str) -> None:
        """It never was ours."""
        self._others[account] = holder


def _nobody(_: Term) -> None:
    pass
