/*
 * load: what the modes of the load client share: connections, frames, numbers.
 *
 * One thread, one epoll set, no library: what is measured is the other side.
 */
#ifndef TESTS_BENCH_LOAD_H
#define TESTS_BENCH_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOAD_CONNS_MAX 16384
#define LOAD_PIDS_MAX 16

struct load_opts {
    const char *mode;
    int port;
    int conns;
    int inflight;
    double seconds;
    const char *method; /* of the protocol; "echo" for a bare echo server, which knows no handshake */
    const char *params;
    const char *token;
    const char *path; /* HTTP */
    const char *body; /* HTTP; @FILE reads it */
    int turns;
    double spread;           /* seconds over which conversations begin; 0: all at once */
    int pids[LOAD_PIDS_MAX]; /* whose processor time and memory are reported */
    int pids_n;
};

/* Bytes that grow; `off` of them are spent. */
struct load_buf {
    char *ptr;
    size_t len;
    size_t cap;
    size_t off;
};

struct load_conn {
    int fd;
    int state; /* the mode's own */
    bool is_writable_wanted;
    struct load_buf in;
    struct load_buf out;
    uint64_t since_ns;
    uint64_t *sent_ns; /* per request in flight */
    size_t events;
};

/* Latencies, 1 µs to 67 s, under 1 % wrong. */
struct load_hist {
    uint64_t counts[27 * 128];
    uint64_t n;
};

/* --- numbers ------------------------------------------------------------------- */
uint64_t load_now_ns(void);
void load_hist_add(struct load_hist *self, uint64_t ns);
/* In microseconds. */
double load_hist_at(const struct load_hist *self, double share);
/* Processor time that the reported processes have used, in seconds. */
double load_cpu_s(const struct load_opts *opts);
/* Their resident memory, in bytes. */
double load_rss(const struct load_opts *opts);

/* --- buffers -------------------------------------------------------------------- */
void load_buf_add(struct load_buf *self, const void *bytes, size_t len);
/* Forgets what was spent. */
void load_buf_trim(struct load_buf *self);

/* --- connections ---------------------------------------------------------------- */
/* Ends the program with a message when it fails: there is nothing to measure then. */
void load_die(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));
int load_epoll(void);
/* `is_blocking` waits for the connection, else it is being made when this returns. */
void load_open(struct load_conn *self, int epoll, const struct load_opts *opts, bool is_blocking);
void load_close(struct load_conn *self);
/* Writes what is queued, as far as the socket takes it. */
void load_flush(struct load_conn *self, int epoll);
/* Reads what has come; false when the other side closed. */
bool load_fill(struct load_conn *self);
/* Sleeps until there is input, or for that long: who spins is made to wait by the scheduler when he has something to
 * do. */
void load_rest(int epoll, uint64_t ns);
/* Waits up to `timeout_ms` and calls `on` for each connection that can be read, after filling it. */
typedef void (*load_on_input)(void *arg, struct load_conn *conn);
void load_wait(int epoll, int timeout_ms, load_on_input on, void *arg);

/* --- WebSocket ------------------------------------------------------------------- */
#define LOAD_TEXT 1
void load_ws_frame(struct load_buf *out, const char *text, size_t len);
/* The next whole frame among the input; false when there is none yet. */
bool load_ws_next(struct load_conn *self, const char **ret_text, size_t *ret_len);
void load_ws_upgrade(struct load_conn *self, const struct load_opts *opts);
/* Spends the answer to the upgrade; false when it is not complete. */
bool load_ws_upgraded(struct load_conn *self);
void load_ws_connect(struct load_conn *self, const struct load_opts *opts);
/* Opens, upgrades and shakes hands, one after the other. */
void load_ws_ready(struct load_conn *self, int epoll, const struct load_opts *opts);
bool load_is_echo(const struct load_opts *opts);
bool load_has(const char *text, size_t len, const char *word);

/* --- modes: each prints one line of JSON -------------------------------------------- */
void load_rpc(const struct load_opts *opts);
/* `inflight` requests a second, spread evenly over the connections, whatever the answers do. */
void load_pace(const struct load_opts *opts);
void load_handshake(const struct load_opts *opts);
void load_fanout(const struct load_opts *opts);
void load_idle(const struct load_opts *opts);
void load_http(const struct load_opts *opts);
void load_chat(const struct load_opts *opts);

#endif
