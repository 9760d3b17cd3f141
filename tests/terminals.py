"""What a command shows in a terminal."""

import os


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
