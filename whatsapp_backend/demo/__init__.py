"""The story that `make demo` plays."""
