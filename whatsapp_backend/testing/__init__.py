"""Fakes of the ports and tools for tests."""
