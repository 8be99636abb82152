"""Python-shaped face: the C modules that CPython's Windows networking stands on, and the Windows view for programs."""
