"""`doctor`: checks of everything the daemon needs, each a small function that says what it found and what to do."""
