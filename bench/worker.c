/* The same work as worker_c.py, as a Windows program. */
#include <winsock2.h>
#include <mswsock.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char buffer[65536], data[65536];
static SOCKET a, b, quiet, other, listener, ex_listener, udp, over_a, over_b;
static HANDLE port, ex_port;
static WSAEVENT event;
static struct sockaddr_in name, ex_name, udp_name;
static LPFN_ACCEPTEX accept_ex;
static struct linger reset = { 1, 0 };          /* leaves no connection in TIME_WAIT */

static void bind_local(SOCKET s, struct sockaddr_in *local)
{
    int length = sizeof *local;
    local->sin_family = AF_INET;
    local->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(s, (void *)local, sizeof *local) || getsockname(s, (void *)local, &length)) exit(3);
}

static void make_pair(SOCKET *one, SOCKET *two)
{
    *one = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(*one, (void *)&name, sizeof name)) exit(3);
    *two = accept(listener, NULL, NULL);
}

static void once(const char *work)
{
    if (!strcmp(work, "small")) {
        send(a, data, 64, 0);
        recv(b, buffer, 64, 0);
    } else if (!strcmp(work, "large")) {
        send(a, data, sizeof data, 0);
        for (int left = sizeof data; left;) {
            int n = recv(b, buffer, left, 0);
            if (n <= 0) exit(3);
            left -= n;
        }
    } else if (!strcmp(work, "would_block")) {
        recv(quiet, buffer, 64, 0);
    } else if (!strcmp(work, "getsockopt")) {
        int value, length = sizeof value;
        getsockopt(a, SOL_SOCKET, SO_RCVBUF, (void *)&value, &length);
    } else if (!strcmp(work, "select_two")) {
        fd_set reading = { 1, { b } }, writing = { 1, { a } };
        struct timeval now = { 0 };
        select(0, &reading, &writing, NULL, &now);
    } else if (!strcmp(work, "datagram")) {
        struct sockaddr_in from;
        int length = sizeof from;
        sendto(udp, data, 64, 0, (void *)&udp_name, sizeof udp_name);
        recvfrom(udp, buffer, 64, 0, (void *)&from, &length);
    } else if (!strcmp(work, "make")) {
        closesocket(socket(AF_INET, SOCK_STREAM, 0));
    } else if (!strcmp(work, "accept")) {
        SOCKET client = socket(AF_INET, SOCK_STREAM, 0), server;
        if (connect(client, (void *)&name, sizeof name)) exit(3);
        server = accept(listener, NULL, NULL);
        setsockopt(client, SOL_SOCKET, SO_LINGER, (void *)&reset, sizeof reset);
        closesocket(client);
        closesocket(server);
    } else if (!strcmp(work, "accept_ex")) {
        OVERLAPPED overlapped = { 0 }, *done;
        char names[64];
        DWORD n;
        ULONG_PTR key;
        SOCKET client = socket(AF_INET, SOCK_STREAM, 0), server = socket(AF_INET, SOCK_STREAM, 0);
        if (accept_ex(ex_listener, server, names, 0, 32, 32, &n, &overlapped)) exit(3);
        if (WSAGetLastError() != ERROR_IO_PENDING) exit(3);
        if (connect(client, (void *)&ex_name, sizeof ex_name)) exit(3);
        if (!GetQueuedCompletionStatus(ex_port, &n, &key, &done, INFINITE)) exit(3);
        if (setsockopt(server, SOL_SOCKET, SO_UPDATE_ACCEPT_CONTEXT, (void *)&ex_listener, sizeof ex_listener)) exit(3);
        setsockopt(client, SOL_SOCKET, SO_LINGER, (void *)&reset, sizeof reset);
        closesocket(client);
        closesocket(server);
    } else if (!strcmp(work, "packets")) {
        DWORD n;
        ULONG_PTR key;
        OVERLAPPED *done;
        PostQueuedCompletionStatus(port, 1, 2, NULL);
        GetQueuedCompletionStatus(port, &n, &key, &done, INFINITE);
    } else if (!strcmp(work, "overlapped")) {
        OVERLAPPED overlapped = { 0 }, *done;
        WSABUF room = { 64, buffer };
        DWORD n, flags = 0;
        ULONG_PTR key;
        if (!WSARecv(over_b, &room, 1, NULL, &flags, &overlapped, NULL)) exit(3);
        send(over_a, data, 64, 0);
        if (!GetQueuedCompletionStatus(port, &n, &key, &done, INFINITE) || n != 64) exit(3);
    } else if (!strcmp(work, "events")) {
        WSASetEvent(event);
        WSAWaitForMultipleEvents(1, &event, FALSE, WSA_INFINITE, FALSE);
        WSAResetEvent(event);
    } else exit(2);
}

int main(void)
{
    WSADATA start;
    LARGE_INTEGER hz, t0, t1;
    u_long on = 1;
    GUID wanted = WSAID_ACCEPTEX;
    DWORD size;
    char work[32];
    long times;

    if (WSAStartup(0x0202, &start)) return 3;
    listener = socket(AF_INET, SOCK_STREAM, 0);
    bind_local(listener, &name);
    if (listen(listener, 5)) return 3;
    ex_listener = socket(AF_INET, SOCK_STREAM, 0);
    bind_local(ex_listener, &ex_name);
    if (listen(ex_listener, 5)) return 3;
    ex_port = CreateIoCompletionPort((HANDLE)ex_listener, NULL, 0, 0);
    if (WSAIoctl(ex_listener, SIO_GET_EXTENSION_FUNCTION_POINTER, &wanted, sizeof wanted, &accept_ex, sizeof accept_ex,
                 &size, NULL, NULL)) return 3;
    udp = socket(AF_INET, SOCK_DGRAM, 0);
    bind_local(udp, &udp_name);
    make_pair(&a, &b);
    make_pair(&other, &quiet);
    ioctlsocket(quiet, FIONBIO, &on);
    make_pair(&over_a, &over_b);
    port = CreateIoCompletionPort((HANDLE)over_b, NULL, 0, 0);
    event = WSACreateEvent();
    QueryPerformanceFrequency(&hz);
    while (scanf("%31s %ld", work, &times) == 2) {
        QueryPerformanceCounter(&t0);
        for (long i = 0; i < times; i++) once(work);
        QueryPerformanceCounter(&t1);
        printf("%.9f\n", (double)(t1.QuadPart - t0.QuadPart) / hz.QuadPart);
        fflush(stdout);
    }
    return 0;
}
