"""Pure decisions: value in, value out."""
