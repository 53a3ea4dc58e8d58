/* Loads a WebSocket echo: each of N connections sends a message of 32 bytes, waits for its echo, and sends the next.
 * Usage: echo PORT CONNECTIONS SECONDS HOST. Prints: messages, seconds, p50 and p99 in microseconds. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define LENGTH 32
#define SLOWEST 10000000 /* microseconds; what takes longer counts as this */

/* FIN and text, masked; the mask is zero, so that the payload can be any. */
static const char MESSAGE[6 + LENGTH] = "\x81\xa0\0\0\0\0a message of thirty-two bytes...";
static uint32_t *histogram;

struct connection {
    int fd;
    size_t got;
    double sent;
};

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static void die(const char *why) {
    fprintf(stderr, "echo: %s\n", why);
    exit(1);
}

static int open_websocket(int port, const char *host) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(fd, (struct sockaddr *)&address, sizeof address)) die("no connection");
    char head[4096];
    int size = snprintf(head, sizeof head,
                        "GET /0 HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
                        host);
    if (send(fd, head, size, MSG_NOSIGNAL) != size) die("the request could not be sent");
    size_t got = 0;
    while (got < 4 || memcmp(head + got - 4, "\r\n\r\n", 4)) {
        if (got == sizeof head - 1 || recv(fd, head + got++, 1, 0) != 1) die("the answer is no head");
    }
    if (strncmp(head, "HTTP/1.1 101", 12)) die("it does not switch protocols");
    return fd;
}

static void send_message(struct connection *c) {
    c->got = 0;
    c->sent = now();
    if (send(c->fd, MESSAGE, sizeof MESSAGE, MSG_NOSIGNAL) != sizeof MESSAGE) die("a message could not be sent");
}

static double percentile(uint64_t count, double part) {
    uint64_t seen = 0;
    for (int at = 0; at <= SLOWEST; at++)
        if ((seen += histogram[at]) && seen >= count * part) return at;
    return SLOWEST;
}

int main(int argc, char **argv) {
    if (argc != 5) die("PORT CONNECTIONS SECONDS HOST");
    int number = atoi(argv[2]), poller = epoll_create1(0);
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    histogram = calloc(SLOWEST + 1, sizeof *histogram);
    struct connection *all = calloc(number, sizeof *all);
    for (int i = 0; i < number; i++) {
        all[i].fd = open_websocket(atoi(argv[1]), argv[4]);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &all[i]};
        epoll_ctl(poller, EPOLL_CTL_ADD, all[i].fd, &event);
    }
    double began = now(), end = began + atof(argv[3]), at;
    for (int i = 0; i < number; i++) send_message(&all[i]);
    uint64_t count = 0;
    struct epoll_event ready[256];
    while ((at = now()) < end) {
        int found = epoll_wait(poller, ready, 256, 100);
        for (int i = 0; i < found; i++) {
            struct connection *c = ready[i].data.ptr;
            char data[2 + LENGTH];
            ssize_t size = recv(c->fd, data, sizeof data - c->got, 0);
            if (size <= 0) die("a connection was closed");
            if ((c->got += size) < sizeof data) continue;
            double took = (now() - c->sent) * 1e6;
            histogram[took < SLOWEST ? (int)took : SLOWEST]++;
            count++;
            send_message(c);
        }
    }
    if (!count) die("nothing came back");
    printf("%lu %.6f %.0f %.0f\n", count, at - began, percentile(count, 0.5), percentile(count, 0.99));
}
