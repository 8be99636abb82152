"""A loop's socket, closed behind its back."""

import selectors
import socket

selector = selectors.DefaultSelector()
ours, theirs = socket.socketpair()
idle, other = socket.socketpair()
selector.register(ours, selectors.EVENT_READ)
selector.register(idle, selectors.EVENT_READ)
selector.unregister(ours)
ours.close()
try:
    events = selector.select(0.05)
    print(events or "nothing to do")
except OSError as e:
    print("the loop ends:", e)
for s in (theirs, idle, other):
    s.close()
selector.close()
