"""A world of three instances, one store and much bad luck, played out event by event from a seed.

Nothing is sampled. Belief is an interval: from the answer that granted an account until the moment at which the
instance's own clock reaches the end of its trust, or it let go before. That an account is free is an interval too, by
what the store holds. Instances are driven by `rules.lease` alone.
"""

import dataclasses
import heapq
import math
import random
from itertools import count

from lease_cast import Conditions, Life, LocalClock, WallTable

from whatsapp_backend.domain.leases import (
    Beat,
    Beaten,
    Failed,
    Give,
    Given,
    Instance,
    Leave,
    Left,
    Look,
    Looked,
    Observation,
    Take,
    Taken,
    Timings,
    Wait,
)
from whatsapp_backend.errors import LeaseLost
from whatsapp_backend.rules import lease
from whatsapp_backend.testing.lease_table import LeaseTable

ACCOUNTS = ("account_a", "account_b")
TIMINGS = Timings()
PROMPT_S = 0.5
"""A call that takes longer, or is lost, is bad luck of the instance that made it."""
IDLE_S = 6.5
"""How long an account may be free beside an instance without bad luck that has just woken: a pause until it asks for
its heartbeat, one renewal refused and one made, a taking, a pause, a look, a taking."""


class World:
    def __init__(self, seed, conditions=None):
        self.conditions = conditions or Conditions()
        self.rng = random.Random(seed)
        self.table = WallTable(self) if self.conditions.wall_expiry else LeaseTable()
        self.now = 0.0
        self.events, self.order = [], count()
        self.lives, self.hosts = {}, {}
        self.clocks = [LocalClock(self.rng, self.conditions) for _ in range(3)]
        self.free_from = dict.fromkeys(ACCOUNTS, 0.0)
        self.highest = dict.fromkeys(ACCOUNTS, 0)
        self.terms = self.refused = self.handled = 0
        self.two_believers, self.stale, self.idle, self.trace = [], [], [], []
        for host in range(3):
            self.at(self.rng.uniform(0, 5), self.start, host)
            self.plan_bad_luck(host)

    def run(self):
        length_s = self.conditions.length_s
        while self.events and self.events[0][0] <= length_s:
            self.now, _, do, args = heapq.heappop(self.events)
            do(*args)
            self.handled += 1
        self.now = length_s
        for account, since in self.free_from.items():
            self.check_idle(account, since, length_s)
        return self

    @property
    def failures(self):
        return self.two_believers + self.stale + self.idle

    def at(self, when, do, *args):
        heapq.heappush(self.events, (when, next(self.order), do, args))

    def wall(self, instance):
        life = self.lives[instance.id]
        return self.now + life.clock.skew_s

    # -- Lives -------------------------------------------------------------------------------------------------------

    def plan_bad_luck(self, host):
        conditions, rng = self.conditions, self.rng
        for mean, do in (
            (conditions.pauses, self.pause),
            (conditions.kills, self.kill),
            (conditions.leaves, self.leave),
            (conditions.changes, self.change),
        ):
            for _ in range(int(mean) + (rng.random() < mean % 1)):
                self.at(rng.uniform(0, conditions.length_s), do, host)
        self.at(rng.uniform(0, conditions.length_s), self.step_wall, host)

    def start(self, host):
        number = len(self.lives)
        instance = Instance(id=f"i{host}.{number}", nonce=f"{number}", home=f"h{host}")
        state = lease.want(lease.State(instance=instance, timings=TIMINGS), ACCOUNTS)
        life = Life(host, instance, self.clocks[host], state, well_since=self.now)
        self.lives[instance.id] = self.hosts[host] = life
        self.note("start", instance.id)
        self.step(life)
        self.at(self.now + self.rng.uniform(0, 4), self.work, life)

    def kill(self, host):
        if (life := self.hosts.get(host)) and life.alive:
            self.end(life)
            self.at(self.now + self.rng.choice((0.1, 2, 30)) * self.rng.random(), self.start, host)

    def end(self, life):
        self.note("end", life.instance.id)
        self.fall_ill(life)
        life.alive = False
        life.beliefs.clear()

    def leave(self, host):
        if (life := self.hosts.get(host)) and life.alive and not life.state.stopping:
            if self.now < life.paused_until:
                self.at(life.paused_until, self.leave, host)
                return
            self.fall_ill(life)  # an instance that leaves owes nobody anything
            self.be_told(life, lease.stop(life.state))

    def change(self, host):
        if (life := self.hosts.get(host)) and life.alive and self.now >= life.paused_until:
            self.fall_ill(life)
            self.be_told(life, lease.want(life.state, self.rng.sample(ACCOUNTS, self.rng.randint(0, 2))))
            self.at(self.now + self.rng.uniform(0, 10), self.change_back, life)

    def change_back(self, life):
        if life.alive and not life.state.stopping:
            self.be_told(life, lease.want(life.state, ACCOUNTS))
        self.recover(life)

    def pause(self, host):
        if (life := self.hosts.get(host)) and life.alive:
            length = self.rng.uniform(0, 40)
            life.paused_until = max(life.paused_until, self.now + length)
            self.fall_ill(life)
            self.note("pause", life.instance.id)
            if self.conditions.suspend_stops_clocks:
                life.clock.stop_for(length)
            self.at(self.now + length, self.recover, life)

    def step_wall(self, host):
        self.clocks[host].skew_s = self.rng.uniform(-self.conditions.skew_s, self.conditions.skew_s)

    # -- The state machine -------------------------------------------------------------------------------------------

    def step(self, life, seen=None):
        life.state, action = lease.step(life.state, life.clock.local(self.now), seen)
        self.believe(life)
        life.turn += 1
        if life.state.left:
            self.end(life)
            self.at(self.now + self.rng.uniform(0, 20), self.start, life.host)
        elif isinstance(action, Wait):
            life.waiting = True
            if action.until_s < math.inf:
                self.at(max(self.now, life.clock.true(action.until_s)) + 1e-9, self.wake, life, life.turn)
        else:
            life.waiting = False
            self.send(life, action)

    def be_told(self, life, state):
        """Something from outside: what it ends has ended at once, what it begins waits for the call under way."""
        life.state = state
        self.believe(life)
        if life.waiting and self.now >= life.paused_until:
            self.step(life)

    def wake(self, life, turn, seen=None, concludes=None):
        if turn != life.turn or not life.alive:
            return
        if self.now < life.paused_until:
            self.at(life.paused_until, self.wake, life, turn, seen, concludes)
            return
        if concludes:
            concludes()
        self.step(life, seen)

    def send(self, life, call):
        rng, conditions = self.rng, self.conditions
        there, back = rng.uniform(0.005, 0.2), rng.uniform(0.005, 0.2)
        if rng.random() < conditions.slow:
            there, back = rng.choice(((1, 0), (0, 1), (0.5, 0.5)))
            length = rng.choice(conditions.slowest) * rng.random()
            there, back = there * length, back * length
        request_lost, answer_lost = rng.random() < conditions.lost, rng.random() < conditions.lost
        bad = request_lost or answer_lost or there + back > PROMPT_S
        if bad:
            self.fall_ill(life)
        recover = (lambda: self.recover(life)) if bad else None
        started_s = life.clock.local(self.now)
        failed = Observation(call=call, started_s=started_s, said=Failed(), jitter=rng.random())
        timeout = max(self.now, life.clock.true(started_s + TIMINGS.call_s))
        self.at(timeout, self.wake, life, life.turn, failed, recover)
        if not request_lost:
            back = math.inf if answer_lost else back
            self.at(self.now + there, self.serve, life, life.turn, call, started_s, back, recover)

    def serve(self, life, turn, call, started_s, back, recover):  # noqa: PLR0917 -- as it is called by the heap
        """The store carries it out, whatever became of the caller."""
        if isinstance(call, Take):
            self.read_to_take(life, turn, call, started_s, back, recover)
        else:
            self.answer(life, turn, call, started_s, back, recover, self.carry_out(life.instance, call))

    def read_to_take(self, life, turn, call, started_s, back, recover):  # noqa: PLR0917
        """A taking is a transaction: what it read goes to the instance, which decides, and comes back to be committed.

        An instance that died meanwhile decides nothing; one that was paused decides on what it read long ago.
        """
        read, read_at = self.held(call.accounts), self.now
        there = self.rng.random() * (0.1 if back == math.inf else back)

        def decide():
            if not life.alive:
                return
            if self.now < life.paused_until:
                self.at(life.paused_until, decide)
            else:
                self.at(self.now + there, commit)

        def commit():
            said = Failed()
            if self.held(call.accounts) == read:
                said = self.carry_out(life.instance, call, now_s=read_at)
            self.answer(life, turn, call, started_s, back - there, recover, said)

        self.at(self.now + there / 2, decide)

    def held(self, accounts):
        """What decides whether accounts are free: nothing of it may change until the commit."""
        terms = [self.table.terms.get(account) for account in accounts]
        beating = self.table._beating
        return [
            (term, dataclasses.replace(beating[term.holder]) if term.holder in beating else None)
            for term in terms
            if term
        ]

    def answer(self, life, turn, call, started_s, back, recover, said):  # noqa: PLR0917
        self.note(type(call).__name__, life.instance.id)
        self.follow()
        if back < math.inf:
            seen = Observation(call=call, started_s=started_s, said=said, jitter=self.rng.random())
            self.at(self.now + back, self.wake, life, turn, seen, recover)

    def carry_out(self, instance, call, now_s=None):
        table, now_s = self.table, self.now if now_s is None else now_s
        table.asking = instance
        match call:
            case Beat():
                return Beaten(alive=table.beat(instance, register=call.register, now_s=now_s))
            case Take():
                return Taken(sightings=table.take(instance, call.accounts, ttl_s=TIMINGS.ttl_s, now_s=now_s))
            case Look():
                return Looked(heartbeats=table.look(call.holders, now_s=now_s))
            case Give():
                table.give(instance, call.terms)
                return Given()
            case Leave():
                table.leave(instance)
                return Left()

    # -- Work --------------------------------------------------------------------------------------------------------

    def work(self, life):
        """Now and then an owner writes something whose order matters, and the writing may take long."""
        if not life.alive:
            return
        self.at(max(self.now, life.paused_until) + self.rng.uniform(0.5, 5), self.work, life)
        if self.now < life.paused_until or life.clock.local(self.now) >= life.state.trusted_until_s:
            return
        for term in life.state.owned.values():
            takes = self.rng.uniform(0.01, 0.2) if self.rng.random() < 0.9 else self.rng.uniform(0, 25)
            self.at(self.now + takes, self.commit, term)

    def commit(self, term):
        if self.conditions.fence:
            try:
                self.table.demand(term)
            except LeaseLost:
                self.refused += 1
                return
        if term.token < self.highest[term.account]:
            self.stale.append(f"{self.now:.3f} {term.account}: a write of {term.holder} landed in a later term")

    # -- What must hold ----------------------------------------------------------------------------------------------

    def believe(self, life):
        """Note what it believes from now on, and until when."""
        self.forget(life, set(life.beliefs) - set(life.state.owned))
        until = life.clock.true(life.state.trusted_until_s) if life.state.owned else 0
        for account in life.state.owned:
            if account not in life.beliefs:
                for other in self.lives.values():
                    if other is not life and other.beliefs.get(account, 0) > self.now + 1e-6:
                        self.two_believers.append(
                            f"{self.now:.3f} {account}: {life.instance.id} beside {other.instance.id}"
                        )
            life.beliefs[account] = until

    def forget(self, life, accounts):
        for account in list(accounts):
            life.beliefs.pop(account, None)

    def follow(self):
        """Note from when on each account is free, if nothing else happens."""
        for account in ACCOUNTS:
            term = self.table.terms.get(account)
            beating = self.table._beating.get(term.holder) if term else None
            if term and term.token > self.highest[account]:
                self.highest[account] = term.token
                self.terms += 1
            until = beating.updated_s + TIMINGS.ttl_s if beating else -1
            if until > self.now:
                self.check_idle(account, self.free_from[account], self.now)
                self.free_from[account] = until
            else:
                self.free_from[account] = min(self.free_from[account], self.now)

    def check_idle(self, account, since, until):
        for life in self.hosts.values():
            if life.alive and not life.ill:
                self.check_idle_beside(life, account, since, until)

    def check_idle_beside(self, life, account, since, until):
        start = max(since, life.well_since)
        if until - start > IDLE_S and not self.conditions.wall_expiry:
            self.idle.append(f"{start:.3f}-{until:.3f} {account}: free, and {life.instance.id} did not take it")

    def fall_ill(self, life):
        if not life.ill and life.alive:
            for account, since in self.free_from.items():
                self.check_idle_beside(life, account, since, self.now)
        life.ill += 1

    def recover(self, life):
        life.ill -= 1
        if not life.ill:
            life.well_since = self.now

    def note(self, what, who):
        self.trace.append((self.now, what, who))
