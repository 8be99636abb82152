"""A worker and the pipe that wakes it."""

import os
import select

reader, writer = os.pipe()
try:
    os.write(writer, b"!")
    ready, _, _ = select.select([reader], [], [], 5)
    print("woken" if ready else "not woken")
except OSError as e:
    print("the worker ends:", e)
finally:
    os.close(reader)
    os.close(writer)
