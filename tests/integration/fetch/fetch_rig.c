/* Fetches one URL: fetch_rig URL BYTES_MAX REDIRECTS_MAX TIMEOUT_MS [HOSTS], and prints what came of it as JSON. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

#include "actors/agent/fetch.h"
#include "bus/base/cleanup.h"

static bool allow(const struct sockaddr *address)
{
    struct sockaddr_in in;

    if (address->sa_family != AF_INET) {
        return false;
    }
    memcpy(&in, address, sizeof(in));
    return in.sin_addr.s_addr == htonl(INADDR_LOOPBACK);
}

static void on_end(void *arg, const struct fetch_end *end)
{
    CLEANUP(text_buf_deinit) struct text_buf problem = { 0 };
    bool *is_over = arg;

    if (json_from_text(span_from(end->problem ? end->problem : ""), &problem)) {
        abort();
    }
    (void)printf("{\"problem\":%.*s,\"mime\":\"%s\",\"bytes\":%zu}\n", (int)problem.len, problem.data, end->mime,
                 end->bytes->len);
    *is_over = true;
}

int main(int argc, char **argv)
{
    static const struct json_opts opts = { 0 };
    CLEANUP(pack_deinit) struct pack hosts;
    struct http_client http = { 0 };
    struct fetch *fetch = NULL;
    uv_loop_t loop;
    bool is_over = false;
    char problem[256];

    pack_init(&hosts, 0);
    if (argc < 5 || uv_loop_init(&loop) || (argc > 5 && json_to_pack(span_from(argv[5]), &opts, &hosts, NULL))) {
        return 2;
    }
    http_client_init(&http, &loop);
    if (http_client_open(&http, problem, sizeof(problem))) {
        return 3;
    }
    struct fetch_limits limits = { .hosts = pack_span(&hosts),
                                   .bytes_max = strtoull(argv[2], NULL, 10),
                                   .redirects_max = (uint32_t)strtoul(argv[3], NULL, 10),
                                   .timeout_ms = (uint32_t)strtoul(argv[4], NULL, 10),
                                   .allow = allow };

    if (fetch_start(&http, span_from(argv[1]), &limits, on_end, &is_over, &fetch)) {
        return 4;
    }
    while (!is_over) {
        (void)uv_run(&loop, UV_RUN_ONCE);
    }
    http_client_deinit(&http);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    return uv_loop_close(&loop) ? 5 : 0;
}
