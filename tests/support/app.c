/* A container's worth of behaviour in one static binary: what it does is chosen by its first argument.
 *
 *   serve [PORT] [ADDRESS]   HTTP/1.1 with keep-alive on $PORT (8080); START_DELAY_MS delays the listen, ON_TERM=ignore|say;
 *                            OPENLOG: /dev/log is open from the start, and must be there
 *   exit CODE [LINE...]      print the lines, then exit
 *   segv                     die from SIGSEGV
 *   sleep [SECONDS]          do nothing (for ever); ON_TERM as above
 *   eat [MIB]                touch that much memory (0: without end), then sleep
 *   fork N [linger]          N sleeping children; then exit 0, or sleep with them
 *   write PATH MIB           write a file, print the outcome, exit
 *   cat PATH...              print files
 *   become ID PATH TEXT      user and group ID from here on; a line with TEXT goes to PATH, or the error to stdout
 *   lines N [BYTES]          N lines on stdout, each followed by one on stderr; at least BYTES long
 *   print                    a partial line, a long line, stderr, bytes that are no UTF-8, no newline at the end
 *   flood SECONDS            lines of 128 bytes, as fast as they are taken; then `the end of the flood`
 *   connect HOST PORT        print `connected` or the error, exit
 *   env                      print the environment
 *   id                       uid, gid, groups, cwd, no_new_privs, capabilities, open files limit, pid
 *
 * Paths served: / /env /headers /echo /exit?code= /sleep?ms= /big?n= /chunked?n=&ms= /status?code= /log?text= /syslog?text=
 *               /eat?mib= /burn?ms= /drop /peak (most requests ever in flight) /connect?host=&port=
 *               /count (how far a thread has counted that never rests; SPIN=1)
 *               /cat?path= (empty if it cannot be read)  /write?path=&mib=|text= (`written` or the error)  /id
 *               /livez /readyz (200, or what /ail?live=&ready= said last; live=0: no answer any more)
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static void say(const char *text) { if (write(1, text, strlen(text)) < 0) _exit(99); }
static void nap_ms(long ms) { struct timespec t = {ms / 1000, ms % 1000 * 1000000}; while (nanosleep(&t, &t)) {} }
static void sleep_for_ever(void) { for (;;) pause(); }

static void on_term(int sig) { (void)sig; say("SIGTERM: goodbye\n"); _exit(0); }

/* PID 1 has no default action for SIGTERM: without a handler the kernel drops it, as for `ON_TERM=ignore`. */
static void set_term(void) {
    const char *how = getenv("ON_TERM");
    if (how && !strcmp(how, "ignore")) signal(SIGTERM, SIG_IGN);
    else signal(SIGTERM, on_term);
}

static void *eat(long mib) {
    char *last = NULL;
    for (long i = 0; mib == 0 || i < mib; i++) {
        last = malloc(1 << 20);
        if (!last) { say("malloc failed\n"); exit(12); }
        for (long at = 0; at < 1 << 20; at += 4096) last[at] = 1;
    }
    return last;
}

static const char *try_connect(const char *host, int port) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    if (inet_pton(AF_INET, host, &to.sin_addr) != 1) return "not an address";
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (fd < 0) return strerror(errno);
    int error = 0;
    socklen_t size = sizeof error;
    if (connect(fd, (void *)&to, sizeof to) < 0) {
        struct pollfd wait = {.fd = fd, .events = POLLOUT};
        if (errno != EINPROGRESS) error = errno;
        else if (poll(&wait, 1, 1000) == 0) error = ETIMEDOUT;
        else getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
    }
    close(fd);
    return error ? strerror(error) : "connected";
}

/* --- HTTP --------------------------------------------------------------------------------------------------- */

struct conn { int fd; size_t have; char buf[65536 + 1]; };
struct request { char method[16], target[8192]; long length; int chunked, keep_alive, expect; size_t head; };

static atomic_int in_flight, peak;
static atomic_llong counted;

static int send_all(int fd, const char *data, size_t n) {
    while (n) {
        ssize_t sent = send(fd, data, n, MSG_NOSIGNAL);
        if (sent <= 0) return -1;
        data += sent, n -= sent;
    }
    return 0;
}

static int reply(struct conn *c, int status, const char *body, size_t n) {
    char head[256];
    int size = snprintf(head, sizeof head, "HTTP/1.1 %d %s\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n\r\n",
                        status, status < 400 ? "OK" : "No", n);
    if (n < 1024) { char all[2048]; memcpy(all, head, size); memcpy(all + size, body, n); return send_all(c->fd, all, size + n); }
    return send_all(c->fd, head, size) || send_all(c->fd, body, n);
}

static int more(struct conn *c) {
    if (c->have == sizeof c->buf - 1) return -1;
    ssize_t got = recv(c->fd, c->buf + c->have, sizeof c->buf - 1 - c->have, 0);
    if (got <= 0) return -1;
    c->have += got;
    return 0;
}

static void drop_front(struct conn *c, size_t n) { memmove(c->buf, c->buf + n, c->have -= n); }

static const char *header(const char *head, const char *end, const char *name, char *out, size_t size) {
    size_t n = strlen(name);
    for (const char *line = head; line < end; line = strstr(line, "\r\n") + 2)
        if (!strncasecmp(line, name, n) && line[n] == ':') {
            const char *value = line + n + 1;
            value += strspn(value, " ");
            snprintf(out, size, "%.*s", (int)(strstr(value, "\r\n") - value), value);
            return out;
        }
    return NULL;
}

static int read_request(struct conn *c, struct request *r) {
    char *end, value[64];
    while (c->buf[c->have] = 0, !(end = strstr(c->buf, "\r\n\r\n")))
        if (more(c)) return -1;
    end += 2;
    memset(r, 0, sizeof *r);
    if (sscanf(c->buf, "%15s %8191s", r->method, r->target) != 2) return -1;
    r->head = end + 2 - c->buf;
    r->keep_alive = strstr(c->buf, "HTTP/1.1\r\n") != NULL;
    if (header(c->buf, end, "Content-Length", value, sizeof value)) r->length = atol(value);
    if (header(c->buf, end, "Transfer-Encoding", value, sizeof value)) r->chunked = !strcasecmp(value, "chunked");
    if (header(c->buf, end, "Connection", value, sizeof value) && !strcasecmp(value, "close")) r->keep_alive = 0;
    if (header(c->buf, end, "Expect", value, sizeof value)) r->expect = 1;
    return 0;
}

static int send_chunk(int fd, const char *data, size_t n) {
    char size[32];
    return send_all(fd, size, sprintf(size, "%zx\r\n", n)) || send_all(fd, data, n) || send_all(fd, "\r\n", 2);
}

/* Hands `n` bytes of the body on as they come: to the client (`echo` 1: as they are, 2: as a chunk) or to nowhere. */
static int pass(struct conn *c, size_t n, int echo) {
    while (n) {
        if (!c->have && more(c)) return -1;
        size_t part = c->have < n ? c->have : n;
        if (echo == 1 && send_all(c->fd, c->buf, part)) return -1;
        if (echo == 2 && send_chunk(c->fd, c->buf, part)) return -1;
        drop_front(c, part), n -= part;
    }
    return 0;
}

static int read_body(struct conn *c, struct request *r, int echo) {
    if (r->expect && send_all(c->fd, "HTTP/1.1 100 Continue\r\n\r\n", 25)) return -1;
    if (!r->chunked) {
        char head[128];
        int n = snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %ld\r\n\r\n", r->length);
        return (echo && send_all(c->fd, head, n)) || pass(c, r->length, echo ? 1 : 0);
    }
    if (echo && send_all(c->fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 47)) return -1;
    for (;;) {
        char *end;
        while (c->buf[c->have] = 0, !(end = strstr(c->buf, "\r\n"))) if (more(c)) return -1;
        long n = strtol(c->buf, NULL, 16);
        drop_front(c, end + 2 - c->buf);
        if (n && pass(c, n, echo ? 2 : 0)) return -1;
        if (pass(c, 2, 0)) return -1;
        if (!n) return echo ? send_all(c->fd, "0\r\n\r\n", 5) : 0;
    }
}

static atomic_long alive = 200, ready = 200;

static long query(const char *target, const char *name, long otherwise) {
    char key[64];
    snprintf(key, sizeof key, "%s=", name);
    const char *at = strstr(target, key);
    return at ? atol(at + strlen(key)) : otherwise;
}

static int send_env(struct conn *c) {
    static _Thread_local char body[1 << 16];
    size_t n = 0;
    for (char **e = environ; *e && n < sizeof body - 1; e++) n += snprintf(body + n, sizeof body - n, "%s\n", *e);
    return reply(c, 200, body, n < sizeof body ? n : sizeof body - 1);
}

static int send_big(struct conn *c, long n) {
    char head[128], block[16384];
    memset(block, 'x', sizeof block);
    int size = snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %ld\r\n\r\n", n);
    if (send_all(c->fd, head, size)) return -1;
    for (long part; n > 0; n -= part)
        if (part = n < (long)sizeof block ? n : (long)sizeof block, send_all(c->fd, block, part)) return -1;
    return 0;
}

static int send_chunks(struct conn *c, long n, long ms) {
    if (send_all(c->fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 47)) return -1;
    for (long i = 0; i < n; i++, nap_ms(ms)) {
        char line[64];
        if (send_chunk(c->fd, line, sprintf(line, "chunk %ld\n", i))) return -1;
    }
    return send_all(c->fd, "0\r\n\r\n", 5);
}

static int send_file(struct conn *c, const char *path) {
    static _Thread_local char body[1 << 16];
    ssize_t n = 0, more = 1;
    int fd = open(path, O_RDONLY);
    while (fd >= 0 && more > 0 && n < (ssize_t)sizeof body) if ((more = read(fd, body + n, sizeof body - n)) > 0) n += more;
    if (fd >= 0) close(fd);
    return reply(c, 200, body, n);
}

static int send_outcome(struct conn *c, const char *path, long mib, const char *words) {
    static const char block[1 << 20];
    char text[128];
    errno = 0;
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    for (long i = 0; fd >= 0 && i < mib; i++) if (write(fd, block, sizeof block) < 0) break;
    if (fd >= 0 && words && write(fd, words + 5, strlen(words + 5)) < 0) {}
    int n = snprintf(text, sizeof text, "%s\n", errno ? strerror(errno) : "written");
    if (fd >= 0) close(fd);
    return reply(c, 200, text, n);
}

static int send_identity(struct conn *c) {
    char text[4400], cwd[4096];
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    return reply(c, 200, text, snprintf(text, sizeof text, "uid=%d gid=%d\ncwd=%s\nno_new_privs=%d\nfiles=%lu\npid=%d\n",
        getuid(), getgid(), getcwd(cwd, sizeof cwd), prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), files.rlim_max, getpid()));
}

static void burn(long ms) {
    struct timespec t;
    for (long long until = 0;;) {
        clock_gettime(CLOCK_MONOTONIC, &t);
        long long now = t.tv_sec * 1000LL + t.tv_nsec / 1000000;
        if (!until) until = now + ms;
        if (now >= until) return;
    }
}

static void *spin(void *arg) {
    for (;;) ++counted;
    return arg;
}

static int is(const struct request *r, const char *path) {
    size_t n = strlen(path);
    return !strncmp(r->target, path, n) && (!r->target[n] || r->target[n] == '?');
}

/* --- a syslog handler that insists, as Python's does: connected from the start, once more when a message is refused */

static int syslog_fd = -1;

static int reach_syslog(void) {
    struct sockaddr_un at = {.sun_family = AF_UNIX, .sun_path = "/dev/log"};
    if (syslog_fd >= 0) close(syslog_fd);
    syslog_fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    return connect(syslog_fd, (void *)&at, sizeof at);
}

static void send_to_syslog(const char *text) {
    char message[9100];
    int n = snprintf(message, sizeof message, "<11>%s", text);
    if (send(syslog_fd, message, n, 0) < 0 && !reach_syslog() && send(syslog_fd, message, n, 0) < 0) perror("/dev/log");
}

static int answer(struct conn *c, struct request *r, const char *head) {
    char text[9000] = "", host[64] = "";
    if (is(r, "/echo")) return read_body(c, r, 1);
    if (read_body(c, r, 0)) return -1;
    if (is(r, "/env")) return send_env(c);
    if (is(r, "/headers")) return reply(c, 200, head, strlen(head));
    if (is(r, "/id")) return send_identity(c);
    if (is(r, "/cat") || is(r, "/write")) {
        const char *at = strstr(r->target, "path=");
        snprintf(text, sizeof text, "%.*s", at ? (int)strcspn(at + 5, "&") : 0, at ? at + 5 : "");
        return is(r, "/cat") ? send_file(c, text) : send_outcome(c, text, query(r->target, "mib", 0), strstr(r->target, "text="));
    }
    if (is(r, "/exit")) _exit(query(r->target, "code", 0));
    if (is(r, "/drop")) return -1;
    if (is(r, "/sleep")) nap_ms(query(r->target, "ms", 100));
    if (is(r, "/burn")) burn(query(r->target, "ms", 100));
    if (is(r, "/eat")) eat(query(r->target, "mib", 0));
    if (is(r, "/big")) return send_big(c, query(r->target, "n", 1 << 20));
    if (is(r, "/chunked")) return send_chunks(c, query(r->target, "n", 3), query(r->target, "ms", 0));
    if (is(r, "/status")) return reply(c, query(r->target, "code", 200), "", 0);
    if (is(r, "/ail")) {
        alive = query(r->target, "live", alive);
        ready = query(r->target, "ready", ready);
    }
    if (is(r, "/livez") && !alive) sleep_for_ever();
    if (is(r, "/livez")) return reply(c, alive, "", 0);
    if (is(r, "/readyz")) return reply(c, ready, "", 0);
    if (is(r, "/peak")) return reply(c, 200, text, sprintf(text, "%d\n", peak));
    if (is(r, "/count")) return reply(c, 200, text, sprintf(text, "%lld\n", counted));
    if (is(r, "/syslog")) {
        const char *at = strstr(r->target, "text=");
        if (syslog_fd < 0) syslog(LOG_USER | LOG_ERR, "%s", at ? at + 5 : "logged");
        else send_to_syslog(at ? at + 5 : "logged");
    }
    if (is(r, "/log")) {
        const char *at = strstr(r->target, "text=");
        snprintf(text, sizeof text, "%s\n", at ? at + 5 : "logged");
        say(text);
    }
    if (is(r, "/connect")) {
        const char *at = strstr(r->target, "host=");
        if (at) sscanf(at + 5, "%63[0-9.]", host);
        return reply(c, 200, text, sprintf(text, "%s\n", try_connect(host, query(r->target, "port", 80))));
    }
    return reply(c, 200, "hello\n", 6);
}

static void *serve_one(void *arg) {
    struct conn *c = arg;
    struct request r;
    while (!read_request(c, &r)) {
        char *head = strndup(c->buf, r.head);
        drop_front(c, r.head);
        int now = ++in_flight;
        if (now > peak) peak = now;
        int failed = answer(c, &r, head);
        --in_flight;
        free(head);
        if (failed || !r.keep_alive) break;
    }
    close(c->fd);
    free(c);
    return NULL;
}

static void serve(int port, const char *address) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
    int on = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    inet_pton(AF_INET, address, &at.sin_addr);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (getenv("OPENLOG")) {
        if (reach_syslog()) { perror("/dev/log"); exit(9); }
        send_to_syslog("begun");
    }
    if (bind(fd, (void *)&at, sizeof at) || listen(fd, 1024)) { perror("listen"); exit(1); }
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, 256 << 10);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_t thread;
    if (getenv("SPIN") && pthread_create(&thread, &attr, spin, NULL)) exit(1);
    for (;;) {
        struct conn *c = malloc(sizeof *c);
        c->have = 0;
        if ((c->fd = accept(fd, NULL, NULL)) < 0) { free(c); continue; }
        setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        if (pthread_create(&thread, &attr, serve_one, c)) { close(c->fd); free(c); }
    }
}

/* --- the other behaviours ----------------------------------------------------------------------------------- */

static void cat(const char *path) {
    char block[4096];
    int fd = open(path, O_RDONLY);
    if (fd < 0) { printf("%s: %s\n", path, strerror(errno)); fflush(stdout); return; }
    for (ssize_t n; (n = read(fd, block, sizeof block)) > 0;) if (write(1, block, n) < 0) return;
    close(fd);
}

static int write_file(const char *path, long mib) {
    static char block[1 << 20];
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    for (long i = 0; fd >= 0 && i < mib; i++) if (write(fd, block, sizeof block) < 0) break;
    printf("%s: %s\n", path, errno ? strerror(errno) : "written");
    return errno != 0;
}

static void flood(long seconds) {
    static char lines[1 << 16];
    time_t end = time(NULL) + seconds;
    for (size_t i = 0; i < sizeof lines; i++) lines[i] = i % 128 == 127 ? '\n' : 'x';
    while (time(NULL) < end) if (write(1, lines, sizeof lines) < 0) exit(99);
    say("the end of the flood\n");
}

static void identify(void) {
    char cwd[4096];
    gid_t groups[64];
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    printf("uid=%d gid=%d groups=", getuid(), getgid());
    int n = getgroups(64, groups);
    for (int i = 0; i < n; i++) printf("%s%d", i ? "," : "", groups[i]);
    printf("\ncwd=%s\nno_new_privs=%d\n", getcwd(cwd, sizeof cwd), prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
    printf("files=%lu\npid=%d\n", (unsigned long)files.rlim_max, getpid());
    fflush(stdout);
    cat("/proc/self/status");
}

static void print_oddities(void) {
    char longest[40000];
    memset(longest, 'L', sizeof longest);
    say("par"); nap_ms(20); say("tial\n");
    if (write(1, longest, sizeof longest) < 0 || write(1, "\n", 1) < 0) exit(99);
    if (write(2, "to stderr\n", 10) < 0) exit(99);
    say("\n\xff\xfe bytes\n  spaces  \nno newline");
}

int main(int argc, char **argv) {
    const char *what = argc > 1 ? argv[1] : "serve", *port = getenv("PORT"), *delay = getenv("START_DELAY_MS");
    long n = argc > 2 ? atol(argv[2]) : 0;
    if (strcmp(what, "exit")) set_term();
    if (delay) nap_ms(atol(delay));
    if (!strcmp(what, "serve"))
        serve(n ? n : port ? atol(port) : 8080, argc > 3 ? argv[3] : "0.0.0.0");
    else if (!strcmp(what, "env")) for (char **e = environ; *e; e++) puts(*e);
    else if (!strcmp(what, "exit")) {
        for (int i = 3; i < argc; i++) printf("%s\n", argv[i]);
        return n;
    } else if (!strcmp(what, "segv")) *(volatile int *)0 = 0;
    else if (!strcmp(what, "sleep")) { if (n) nap_ms(n * 1000); else sleep_for_ever(); }
    else if (!strcmp(what, "eat")) { eat(n); say("eaten\n"); sleep_for_ever(); }
    else if (!strcmp(what, "fork")) {
        for (long i = 0; i < n; i++) {
            pid_t child = fork();
            if (child < 0) printf("fork %ld: %s\n", i, strerror(errno)), fflush(stdout);
            if (child == 0) { setsid(); sleep_for_ever(); }
        }
        if (argc > 3) { say("forked\n"); sleep_for_ever(); }
    } else if (!strcmp(what, "write")) return write_file(argv[2], atol(argv[3]));
    else if (!strcmp(what, "cat")) { for (int i = 2; i < argc; i++) cat(argv[i]); }
    else if (!strcmp(what, "become")) {
        FILE *file = setgid(n) || setuid(n) ? NULL : fopen(argv[3], "a");
        if (!file) { printf("%s: %s\n", argv[3], strerror(errno)); return 1; }
        fprintf(file, "%s\n", argv[4]);
        return fclose(file) != 0;
    } else if (!strcmp(what, "lines")) {
        int width = argc > 3 ? atoi(argv[3]) : 0;
        for (long i = 0; i < n; i++) {
            printf("out %ld%*s\n", i, width, ""), fflush(stdout);
            fprintf(stderr, "err %ld%*s\n", i, width, "");
        }
    } else if (!strcmp(what, "print")) print_oddities();
    else if (!strcmp(what, "flood")) flood(n);
    else if (!strcmp(what, "connect")) printf("%s\n", try_connect(argv[2], atoi(argv[3])));
    else if (!strcmp(what, "id")) identify();
    else { fprintf(stderr, "unknown behaviour %s\n", what); return 2; }
    return 0;
}
