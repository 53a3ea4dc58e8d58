/* What runs in the containers of the chaos run: it tells what it sees, and screams when it sees what must not be.
 *
 *   serve [PORT]   GET /work?id=ID&ms=MS: `did ID` on stdout, then 200 after MS; 599 and SCREAM with more than $LIMIT at a
 *                  time. GET /big: 64 MiB. $SECRET and the file /secrets/key must be what $EXPECT says.
 *   rows           `row NONCE NUMBER` on stdout, twenty a second, numbered from 0
 *   task           one attempt of a task: notes it in /notes, fails the first time where the index divides by 5
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static atomic_int in_flight;
static int limit;

static void nap(long ms) { struct timespec t = {ms / 1000, ms % 1000 * 1000000}; while (nanosleep(&t, &t)) {} }

/* One write, so that lines of several threads stay whole. */
static void say(const char *format, const char *a, long b) {
    char line[256];
    int n = snprintf(line, sizeof line, format, a, b);
    if (write(1, line, n) < 0) _exit(99);
}

static void on_term(int sig) { (void)sig; _exit(0); }

static void answer(int fd, const char *status, const char *body) {
    char text[512];
    int n = snprintf(text, sizeof text, "HTTP/1.1 %s\r\nContent-Length: %zu\r\n\r\n%s", status, strlen(body), body);
    if (send(fd, text, n, MSG_NOSIGNAL) < 0) return;
}

static void send_big(int fd) {
    static char block[1 << 16];
    const char *head = "HTTP/1.1 200 OK\r\nContent-Length: 67108864\r\n\r\n";
    if (send(fd, head, strlen(head), MSG_NOSIGNAL) < 0) return;
    for (int i = 0; i < 1024; i++)
        for (size_t at = 0; at < sizeof block;) {
            ssize_t n = send(fd, block + at, sizeof block - at, MSG_NOSIGNAL);
            if (n <= 0) return;
            at += n;
        }
}

static int secret_is_right(void) {
    const char *expected = getenv("EXPECT"), *given = getenv("SECRET");
    char content[64] = "";
    if (!expected) return 1;
    int fd = open("/secrets/key", O_RDONLY);
    ssize_t n = fd < 0 ? 0 : read(fd, content, sizeof content - 1);
    if (fd >= 0) close(fd);
    return n > 0 && given && !strcmp(given, expected) && !strcmp(content, expected);
}

static void work(int fd, const char *target) {
    char id[64] = "";
    long ms = 0;
    const char *at;
    if ((at = strstr(target, "id="))) sscanf(at, "id=%63[0-9a-z-]", id);
    if ((at = strstr(target, "ms="))) ms = atol(at + 3);
    if (!*id) { answer(fd, "400 Bad Request", "no id"); return; }
    int now = ++in_flight;
    if (limit && now > limit) {
        say("SCREAM %s: %ld requests at a time\n", id, now);
        answer(fd, "599 Scream", "too many at a time");
    } else if (!secret_is_right()) {
        say("SCREAM %s: wrong secret\n", id, 0);
        answer(fd, "599 Scream", "wrong secret");
    } else {
        say("did %s\n", id, 0);
        nap(ms);
        --in_flight;  /* before the answer: with its last byte the slot is free */
        answer(fd, "200 OK", id);
        return;
    }
    --in_flight;
}

static void *serve_one(void *arg) {
    int fd = (int)(long)arg;
    char head[16384 + 1];
    size_t have = 0;
    for (;;) {
        char *end;
        while (head[have] = 0, !(end = strstr(head, "\r\n\r\n"))) {
            ssize_t n = have < sizeof head - 1 ? recv(fd, head + have, sizeof head - 1 - have, 0) : 0;
            if (n <= 0) { close(fd); return NULL; }
            have += n;
        }
        char target[1024] = "/";
        sscanf(head, "%*s %1023s", target);
        have -= end + 4 - head;
        memmove(head, end + 4, have);
        if (!strncmp(target, "/work", 5)) work(fd, target);
        else if (!strncmp(target, "/big", 4)) send_big(fd);
        else answer(fd, "200 OK", "hello");
    }
}

static void serve(int port) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = INADDR_ANY};
    int on = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (void *)&at, sizeof at) || listen(fd, 1024)) { perror("listen"); exit(1); }
    limit = getenv("LIMIT") ? atoi(getenv("LIMIT")) : 0;
    for (;;) {
        pthread_t thread;
        int client = accept(fd, NULL, NULL);
        if (client < 0) continue;
        setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        if (pthread_create(&thread, NULL, serve_one, (void *)(long)client)) close(client);
        else pthread_detach(thread);
    }
}

static void rows(void) {
    struct timespec t;
    char nonce[32];
    clock_gettime(CLOCK_MONOTONIC, &t);
    snprintf(nonce, sizeof nonce, "%lx%09lx", (long)t.tv_sec, t.tv_nsec);
    for (long number = 0;; number++, nap(50)) say("row %s %ld\n", nonce, number);
}

static int note(const char *kind, int unique) {
    char path[256];
    const char *execution = getenv("CLOUD_RUN_EXECUTION"), *index = getenv("CLOUD_RUN_TASK_INDEX");
    snprintf(path, sizeof path, "/notes/%s.%s.%s.%s", kind, execution, index, getenv("CLOUD_RUN_TASK_ATTEMPT"));
    int fd = open(path, O_WRONLY | O_CREAT | (unique ? O_EXCL : 0), 0644);
    if (fd < 0 && errno == EEXIST) { say("SCREAM %s: this attempt ran before (%ld)\n", path, errno); return 1; }
    if (fd >= 0) close(fd);
    return 0;
}

static int task(void) {
    if (note("run", 1)) return 70;
    nap(100 + 40 * (atol(getenv("CLOUD_RUN_TASK_INDEX")) % 7));
    if (atol(getenv("CLOUD_RUN_TASK_INDEX")) % 5 == 0 && !strcmp(getenv("CLOUD_RUN_TASK_ATTEMPT"), "0")) return 3;
    note("done", 0);
    return 0;
}

int main(int argc, char **argv) {
    const char *what = argc > 1 ? argv[1] : "serve", *port = getenv("PORT");
    signal(SIGTERM, on_term);
    if (!strcmp(what, "serve")) serve(argc > 2 ? atoi(argv[2]) : port ? atoi(port) : 8080);
    if (!strcmp(what, "rows")) rows();
    if (!strcmp(what, "task")) return task();
    return 2;
}
