"""Who plays in the world of leases: clocks, lives, a worse store; and how bad the luck is."""

from dataclasses import dataclass, field

from whatsapp_backend.domain.leases import Instance
from whatsapp_backend.rules import lease
from whatsapp_backend.testing.lease_table import LeaseTable


@dataclass(frozen=True, kw_only=True)
class Conditions:
    length_s: float = 180.0
    skew_s: float = 30.0
    drift: float = 0.06
    lost: float = 0.02
    slow: float = 0.04
    slowest: tuple = (1, 5, 25)
    pauses: float = 1.2
    kills: float = 0.8
    leaves: float = 0.4
    changes: float = 0.6
    fence: bool = True
    wall_expiry: bool = False
    suspend_stops_clocks: bool = False


class WallTable(LeaseTable):
    """A store that is asked with the wall clocks of those who ask: what everybody writes first, and must not."""

    def __init__(self, world):
        super().__init__()
        self.world, self.stamps, self.asking = world, {}, None

    def beat(self, instance, *, register, now_s):
        self.stamps[instance.id] = self.world.wall(instance)
        return super().beat(instance, register=register, now_s=now_s)

    def _age_s(self, holder, updated_s, now_s):
        return self.world.wall(self.asking) - self.stamps[holder]


class LocalClock:
    """Counts suspend, runs too fast or too slow, and began whenever."""

    def __init__(self, rng, conditions):
        self.rate = 1 + rng.uniform(-conditions.drift, conditions.drift)
        self.start = rng.uniform(0, 1e6)
        self.skew_s = rng.uniform(-conditions.skew_s, conditions.skew_s)

    def local(self, at):
        return self.start + at * self.rate

    def true(self, local):
        return (local - self.start) / self.rate

    def stop_for(self, seconds):
        self.start -= seconds * self.rate


@dataclass(eq=False)
class Life:
    """A process, from its start to its end."""

    host: int
    instance: Instance
    clock: LocalClock
    state: lease.State
    alive: bool = True
    paused_until: float = 0.0
    waiting: bool = False
    turn: int = 0
    """Of the state machine: timers and answers of an earlier one mean nothing."""
    ill: int = 0
    well_since: float = 0.0
    beliefs: dict = field(default_factory=dict)
