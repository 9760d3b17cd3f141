"""The coverage of threads: what is proven, by what, and what is unknown."""
