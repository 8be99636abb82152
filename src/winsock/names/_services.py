"""The databases of protocols and services: Windows' own entries, then what this machine's /etc/services adds.

Names are compared without regard to case.  Source: the files that Windows is delivered with, by content; facts
for the protocols.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from winsock.codes import WSA, WinsockError


class Protocol(NamedTuple):
    """An entry of the protocols database."""

    name: str
    aliases: tuple[str, ...]
    number: int


class Service(NamedTuple):
    """An entry of the services database."""

    name: str
    aliases: tuple[str, ...]
    port: int  # host order
    protocol: str


_PROTOCOLS = tuple(
    Protocol(alias.lower(), (alias,), number)
    for alias, number in (
        ("IP", 0),
        ("ICMP", 1),
        ("GGP", 3),
        ("TCP", 6),
        ("EGP", 8),
        ("PUP", 12),
        ("UDP", 17),
        ("HMP", 20),
        ("XNS-IDP", 22),
        ("RDP", 27),
        ("IPv6", 41),
        ("IPv6-Route", 43),
        ("IPv6-Frag", 44),
        ("ESP", 50),
        ("AH", 51),
        ("IPv6-ICMP", 58),
        ("IPv6-NoNxt", 59),
        ("IPv6-Opts", 60),
        ("RVD", 66),
    )
)

# port/protocols name aliases; both is tcp, then udp
_WINDOWS = """
7/both echo
9/both discard sink null
11/tcp systat users
11/udp systat users
13/both daytime
17/both qotd quote
19/both chargen ttytst source
20/tcp ftp-data
21/tcp ftp
22/tcp ssh
23/tcp telnet
25/tcp smtp mail
37/both time timserver
39/udp rlp resource
42/both nameserver name
43/tcp nicname whois
53/both domain
67/udp bootps dhcps
68/udp bootpc dhcpc
69/udp tftp
70/tcp gopher
79/tcp finger
80/tcp http www www-http
88/both kerberos krb5 kerberos-sec
101/tcp hostname hostnames
102/tcp iso-tsap
107/tcp rtelnet
109/tcp pop2 postoffice
110/tcp pop3
111/both sunrpc rpcbind portmap
113/tcp auth ident tap
117/tcp uucp-path
119/tcp nntp usenet
123/udp ntp
135/both epmap loc-srv
137/both netbios-ns nbname
138/udp netbios-dgm nbdatagram
139/tcp netbios-ssn nbsession
143/tcp imap imap4
161/udp snmp
162/udp snmptrap snmp-trap
179/tcp bgp
194/tcp irc
213/udp ipx
389/tcp ldap
443/both https MCom
445/both microsoft-ds
464/both kpasswd
500/udp isakmp ike
512/tcp exec
512/udp biff comsat
513/tcp login
513/udp who whod
514/tcp cmd shell
514/udp syslog
515/tcp printer spooler
517/udp talk
518/udp ntalk
520/tcp efs
520/udp router route routed
525/udp timed timeserver
526/tcp tempo newdate
530/tcp courier rpc
531/tcp conference chat
532/tcp netnews readnews
533/udp netwall
540/tcp uucp uucpd
543/tcp klogin
544/tcp kshell krcmd
546/both dhcpv6-client
547/both dhcpv6-server
554/both rtsp
563/both nntps snntp
593/both http-rpc-epmap
636/tcp ldaps sldap
749/both kerberos-adm
750/udp kerberos-iv
989/both ftps-data
990/both ftps
992/both telnets
993/both imaps
994/both ircs
995/both pop3s
1109/tcp kpop
1433/both ms-sql-s
1434/both ms-sql-m
1512/both wins
1524/tcp ingreslock
1701/udp l2tp
1723/tcp pptp
1812/udp radius
1813/udp radacct
1900/both ssdp
2049/udp nfsd nfs
3389/both ms-wbt-server
3540/both pnrp-port
3544/udp teredo
3702/both ws-discovery
5355/both llmnr
5357/tcp wsd
5358/tcp wsd
""".strip()

_FILE = "/etc/services"


def _parse(line: str) -> list[tuple[str, str, list[str]]]:
    port, name, *aliases = line.split()
    number, kind = port.split("/")
    return [(f"{number}/{p}", name, aliases) for p in (("tcp", "udp") if kind == "both" else (kind,))]


def _more() -> list[tuple[str, str, list[str]]]:
    """This machine's own entries; none where it has no such file."""
    found = []
    try:
        with open(_FILE, encoding="utf-8", errors="replace") as lines:
            for line in lines:
                name, *rest = line.partition("#")[0].split() or [""]
                if rest and rest[0].count("/") == 1 and rest[0].partition("/")[0].isdecimal():
                    found.append((rest[0].lower(), name, rest[1:]))
    except OSError:
        pass
    return found


@cache
def _services() -> tuple[dict[tuple[str, str], Service], dict[tuple[int, str], Service]]:
    """By name or alias, and by port; with the protocol, and with "" for any."""
    by_name: dict[tuple[str, str], Service] = {}
    by_port: dict[tuple[int, str], Service] = {}
    for at, name, aliases in [x for line in _WINDOWS.splitlines() for x in _parse(line)] + _more():
        number, protocol = at.split("/")
        service = Service(name, tuple(aliases), int(number), protocol)
        for key in protocol, "":
            by_port.setdefault((service.port, key), service)
            for spelling in (name, *aliases):
                by_name.setdefault((spelling.lower(), key), service)
    return by_name, by_port


def service_by_name(name: str, protocol: str | None = None) -> Service:
    """The service of that name or alias; of any protocol without one.  WSANO_DATA."""
    found = _services()[0].get((name.lower(), protocol.lower() if protocol is not None else ""))
    if found is None or protocol == "":
        raise WinsockError(WSA.WSANO_DATA)
    return found


def service_by_port(port: int, protocol: str | None = None) -> Service:
    """The service at that port (host order); of any protocol without one.  WSANO_DATA."""
    found = _services()[1].get((port, protocol.lower() if protocol is not None else ""))
    if found is None or protocol == "":
        raise WinsockError(WSA.WSANO_DATA)
    return found


def protocol_by_name(name: str) -> Protocol:
    """The protocol of that name.  WSANO_DATA."""
    for protocol in _PROTOCOLS:
        if protocol.name == name.lower():
            return protocol
    raise WinsockError(WSA.WSANO_DATA)


def protocol_by_number(number: int) -> Protocol:
    """The protocol of that number.  WSANO_DATA."""
    for protocol in _PROTOCOLS:
        if protocol.number == number:
            return protocol
    raise WinsockError(WSA.WSANO_DATA)
