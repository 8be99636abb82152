"""An event loop's wait, while it has no sockets."""

import select
import time

readers, writers, timer = [], [], 0.05

try:
    if readers or writers:
        select.select(readers, writers, [], timer)
    else:
        time.sleep(timer)
    print("slept until the next timer")
except OSError as e:
    print("the loop ends:", e)
