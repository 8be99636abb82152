"""The maps between Winsock codes and errno, resolver numbers, NTSTATUS and HRESULT."""

from __future__ import annotations

import errno
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from winsock import codes
from winsock.codes import NTSTATUS, WSA

INT32 = st.integers(-(2**31), 2**31 - 1)

# -- Linux errno


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("ECONNRESET", WSA.WSAECONNRESET),
        ("EADDRINUSE", WSA.WSAEADDRINUSE),
        ("EAGAIN", WSA.WSAEWOULDBLOCK),
        ("EWOULDBLOCK", WSA.WSAEWOULDBLOCK),
        ("EINPROGRESS", WSA.WSAEWOULDBLOCK),  # a non-blocking connect
        ("EBADF", WSA.WSAENOTSOCK),
        ("EPERM", WSA.WSAEACCES),
        ("ENFILE", WSA.WSAEMFILE),
        ("ENOMEM", WSA.WSAENOBUFS),
        ("ENOTSUP", WSA.WSAEOPNOTSUPP),
        ("ECANCELED", WSA.WSA_OPERATION_ABORTED),
    ],
)
def test_errno_has_its_winsock_code(name, code):
    assert codes.from_errno(getattr(errno, name)) == code


def test_every_wsae_name_that_linux_has_too_maps_to_its_namesake():
    elsewhere = {"EBADF", "EINPROGRESS"}  # Winsock says NOTSOCK and WOULDBLOCK
    for code in WSA:
        name = code.name.removeprefix("WSA")
        number = getattr(errno, name, None)
        if number is not None:
            assert codes.to_errno(code) == number, name
            if name not in elsewhere:
                assert codes.from_errno(number) == code, name


def test_an_errno_no_socket_call_gives_is_a_system_call_failure():
    assert codes.from_errno(errno.EXDEV) == WSA.WSASYSCALLFAILURE
    assert codes.from_errno(errno.EXDEV, 7) == 7
    assert codes.from_errno(-1) == WSA.WSASYSCALLFAILURE


def test_overlapped_forms_have_the_errno_of_their_winsock_sibling():
    for win32, code in [(64, WSA.WSAECONNRESET), (121, WSA.WSAETIMEDOUT), (1225, WSA.WSAECONNREFUSED)]:
        assert codes.to_errno(win32) == codes.to_errno(code)


@pytest.mark.parametrize("code", [0, WSA.WSAVERNOTSUPPORTED, WSA.WSAHOST_NOT_FOUND, WSA.WSA_QOS_SENDERS, 123456])
def test_codes_linux_has_nothing_like(code):
    assert codes.to_errno(code) is None


@given(st.sampled_from(sorted(errno.errorcode)))
def test_back_and_forth_settles(number):
    """Each system's view of the other's view is stable: mapping again changes nothing."""
    code = codes.from_errno(number)
    back = codes.to_errno(code)
    if back is not None:
        assert codes.from_errno(back) == code


# -- resolver


def test_h_errno_counts_from_11001():
    assert [codes.from_h_errno(n) for n in range(6)] == [
        None,
        WSA.WSAHOST_NOT_FOUND,
        WSA.WSATRY_AGAIN,
        WSA.WSANO_RECOVERY,
        WSA.WSANO_DATA,
        None,
    ]
    assert [codes.to_h_errno(code) for code in (*range(11001, 11005), WSA.WSAEINTR)] == [1, 2, 3, 4, None]


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("EAI_AGAIN", 11002),
        ("EAI_BADFLAGS", 10022),
        ("EAI_FAIL", 11003),
        ("EAI_FAMILY", 10047),
        ("EAI_MEMORY", 8),
        ("EAI_NONAME", 11001),
        ("EAI_SERVICE", 10109),
        ("EAI_SOCKTYPE", 10044),
    ],
)
def test_eai_both_ways(name, code):
    assert codes.from_eai(getattr(socket, name)) == code
    assert codes.to_eai(code) == getattr(socket, name)


def test_a_name_without_addresses_is_no_data():
    assert codes.from_eai(socket.EAI_NODATA) == WSA.WSANO_DATA
    assert codes.from_eai(socket.EAI_ADDRFAMILY) == WSA.WSANO_DATA


def test_unknown_eai():
    assert codes.from_eai(4711) == WSA.WSANO_RECOVERY
    assert codes.to_eai(WSA.WSAECONNRESET) is None


def test_the_real_resolver_meets_the_map():
    with pytest.raises(socket.gaierror) as failed:
        socket.getaddrinfo("127.0.0.1", "no-such-service-name", type=socket.SOCK_STREAM)
    assert codes.from_eai(failed.value.errno) == WSA.WSATYPE_NOT_FOUND


# -- NTSTATUS

# status, the Win32 error a completion port shows, the code WSAGetOverlappedResult gives
STATUSES = """
    PENDING                 00000103   997    996
    BUFFER_OVERFLOW         80000005   234  10040
    NOT_IMPLEMENTED         C0000002     1  10045
    ACCESS_VIOLATION        C0000005   998  10014
    PAGEFILE_QUOTA          C0000007  1454  10055
    INVALID_HANDLE          C0000008     6  10038
    INVALID_PARAMETER       C000000D    87  10022
    NO_SUCH_FILE            C000000F     2  10050
    NO_MEMORY               C0000017     8  10055
    CONFLICTING_ADDRESSES   C0000018   487  10055
    ACCESS_DENIED           C0000022     5  10013
    BUFFER_TOO_SMALL        C0000023   122  10014
    OBJECT_TYPE_MISMATCH    C0000024     6  10038
    OBJECT_NAME_NOT_FOUND   C0000034     2  10050
    OBJECT_PATH_NOT_FOUND   C000003A     3  10050
    SHARING_VIOLATION       C0000043    32  10048
    QUOTA_EXCEEDED          C0000044  1816  10055
    TOO_MANY_PAGING_FILES   C0000097     8  10055
    INSUFFICIENT_RESOURCES  C000009A  1450  10055
    WORKING_SET_QUOTA       C00000A1  1453  10055
    DEVICE_NOT_READY        C00000A3    21  10035
    PIPE_DISCONNECTED       C00000B0   233  10058
    IO_TIMEOUT              C00000B5   121  10060
    NOT_SUPPORTED           C00000BB    50  10045
    REMOTE_NOT_LISTENING    C00000BC    51  10061
    BAD_NETWORK_PATH        C00000BE    53  10051
    NETWORK_BUSY            C00000BF    54  10050
    UNEXPECTED_NETWORK_ERROR C00000C4   59  10050
    REQUEST_NOT_ACCEPTED    C00000D0    71  10035
    CANCELLED               C0000120   995    995
    LOCAL_DISCONNECT        C000013B    64  10053
    REMOTE_DISCONNECT       C000013C    64  10054
    REMOTE_RESOURCES        C000013D    51  10055
    LINK_FAILED             C000013E    59  10054
    LINK_TIMEOUT            C000013F    59  10060
    INVALID_CONNECTION      C0000140    59  10057
    INVALID_ADDRESS         C0000141    59  10049
    INVALID_BUFFER_SIZE     C0000206  1784  10040
    INVALID_ADDRESS_COMPONENT C0000207 1214 10049
    TOO_MANY_ADDRESSES      C0000209    68  10055
    ADDRESS_ALREADY_EXISTS  C000020A    52  10048
    CONNECTION_DISCONNECTED C000020C    64  10054
    CONNECTION_RESET        C000020D    64  10054
    TRANSACTION_ABORTED     C000020F    59  10053
    NOT_FOUND               C0000225  1168  10022
    CONNECTION_REFUSED      C0000236  1225  10061
    GRACEFUL_DISCONNECT     C0000237  1226  10101
    CONNECTION_ACTIVE       C000023B  1230  10056
    NETWORK_UNREACHABLE     C000023C  1231  10051
    HOST_UNREACHABLE        C000023D  1232  10065
    PROTOCOL_UNREACHABLE    C000023E  1233  10051
    PORT_UNREACHABLE        C000023F  1234  10054
    REQUEST_ABORTED         C0000240  1235  10004
    CONNECTION_ABORTED      C0000241  1236  10053
    DATATYPE_MISALIGNMENT_ERROR C00002C5 998 10014
    HOST_DOWN               C0000350  1256  10064
"""


@pytest.mark.parametrize("row", STATUSES.strip().splitlines(), ids=lambda row: row.split()[0])
def test_status(row):
    name, status, win32, code = row.split()
    number = int(status, 16)
    assert NTSTATUS["STATUS_" + name] == number
    assert codes.ntstatus_to_win32(number) == int(win32)
    assert codes.ntstatus_to_wsa(number) == int(code)


@given(st.sampled_from(NTSTATUS))
def test_signed_statuses_are_the_same(status):
    signed = status - 2**32
    assert codes.ntstatus_to_win32(signed) == codes.ntstatus_to_win32(status)
    assert codes.ntstatus_to_wsa(signed) == codes.ntstatus_to_wsa(status)


def test_status_that_did_not_fail_gives_its_win32_error():
    assert codes.ntstatus_to_wsa(0) == codes.ntstatus_to_win32(0) == 0
    assert codes.ntstatus_to_wsa(0x102) == 1460
    assert codes.ntstatus_to_wsa(0x40000000) == 698


@pytest.mark.parametrize("status", [0xC0000001, 0x80000001, 0xD0000005, 0xC0070005, 0x80072746, 0xC0000999])
def test_failures_without_a_code_are_invalid_argument(status):
    assert codes.ntstatus_to_wsa(status) == WSA.WSAEINVAL


@pytest.mark.parametrize("high", [0x8007, 0xC001, 0xC007])
def test_only_io_incomplete_comes_through_wrapped(high):
    assert codes.ntstatus_to_wsa(high << 16 | 996) == 996
    assert codes.ntstatus_to_wsa(high << 16 | 995) == WSA.WSAEINVAL
    assert codes.ntstatus_to_win32(high << 16 | 995) == 995


def test_unknown_status_has_no_win32_error():
    assert codes.ntstatus_to_win32(0xC0000999) == 317


@given(INT32)
def test_any_status_gives_some_code(status):
    assert isinstance(codes.ntstatus_to_wsa(status), int)
    assert (codes.ntstatus_to_wsa(status) == WSA.WSAEINVAL) or status >= 0 or (status & 0xFFFFFFFF) > 0x7FFFFFFF


@pytest.mark.parametrize("code", [*(c for c in WSA if c < 10100), 0, 996, WSA.WSAEDISCON])
def test_a_request_ends_with_a_status_that_reads_as_the_code(code):
    status = codes.wsa_to_ntstatus(code)
    if status == NTSTATUS.STATUS_UNSUCCESSFUL:
        assert codes.ntstatus_to_wsa(status) == WSA.WSAEINVAL
    elif code in (6, 8, 87, 997):  # Win32 errors, which read as such
        assert codes.ntstatus_to_win32(status) == code
    else:
        assert codes.ntstatus_to_wsa(status) == code


def test_every_code_of_a_data_transfer_has_its_status():
    names = (
        "WSAEACCES WSAEFAULT WSAEINVAL WSAEWOULDBLOCK WSAENOTSOCK WSAEMSGSIZE WSAEOPNOTSUPP WSAEADDRINUSE "
        "WSAEADDRNOTAVAIL WSAENETDOWN WSAENETUNREACH WSAECONNABORTED WSAECONNRESET WSAENOBUFS WSAEISCONN "
        "WSAENOTCONN WSAESHUTDOWN WSAETIMEDOUT WSAECONNREFUSED WSAEHOSTUNREACH WSAEHOSTDOWN"
    )
    for name in names.split():
        assert codes.wsa_to_ntstatus(WSA[name]) != NTSTATUS.STATUS_UNSUCCESSFUL, name


def test_common_failures_read_right_through_a_completion_port():
    for code, win32 in [(10054, 64), (10061, 1225), (10060, 121), (10053, 1236), (10051, 1231), (10065, 1232)]:
        assert codes.ntstatus_to_win32(codes.wsa_to_ntstatus(code)) == win32


# -- HRESULT


@given(st.integers(1, 0xFFFF))
def test_hresult_round_trip_signed_and_unsigned(code):
    hresult = codes.to_hresult(code)
    assert hresult >> 16 == 0x8007
    assert codes.from_hresult(hresult) == codes.from_hresult(hresult - 2**32) == code


@given(st.integers())
def test_other_numbers_are_no_hresults_of_ours(value):
    inner = codes.from_hresult(value)
    assert (inner is None) == (value not in range(0x80070000, 0x80080000) and value + 2**32 not in range(
        0x80070000, 0x80080000
    ))


@pytest.mark.parametrize("bad", [-1, 0x10000, 2**40])
def test_too_large_for_an_hresult(bad):
    with pytest.raises(ValueError, match="HRESULT"):
        codes.to_hresult(bad)


def test_success_is_s_ok():
    assert codes.to_hresult(0) == 0
