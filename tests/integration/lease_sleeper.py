"""An owner that goes on writing with its first term, whatever it is told: to be put to sleep, and woken."""

import asyncio
import random
import sys

from whatsapp_backend.adapters.firestore.client import close, firestore_client
from whatsapp_backend.adapters.firestore.leases import FirestoreLeases
from whatsapp_backend.adapters.instance import new_instance
from whatsapp_backend.clock import SystemClock
from whatsapp_backend.domain.leases import Timings
from whatsapp_backend.domain.writes import Write
from whatsapp_backend.errors import LeaseLost
from whatsapp_backend.flows.lead import Lead


async def main(project, emulator, account, *timings):
    ttl_s, renew_s, retry_s = map(float, timings)
    clock, client = SystemClock(), firestore_client(project, emulator_host=emulator)
    store, terms = FirestoreLeases(client), []

    def owned(term):
        terms.append(term)
        print("owned", flush=True)

    lead = Lead(
        store=store,
        clock=clock,
        rng=random.Random(),
        instance=new_instance("sleeper"),
        timings=Timings(ttl_s=ttl_s, renew_s=renew_s, retry_s=retry_s, margin_s=0.5),
        on_owned=owned,
        on_lost=lambda _: print("lost", flush=True),
        on_mode=lambda mode: print(mode.value, flush=True),
    )
    lead.want([account])
    async with asyncio.TaskGroup() as tasks:
        leading = tasks.create_task(lead.run())
        refused = False
        while not refused or terms == []:
            await clock.sleep(0.02)
            if terms:
                try:
                    await store.write(terms[0], [Write(path=f"accounts/{account}", fields={"by": "the sleeper"})])
                except LeaseLost:
                    refused = True
        print("refused", flush=True)
        await clock.sleep(3.0)
        leading.cancel()
    await close(client)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
