"""Options until the core has them."""
import _socket
from winsock.abi import _constants as c
from winsock.codes import WSA, WinsockError, from_errno
T={}
for n in "SO_ACCEPTCONN SO_BROADCAST SO_DEBUG SO_DONTROUTE SO_ERROR SO_KEEPALIVE SO_LINGER SO_OOBINLINE SO_RCVBUF SO_RCVLOWAT SO_RCVTIMEO SO_REUSEADDR SO_SNDBUF SO_SNDLOWAT SO_SNDTIMEO SO_TYPE".split():
    T[0xffff,getattr(c,n)]=(1,getattr(_socket,n))
for l,p in ((0,"IP_"),(6,"TCP_"),(41,"IPV6_")):
    for n in dir(c):
        if n.startswith(p) and hasattr(_socket,n): T[l,getattr(c,n)]=(l,getattr(_socket,n))
def getsockopt(ep,l,n,size):
    if (l,n)==(0xffff,c.SO_EXCLUSIVEADDRUSE): return ep.options.get((l,n),0).to_bytes(4,"little")
    if (l,n)==(0xffff,c.SO_REUSEADDR): return ep.options.get((l,n),0).to_bytes(4,"little")
    if (l,n)==(0xffff,c.SO_ERROR): return ep.so_error.to_bytes(4,"little")
    if (l,n) not in T: raise WinsockError(WSA.WSAENOPROTOOPT)
    try: return _socket.socket.getsockopt(ep.transport,*T[l,n],size)
    except OSError as e: raise WinsockError(from_errno(e.errno))
def setsockopt(ep,l,n,data):
    if (l,n) in ((0xffff,c.SO_EXCLUSIVEADDRUSE),(0xffff,c.SO_REUSEADDR)):
        ep.options[l,n]=int.from_bytes(data[:4],"little"); return
    if (l,n) not in T: raise WinsockError(WSA.WSAENOPROTOOPT)
    if n==c.SO_LINGER and l==0xffff and len(data)==4: data=b"".join(data[i:i+2]+b"\0\0" for i in (0,2))
    try: return _socket.socket.setsockopt(ep.transport,*T[l,n],data)
    except OSError as e: raise WinsockError(from_errno(e.errno))
def ioctl(ep,control,data,size): return b""
