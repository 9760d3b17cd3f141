"""Keeps a complete, duplicate-free copy of WhatsApp conversations in Firestore."""

__version__ = "0.1.0"
