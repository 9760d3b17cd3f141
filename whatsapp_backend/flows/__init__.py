"""The loops that move data."""
