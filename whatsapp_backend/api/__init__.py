"""What HTTP shows."""
