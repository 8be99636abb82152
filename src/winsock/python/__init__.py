"""Python-shaped face: the C modules under CPython's Windows networking, and the Windows view for programs."""
