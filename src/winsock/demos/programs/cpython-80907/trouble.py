"""An event loop's wait, while it has no sockets."""

import select

readers, writers, timer = [], [], 0.05

try:
    select.select(readers, writers, [], timer)
    print("slept until the next timer")
except OSError as e:
    print("the loop ends:", e)
