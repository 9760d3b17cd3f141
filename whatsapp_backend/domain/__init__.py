"""Nouns: frozen values without decisions."""
