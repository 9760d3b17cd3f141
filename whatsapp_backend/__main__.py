"""`python -m whatsapp_backend` and the command `whatsapp-backend`."""

from __future__ import annotations

from whatsapp_backend.cli.commands import app


def main() -> None:
    """Parse the arguments, do it, exit with a code that tells."""
    app()


if __name__ == "__main__":
    main()
