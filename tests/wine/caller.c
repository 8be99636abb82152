/*
 * caller.c - call any Windows function from another process.
 *
 * A plain console program: it reads one request per line on stdin and writes
 * one line per answer on stdout.  It links nothing but kernel32, ntdll and
 * user32; everything under test is loaded and called by name at run time.
 *
 *   request   ID VERB ARGS...          ID is chosen by the client
 *   answer    ID ok ...                or   ID err MESSAGE
 *   callback  * SLOT THREAD TID V...   unasked: Windows called callback SLOT
 *
 * All numbers are hexadecimal without 0x.  Answers carry the ID of their
 * request because they need not come in order: a call that blocks on one
 * thread is overtaken by calls on others.
 *
 *   lib NAME                     -> module handle (LoadLibrary; rest of line)
 *   sym MODULE NAME|#ORDINAL     -> address
 *   alloc N / free ADDR          zero-filled heap memory
 *   write ADDR BYTES             BYTES are hex digits
 *   read ADDR N                  -> BYTES
 *   thread NAME                  start a worker thread -> its Windows id
 *   quit NAME                    let that worker return from its thread proc
 *   call NAME PRESET FN ARG...   run FN(ARG...) on worker NAME, 0-16 ARGs:
 *                                  uN      the 64-bit value N
 *                                  rBYTES  address of a copy of BYTES
 *                                  wBYTES  same, and hand the bytes back
 *                                PRESET is what LastError is set to just
 *                                before the call, or - to keep what the
 *                                previous call on that thread left
 *       -> RAX LASTERROR WSALASTERROR MICROSECONDS FAULT:WHERE:WHAT BYTES...
 *          (FAULT is the exception code if FN crashed, else 0; one BYTES
 *          for each w argument)
 *   callback SLOT MODE RET SPEC  configure a callback -> its address; MODE:
 *                                  log  report it, return RET
 *                                  wnd  log, for a WNDPROC: messages below
 *                                       WM_USER go to DefWindowProc instead
 *                                  ask  report it, then serve this thread's
 *                                       calls until `cbret` names the value
 *                                SPEC has a letter per argument to report:
 *                                  v value, b WSABUF* (with its contents),
 *                                  - for a callback without arguments
 *   cbret NAME VALUE             end the `ask` callback that NAME sits in
 */
#define WIN32_LEAN_AND_MEAN
#define _WIN32_WINNT 0x0601
#define __USE_MINGW_ANSI_STDIO 1
#include <windows.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef uint64_t u64;
enum { MAX_ARGS = 16, MAX_WORKERS = 256, SLACK = 256 };

static HANDLE std_in, std_out;
static DWORD tls_worker;                    /* each worker's own struct worker */
static int (WINAPI *get_wsa_error)(void);   /* WSAGetLastError */

/* ---- output ------------------------------------------------------------ */

typedef struct { char *p; size_t len, cap; } text;

static char *room(text *t, size_t n)
{
    if (t->len + n > t->cap) {
        t->cap = (t->len + n) * 2;
        if (!(t->p = realloc(t->p, t->cap))) ExitProcess(3);
    }
    return t->p + t->len;
}

static void put(text *t, const char *fmt, ...)
{
    va_list ap;
    char *at = room(t, 512);
    va_start(ap, fmt);
    int n = vsnprintf(at, 512, fmt, ap);
    va_end(ap);
    t->len += n < 512 ? n : 511;
}

static void put_hex(text *t, const void *data, size_t n)
{
    char *at = room(t, n * 2 + 1);
    for (size_t i = 0; i < n; i++) {
        *at++ = "0123456789abcdef"[((const uint8_t *)data)[i] >> 4];
        *at++ = "0123456789abcdef"[((const uint8_t *)data)[i] & 15];
    }
    t->len += n * 2;
}

static void send_line(text *t)              /* whole lines only, then free */
{
    static SRWLOCK lock = SRWLOCK_INIT;
    DWORD done;
    put(t, "\n");
    AcquireSRWLockExclusive(&lock);
    for (size_t off = 0; off < t->len; off += done)
        if (!WriteFile(std_out, t->p + off, (DWORD)(t->len - off), &done, NULL) || !done)
            ExitProcess(2);
    ReleaseSRWLockExclusive(&lock);
    free(t->p);
}

/* ---- calling an arbitrary address -------------------------------------- */

typedef struct { DWORD code; u64 where, what; } fault;

/*
 * u64 guarded_call(void *fn, const u64 args[16], fault *f)
 *
 * Passes all 16 arguments every time: with the Windows x64 convention the
 * caller cleans up, so a function that takes fewer never sees the rest.
 * Its frame is the outermost exception frame: exceptions that the called code
 * handles itself (Wine turns many bad pointers into WSAEFAULT that way) never
 * get here, the others are noted in *f and end the call with 0.
 */
u64 guarded_call(void *fn, const u64 *args, fault *f);
extern char guarded_call_resume[];
enum { FAULT_OFFSET = 0x80 };               /* where the frame below keeps f */
__asm__(
    ".text\n"
    ".globl guarded_call\n"
    ".seh_proc guarded_call\n"
    "guarded_call:\n"
    "  pushq %rsi\n"
    "  .seh_pushreg %rsi\n"
    "  pushq %rdi\n"
    "  .seh_pushreg %rdi\n"
    "  subq $0x88, %rsp\n"
    "  .seh_stackalloc 0x88\n"
    "  .seh_endprologue\n"
    "  movq %r8, 0x80(%rsp)\n"
    "  movq %rcx, %rax\n"
    "  movq %rdx, %rsi\n"
    "  movq %rsp, %rdi\n"
    "  movl $16, %ecx\n"
    "  rep movsq\n"
    "  movq (%rsp), %rcx\n"
    "  movq 8(%rsp), %rdx\n"
    "  movq 16(%rsp), %r8\n"
    "  movq 24(%rsp), %r9\n"
    "  call *%rax\n"
    "guarded_call_resume:\n"
    "  nop\n"                               /* keeps the unwinder from seeing an epilogue */
    "  addq $0x88, %rsp\n"
    "  popq %rdi\n"
    "  popq %rsi\n"
    "  ret\n"
    "  .seh_handler guarded_call_fault, @except\n"
    "  .seh_endproc\n");

EXCEPTION_DISPOSITION guarded_call_fault(EXCEPTION_RECORD *rec, void *frame,
                                         CONTEXT *ctx, DISPATCHER_CONTEXT *disp)
{
    fault *f = *(fault **)((char *)frame + FAULT_OFFSET);
    (void)ctx;
    if (rec->ExceptionFlags & (EXCEPTION_UNWINDING | EXCEPTION_EXIT_UNWIND))
        return ExceptionContinueSearch;
    f->code = rec->ExceptionCode;
    f->where = (u64)rec->ExceptionAddress;
    f->what = rec->NumberParameters > 1 ? rec->ExceptionInformation[1] : 0;
    RtlUnwindEx(frame, guarded_call_resume, rec, NULL, disp->ContextRecord, disp->HistoryTable);
    return ExceptionContinueSearch;         /* not reached */
}

static int guarded_copy(void *to, const void *from, size_t n)
{
    u64 args[MAX_ARGS] = { (u64)to, (u64)from, n };
    fault f = { 0 };
    guarded_call(memcpy, args, &f);
    return !f.code;
}

/* ---- worker threads ---------------------------------------------------- */

typedef struct job {
    struct job *next;
    enum { CALL, CBRET, QUIT } kind;
    char id[32];
    u64 fn, value, args[MAX_ARGS];          /* value: of cbret */
    int keep_error;
    DWORD preset;
    int nbufs;
    struct { uint8_t *p; size_t n; int back; } buf[MAX_ARGS];
} job;

typedef struct worker {
    char name[32];
    SRWLOCK lock;
    CONDITION_VARIABLE wake;
    job *head, **tail;
    DWORD last_error;                       /* what its last call left behind */
    int ended;
} worker;

static worker *workers[MAX_WORKERS];
static int nworkers;

static void enqueue(worker *w, job *j)
{
    AcquireSRWLockExclusive(&w->lock);
    *w->tail = j;
    w->tail = &j->next;
    ReleaseSRWLockExclusive(&w->lock);
    WakeConditionVariable(&w->wake);
}

/* This wait is not alertable: APCs run only inside calls that allow them. */
static job *dequeue(worker *w)
{
    AcquireSRWLockExclusive(&w->lock);
    while (!w->head) SleepConditionVariableSRW(&w->wake, &w->lock, INFINITE, 0);
    job *j = w->head;
    if (!(w->head = j->next)) w->tail = &w->head;
    ReleaseSRWLockExclusive(&w->lock);
    return j;
}

static void run_call(worker *w, job *j)
{
    LARGE_INTEGER t0, t1, hz;
    fault f = { 0 };
    text t = { 0 };

    QueryPerformanceFrequency(&hz);
    QueryPerformanceCounter(&t0);
    SetLastError(j->keep_error ? w->last_error : j->preset);
    u64 rax = guarded_call((void *)j->fn, j->args, &f);
    DWORD last = GetLastError();
    DWORD wsa = get_wsa_error();
    QueryPerformanceCounter(&t1);
    w->last_error = last;

    put(&t, "%s ok %llx %lx %lx %llx %lx:%llx:%llx", j->id, rax, last, wsa,
        (u64)((t1.QuadPart - t0.QuadPart) * 1000000 / hz.QuadPart), f.code, f.where, f.what);
    for (int i = 0; i < j->nbufs; i++) {
        if (j->buf[i].back) {
            put(&t, " ");
            put_hex(&t, j->buf[i].p, j->buf[i].n);
        }
        free(j->buf[i].p);
    }
    send_line(&t);
}

/* Runs queued calls until told to stop; nested inside an `ask` callback. */
static u64 serve(worker *w)
{
    for (;;) {
        job *j = dequeue(w);
        u64 value = j->value;
        int kind = j->kind;
        if (kind == CALL) run_call(w, j);
        free(j);
        if (kind != CALL) return value;
    }
}

static DWORD WINAPI worker_main(void *arg)
{
    TlsSetValue(tls_worker, arg);
    serve(arg);
    return 0;
}

/* ---- callbacks --------------------------------------------------------- */

static struct { enum { LOG, WND, ASK } mode; u64 ret; char spec[9]; } slots[32];

static u64 callback_hit(int n, const u64 *a)
{
    DWORD saved = GetLastError();
    worker *w = TlsGetValue(tls_worker);    /* NULL on a thread pool thread */
    text t = { 0 };
    u64 ret = slots[n].ret;

    if (slots[n].mode == WND && (UINT)a[1] < WM_USER) {
        SetLastError(saved);
        return DefWindowProcW((HWND)a[0], (UINT)a[1], a[2], a[3]);
    }
    put(&t, "* %x %s %lx", n, w ? w->name : "-", GetCurrentThreadId());
    for (int i = 0; i < 8 && slots[n].spec[i]; i++) {
        struct { ULONG len; void *buf; } b = { 0 };
        if (slots[n].spec[i] == '-') break;
        put(&t, " %llx", a[i]);
        if (slots[n].spec[i] == 'b' && a[i] && guarded_copy(&b, (void *)a[i], sizeof b)
                && b.buf && b.len < 65536) {
            uint8_t *copy = malloc(b.len + 1);
            put(&t, ":");
            if (guarded_copy(copy, b.buf, b.len)) put_hex(&t, copy, b.len);
            free(copy);
        }
    }
    send_line(&t);
    if (slots[n].mode == ASK && w) ret = serve(w);
    SetLastError(saved);
    return ret;
}

/* One entry point per slot.  Reading eight arguments is harmless when fewer
   were passed: what is read instead is the caller's own stack. */
#define EACH_SLOT(X) \
    X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15) \
    X(16) X(17) X(18) X(19) X(20) X(21) X(22) X(23) X(24) X(25) X(26) X(27) X(28) X(29) X(30) X(31)
#define ENTRY(n) \
    static u64 entry_##n(u64 a, u64 b, u64 c, u64 d, u64 e, u64 f, u64 g, u64 h) \
    { u64 v[] = { a, b, c, d, e, f, g, h }; return callback_hit(n, v); }
#define NAME(n) entry_##n,
EACH_SLOT(ENTRY)
static u64 (*const entries[])(u64, u64, u64, u64, u64, u64, u64, u64) = { EACH_SLOT(NAME) };

/* ---- requests ---------------------------------------------------------- */

static char *word(char **at)                /* next word of the line, "" at its end */
{
    char *start = *at + strspn(*at, " ");
    char *end = start + strcspn(start, " ");
    *at = *end ? end + 1 : end;
    *end = 0;
    return start;
}

static u64 number(char **at) { return strtoull(word(at), NULL, 16); }

static int nibble(char c) { return c <= '9' ? c - '0' : (c | 32) - 'a' + 10; }

/* Hex digits -> fresh memory with zeroed slack behind it, so that plain bytes
   also serve as a C or UTF-16 string and a small overrun hits nothing. */
static uint8_t *unhex(const char *s, size_t *n)
{
    *n = strlen(s) / 2;
    uint8_t *p = calloc(1, *n + SLACK);
    if (!p) ExitProcess(3);
    for (size_t i = 0; i < *n; i++) p[i] = (uint8_t)(nibble(s[2 * i]) << 4 | nibble(s[2 * i + 1]));
    return p;
}

static worker *find_worker(const char *name)
{
    for (int i = 0; i < nworkers; i++)
        if (!workers[i]->ended && !strcmp(workers[i]->name, name)) return workers[i];
    return NULL;
}

/* Handles a request; returns an error message, or NULL with the answer in t.
   Those that go to a worker set *later: the worker answers, or none is due. */
static const char *handle(char *id, char *verb, char *at, text *t, int *later)
{
    static const char *no_thread = "no such thread", *bad_address = "bad address";
    size_t n;

    if (!strcmp(verb, "lib")) {
        HMODULE m = LoadLibraryA(at);
        if (!m) return "cannot load";
        put(t, " %llx", (u64)m);
    } else if (!strcmp(verb, "sym")) {
        HMODULE m = (HMODULE)number(&at);
        char *name = word(&at);
        void *p = GetProcAddress(m, *name == '#' ? (char *)strtoull(name + 1, NULL, 16) : name);
        if (!p) return "no such export";
        put(t, " %llx", (u64)p);
    } else if (!strcmp(verb, "alloc")) {
        void *p = HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, number(&at));
        if (!p) return "out of memory";
        put(t, " %llx", (u64)p);
    } else if (!strcmp(verb, "free")) {
        HeapFree(GetProcessHeap(), 0, (void *)number(&at));
    } else if (!strcmp(verb, "write")) {
        void *to = (void *)number(&at);
        uint8_t *p = unhex(word(&at), &n);
        int ok = guarded_copy(to, p, n);
        free(p);
        if (!ok) return bad_address;
    } else if (!strcmp(verb, "read")) {
        void *from = (void *)number(&at);
        uint8_t *p = malloc((n = number(&at)) + 1);
        if (!p) return "out of memory";
        int ok = guarded_copy(p, from, n);
        put(t, " ");
        if (ok) put_hex(t, p, n);
        free(p);
        if (!ok) return bad_address;
    } else if (!strcmp(verb, "thread")) {
        DWORD tid;
        int i = 0;
        while (i < nworkers && !workers[i]->ended) i++;
        if (i == MAX_WORKERS) return "too many threads";
        worker *w = calloc(1, sizeof *w);   /* never freed: it may still be running */
        snprintf(w->name, sizeof w->name, "%s", word(&at));
        w->tail = &w->head;
        CloseHandle(CreateThread(NULL, 0, worker_main, w, 0, &tid));
        workers[i] = w;
        nworkers += i == nworkers;
        put(t, " %lx", tid);
    } else if (!strcmp(verb, "callback")) {
        int s = (int)number(&at);
        char *mode = word(&at);
        if (s < 0 || s >= (int)(sizeof entries / sizeof *entries)) return "no such slot";
        slots[s].mode = !strcmp(mode, "wnd") ? WND : !strcmp(mode, "ask") ? ASK : LOG;
        slots[s].ret = number(&at);
        snprintf(slots[s].spec, sizeof slots[s].spec, "%s", word(&at));
        put(t, " %llx", (u64)entries[s]);
    } else if (!strcmp(verb, "call") || !strcmp(verb, "cbret") || !strcmp(verb, "quit")) {
        worker *w = find_worker(word(&at));
        if (!w) return no_thread;
        job *j = calloc(1, sizeof *j);
        snprintf(j->id, sizeof j->id, "%s", id);
        j->kind = *verb == 'q' ? QUIT : verb[1] == 'b' ? CBRET : CALL;
        *later = j->kind == CALL;
        if (j->kind == QUIT) w->ended = 1;
        if (j->kind == CBRET) j->value = number(&at);
        if (j->kind == CALL) {
            char *preset = word(&at), *a;
            j->keep_error = *preset == '-';
            j->preset = strtoul(preset, NULL, 16);
            j->fn = number(&at);
            for (int i = 0; i < MAX_ARGS && *(a = word(&at)); i++) {
                if (*a == 'u') { j->args[i] = strtoull(a + 1, NULL, 16); continue; }
                j->buf[j->nbufs].p = unhex(a + 1, &j->buf[j->nbufs].n);
                j->buf[j->nbufs].back = *a == 'w';
                j->args[i] = (u64)j->buf[j->nbufs++].p;
            }
        }
        enqueue(w, j);
    } else return "unknown verb";
    return NULL;
}

static void handle_line(char *line)
{
    text t = { 0 };
    int later = 0;
    char *id = word(&line), *verb = word(&line);
    put(&t, "%s ok", id);
    const char *err = handle(id, verb, line, &t, &later);
    if (err) {
        DWORD code = GetLastError();
        t.len = 0;
        put(&t, "%s err %s (%lu)", id, err, code);
    }
    if (later && !err) free(t.p);
    else send_line(&t);
}

int main(void)
{
    size_t cap = 1 << 16, len = 0;
    char *in = malloc(cap);
    text hello = { 0 };
    DWORD n;

    /* Keep our pipes to ourselves: called functions that print or read get NUL. */
    std_in = GetStdHandle(STD_INPUT_HANDLE);
    std_out = GetStdHandle(STD_OUTPUT_HANDLE);
    HANDLE nul = CreateFileA("NUL", GENERIC_READ | GENERIC_WRITE, 3, NULL, OPEN_EXISTING, 0, NULL);
    SetStdHandle(STD_INPUT_HANDLE, nul);
    SetStdHandle(STD_OUTPUT_HANDLE, nul);
    SetErrorMode(SEM_FAILCRITICALERRORS | SEM_NOGPFAULTERRORBOX);
    tls_worker = TlsAlloc();
    get_wsa_error = (void *)GetProcAddress(LoadLibraryA("ws2_32"), "WSAGetLastError");

    put(&hello, "caller 1 %lx", GetCurrentProcessId());
    send_line(&hello);
    while (ReadFile(std_in, in + len, (DWORD)(cap - len), &n, NULL) && n) {
        char *start = in, *end, *scan = in + len;
        len += n;
        while ((end = memchr(scan, '\n', in + len - scan))) {
            *end = 0;
            if (end > start && end[-1] == '\r') end[-1] = 0;
            if (*start) handle_line(start);
            start = scan = end + 1;
        }
        len = in + len - start;
        memmove(in, start, len);
        if (len * 2 > cap && !(in = realloc(in, cap *= 2))) return 3;
    }
    TerminateProcess(GetCurrentProcess(), 0);   /* even with calls still blocked */
    return 0;
}
