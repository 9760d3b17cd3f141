"""Settings: one table of variables, from which come the frozen values, the docs page and every check."""

from __future__ import annotations

from whatsapp_backend.settings.loading import load
from whatsapp_backend.settings.page import settings_page
from whatsapp_backend.settings.problems import EXIT_BAD_SETTINGS, Problem, SettingsInvalid
from whatsapp_backend.settings.values import Settings

__all__ = ["EXIT_BAD_SETTINGS", "Problem", "Settings", "SettingsInvalid", "load", "settings_page"]
