"""Commands as processes of their own, and what they show in a terminal."""

import asyncio
import os
import sys
from collections.abc import Mapping
from contextlib import asynccontextmanager


def read_to_the_end(descriptor: int) -> str:
    """All that is written into a terminal until nobody has it any more. Blocks."""
    parts = []
    try:
        while part := os.read(descriptor, 1 << 16):
            parts.append(part)
    except OSError:  # as Linux says that nobody has the terminal any more
        pass
    finally:
        os.close(descriptor)
    return b"".join(parts).decode("utf-8", "replace")


@asynccontextmanager
async def started(environment: Mapping[str, str], *arguments: str, **more: int):
    """A command as a process of its own, for a minute at most; killed if it has not ended by itself."""
    pipes = {"stdout": asyncio.subprocess.PIPE, "stderr": asyncio.subprocess.PIPE}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "whatsapp_backend", *arguments),
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        **pipes | more,
    )
    try:
        async with asyncio.timeout(60):
            yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()
