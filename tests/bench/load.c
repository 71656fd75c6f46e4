/*
 * load: the client side of the measurements. `load MODE --port N [options]` prints one line of JSON.
 *
 * Modes: rpc, pace, handshake, fanout, idle (WebSocket); http, chat (HTTP).
 */
#include "tests/bench/load.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void pids_parse(struct load_opts *opts, char *text)
{
    for (char *word = strtok(text, ","); word && opts->pids_n < LOAD_PIDS_MAX; word = strtok(NULL, ",")) {
        opts->pids[opts->pids_n++] = atoi(word);
    }
}

static void opts_parse(struct load_opts *opts, int argc, char **argv)
{
    static const struct option known[] = {
        { "port", required_argument, NULL, 'p' },
        { "conns", required_argument, NULL, 'c' },
        { "inflight", required_argument, NULL, 'i' },
        { "seconds", required_argument, NULL, 's' },
        { "method", required_argument, NULL, 'm' },
        { "params", required_argument, NULL, 'a' },
        { "token", required_argument, NULL, 't' },
        { "path", required_argument, NULL, 'u' },
        { "body", required_argument, NULL, 'b' },
        { "turns", required_argument, NULL, 'n' },
        { "pids", required_argument, NULL, 'P' },
        { "spread", required_argument, NULL, 'S' },
        { NULL, 0, NULL, 0 },
    };
    int letter;

    while ((letter = getopt_long(argc, argv, "", known, NULL)) != -1) {
        switch (letter) {
        case 'p':
            opts->port = atoi(optarg);
            break;
        case 'c':
            opts->conns = atoi(optarg);
            break;
        case 'i':
            opts->inflight = atoi(optarg);
            break;
        case 's':
            opts->seconds = atof(optarg);
            break;
        case 'm':
            opts->method = optarg;
            break;
        case 'a':
            opts->params = optarg;
            break;
        case 't':
            opts->token = optarg;
            break;
        case 'u':
            opts->path = optarg;
            break;
        case 'b':
            opts->body = optarg;
            break;
        case 'n':
            opts->turns = atoi(optarg);
            break;
        case 'S':
            opts->spread = atof(optarg);
            break;
        case 'P':
            pids_parse(opts, optarg);
            break;
        default:
            load_die("unknown option");
        }
    }
    if (optind < argc) {
        opts->mode = argv[optind];
    }
    if (opts->port <= 0 || opts->conns <= 0 || opts->conns > LOAD_CONNS_MAX || opts->inflight <= 0) {
        load_die("--port, --conns and --inflight must be positive");
    }
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(const struct load_opts *opts);
    } modes[] = {
        { "rpc", load_rpc },   { "pace", load_pace }, { "handshake", load_handshake }, { "fanout", load_fanout },
        { "idle", load_idle }, { "http", load_http }, { "chat", load_chat },
    };
    struct load_opts opts = { .conns = 16,
                              .inflight = 16,
                              .seconds = 3,
                              .method = "health",
                              .params = "{}",
                              .token = "",
                              .path = "/healthz",
                              .body = "",
                              .turns = 1,
                              .mode = "" };

    opts_parse(&opts, argc, argv);
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        if (strcmp(opts.mode, modes[i].name) == 0) {
            modes[i].run(&opts);
            return 0;
        }
    }
    load_die("unknown mode '%s'", opts.mode);
}
