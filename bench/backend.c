/* The HTTP/1.1 server behind all proxies, which is never the bottleneck: one thread, epoll, answers made ahead.
 * Usage: backend PORT. GET /N is answered with N bytes; a request to switch to WebSocket with an echo of short frames.
 * Requests have no bodies, and WebSocket keys are that of RFC 6455's example. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTIONS 65536
#define LARGEST (16 << 20)
#define HELD 8192

static const char SWITCH[] =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

struct connection {
    int websocket;
    size_t size;          /* of what was read and is not understood yet */
    size_t body, head;    /* what is still to be written: bytes of a body, of a head */
    char in[HELD], out[512];
};

static struct connection *connections[CONNECTIONS];
static char *zeros;
static int poller;

static void watch(int fd, int operation, uint32_t events) {
    struct epoll_event event = {.events = events, .data.fd = fd};
    epoll_ctl(poller, operation, fd, &event);
}

static void drop(int fd) {
    close(fd);
    free(connections[fd]);
    connections[fd] = NULL;
}

/* 1: all of it, 0: the peer takes no more now, -1: it is gone. */
static int write_answer(int fd, struct connection *c) {
    while (c->head || c->body) {
        ssize_t sent = c->head ? send(fd, c->out, c->head, MSG_NOSIGNAL | (c->body ? MSG_MORE : 0))
                               : send(fd, zeros, c->body, MSG_NOSIGNAL);
        if (sent < 0) return errno == EAGAIN ? 0 : -1;
        if (c->head) {
            memmove(c->out, c->out + sent, c->head -= sent);
        } else {
            c->body -= sent;
        }
    }
    return 1;
}

/* Bytes of the first frame, 0 if it is not whole. Its echo, unmasked, is left in `out`. */
static size_t echo(struct connection *c) {
    unsigned char *in = (unsigned char *)c->in;
    if (c->size < 6) return 0;
    size_t length = in[1] & 127;
    if (c->size < 6 + length) return 0;
    c->out[0] = in[0];
    c->out[1] = (char)length;
    for (size_t i = 0; i < length; i++) c->out[2 + i] = (char)(in[6 + i] ^ in[2 + i % 4]);
    c->head = 2 + length;
    return 6 + length;
}

/* Bytes of the first request's head, 0 if it is not whole. The answer is left in `out` and `body`. */
static size_t answer(struct connection *c) {
    char *end = memmem(c->in, c->size, "\r\n\r\n", 4);
    if (end == NULL) return 0;
    *end = 0;
    if (strcasestr(c->in, "\nupgrade: websocket")) {
        c->websocket = 1;
        c->head = sizeof SWITCH - 1;
        memcpy(c->out, SWITCH, c->head);
    } else {
        char *path = strchr(c->in, '/');
        c->body = path ? strtoul(path + 1, NULL, 10) : 0;
        if (c->body > LARGEST) c->body = LARGEST;
        c->head = sprintf(c->out,
                          "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\n"
                          "Date: Tue, 01 Oct 2024 08:00:00 GMT\r\nServer: backend\r\nContent-Length: %zu\r\n\r\n",
                          c->body);
    }
    return end + 4 - c->in;
}

static void serve(int fd, uint32_t events) {
    struct connection *c = connections[fd];
    if (events & EPOLLIN && c->size < HELD) {
        ssize_t size = recv(fd, c->in + c->size, HELD - c->size, 0);
        if (size == 0 || (size < 0 && errno != EAGAIN)) return drop(fd);
        if (size > 0) c->size += size;
    }
    int written = write_answer(fd, c);
    size_t used;
    while (written == 1 && (used = c->websocket ? echo(c) : answer(c))) {
        memmove(c->in, c->in + used, c->size -= used);
        written = write_answer(fd, c);
    }
    if (written < 0 || (written == 1 && c->size == HELD)) return drop(fd);
    if (!written || events & EPOLLOUT) watch(fd, EPOLL_CTL_MOD, written ? EPOLLIN : EPOLLOUT);
}

int main(int argc, char **argv) {
    struct rlimit files = {CONNECTIONS, CONNECTIONS};
    setrlimit(RLIMIT_NOFILE, &files);
    zeros = calloc(1, LARGEST);
    int one = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(argc > 1 ? atoi(argv[1]) : 0)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 4096)) {
        perror("backend");
        return 1;
    }
    poller = epoll_create1(0);
    watch(listener, EPOLL_CTL_ADD, EPOLLIN);
    struct epoll_event ready[256];
    for (;;) {
        int count = epoll_wait(poller, ready, 256, -1);
        for (int i = 0; i < count; i++) {
            if (ready[i].data.fd != listener) {
                serve(ready[i].data.fd, ready[i].events);
                continue;
            }
            int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
            if (fd < 0) continue;
            if (fd >= CONNECTIONS) {
                close(fd);
                continue;
            }
            setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
            connections[fd] = calloc(1, sizeof **connections);
            watch(fd, EPOLL_CTL_ADD, EPOLLIN);
        }
    }
}
