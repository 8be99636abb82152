"""The C-shaped functions: one module a chapter of the reference.  The faces (winsock.ws2_32, ...) export them."""
