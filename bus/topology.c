#include "bus/topology.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "bus/actor.h"
#include "bus/base/cleanup.h"
#include "bus/base/mem.h"
#include "bus/json.h"
#include "bus/pack.h"
#include "bus/topology_internal.h"
#include "bus/value.h"

#define TOPOLOGY_BYTES_MAX (256U * 1024U)
#define TOPOLOGY_DEPTH_MAX 8
#define TOPOLOGY_MEMORY_LEAST 16
#define TOPOLOGY_HANG_LEAST 1000
#define TOPOLOGY_HANG_MOST 3600000
#define TOPOLOGY_MEMORY_MOST 1048576

int topology_say(struct topology_error *error, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(error->text, sizeof(error->text), fmt, args); /* a cut text still says what is wrong */
    va_end(args);
    return TOPOLOGY_E_REFUSED;
}

/* --- names ------------------------------------------------------------------------- */

static bool is_host_name(struct span name)
{
    if (name.len == 0 || name.len >= sizeof(((struct topology_host *)NULL)->name)) {
        return false;
    }
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];

        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-')) {
            return false;
        }
    }
    return true;
}

static bool is_address_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == '.';
}

/* Path segments of plain characters; one "*" may end it. */
bool topology_is_pattern(struct span pattern)
{
    if (pattern.len == 0 || pattern.len >= ACTOR_ADDRESS_MAX) {
        return false;
    }
    for (size_t i = 0; i < pattern.len; i++) {
        bool is_last = i + 1 == pattern.len;
        bool is_segment_start = i == 0 || pattern.ptr[i - 1] == '/';

        if (pattern.ptr[i] == '/' ? is_segment_start || is_last
                                  : !is_address_char(pattern.ptr[i]) && !(is_last && pattern.ptr[i] == '*')) {
            return false;
        }
    }
    return true;
}

static bool is_wildcard(const char *pattern)
{
    size_t len = strlen(pattern);

    return len > 0 && pattern[len - 1] == '*';
}

static const struct topology_host *pattern_owner(const struct topology *self, struct span pattern)
{
    for (size_t i = 0; i < self->hosts_n; i++) {
        for (size_t k = 0; k < self->hosts[i].actors_n; k++) {
            if (span_is_text(pattern, self->hosts[i].actors[k])) {
                return &self->hosts[i];
            }
        }
    }
    return NULL;
}

/* --- reading ------------------------------------------------------------------------ */

static int actor_add(struct walk *self, struct topology_host *host, struct span item)
{
    struct span pattern = value_str(item, (struct span){ NULL, 0 });
    const struct topology_host *owner;

    self->tokens_n++;
    if (value_kind_of(item) != VALUE_STR) {
        return topology_refuse(self, "an actor is written as a string, such as \"agent/main\" or \"agent/*\"");
    }
    if (!topology_is_pattern(pattern)) {
        return topology_refuse(
            self,
            "\"%.*s\" is no address: use letters, digits, \"-\", \"_\" and \".\" between single slashes, and "
            "\"*\" only at the end",
            (int)(pattern.len < 64 ? pattern.len : 64), pattern.ptr);
    }
    if (span_is_text(pattern, "supervisor") || span_starts(pattern, "host/")) {
        return topology_refuse(self, "\"%.*s\" belongs to the bus itself and is not placed; remove it",
                               SPAN_FMT(pattern));
    }
    owner = pattern_owner(self->topology, pattern);
    if (owner) {
        return topology_refuse(self, "\"%.*s\" is already on host \"%s\"; an address has one place", SPAN_FMT(pattern),
                               owner->name);
    }
    host->actors[host->actors_n++] = mem_text(pattern.ptr, pattern.len);
    return 0;
}

static int actors_read(struct walk *self, struct topology_host *host, struct span list)
{
    struct value_iter it = value_iter(list);
    struct span key;
    struct span item;

    if (value_kind_of(list) != VALUE_ARRAY) {
        return topology_refuse(self, "\"actors\" must be a list of addresses");
    }
    if (value_count(list) == 0 || value_count(list) > TOPOLOGY_ACTORS_MAX) {
        return topology_refuse(self, "\"actors\" must name 1 to %d addresses", TOPOLOGY_ACTORS_MAX);
    }
    host->actors = mem_new(value_count(list) * sizeof(*host->actors));
    while (value_next(&it, &key, &item)) {
        int r = actor_add(self, host, item);

        if (r) {
            return r;
        }
    }
    return 0;
}

static int strategy_read(struct walk *self, struct topology_host *host, struct span item)
{
    struct span name = value_str(item, (struct span){ "", 0 });

    self->tokens_n++;
    host->is_rest_for_one = span_is_text(name, "rest_for_one");
    if (!host->is_rest_for_one && !span_is_text(name, "one_for_one")) {
        return topology_refuse(self, "\"strategy\" is \"one_for_one\" (as without it) or \"rest_for_one\"");
    }
    return 0;
}

static int memory_read(struct walk *self, struct topology_host *host, struct span item)
{
    int64_t megabytes = value_i64(item, 0);

    self->tokens_n++;
    if (megabytes < TOPOLOGY_MEMORY_LEAST || megabytes > TOPOLOGY_MEMORY_MOST) {
        return topology_refuse(self, "\"memoryMb\" must be a whole number from %d to %d", TOPOLOGY_MEMORY_LEAST,
                               TOPOLOGY_MEMORY_MOST);
    }
    host->memory_mb = (uint32_t)megabytes;
    return 0;
}

static int hang_read(struct walk *self, struct topology_host *host, struct span item)
{
    int64_t ms = value_i64(item, -1);

    self->tokens_n++;
    if (ms != 0 && (ms < TOPOLOGY_HANG_LEAST || ms > TOPOLOGY_HANG_MOST)) {
        return topology_refuse(self, "\"hangMs\" must be a whole number from %d to %d, or 0", TOPOLOGY_HANG_LEAST,
                               TOPOLOGY_HANG_MOST);
    }
    host->hang_ms = (uint32_t)ms;
    return 0;
}

static int link_read(struct walk *self, struct topology_host *host, struct span item)
{
    struct span name = value_str(item, (struct span){ "", 0 });

    self->tokens_n++;
    host->is_remote = span_is_text(name, "tcp");
    if (!host->is_remote && !span_is_text(name, "ipc")) {
        return topology_refuse(self, "\"link\" is \"ipc\" (as without it: a process of this machine) or \"tcp\" (joins "
                                     "from elsewhere)");
    }
    return 0;
}

static int host_key_read(struct walk *self, struct topology_host *host, struct span key, struct span item)
{
    static const char *const keys[] = { "actors", "strategy", "memoryMb", "hangMs", "link", "exec", "env", NULL };

    self->tokens_n++;
    if (span_is_text(key, "actors")) {
        return actors_read(self, host, item);
    }
    if (span_is_text(key, "strategy")) {
        return strategy_read(self, host, item);
    }
    if (span_is_text(key, "memoryMb")) {
        return memory_read(self, host, item);
    }
    if (span_is_text(key, "hangMs")) {
        return hang_read(self, host, item);
    }
    if (span_is_text(key, "exec")) {
        return topology_exec_read(self, host, item);
    }
    if (span_is_text(key, "env")) {
        return topology_env_read(self, host, item);
    }
    if (span_is_text(key, "link")) {
        return link_read(self, host, item);
    }
    return topology_refuse_key(self, key, "a host", keys);
}

static int host_read(struct walk *self, struct topology_host *host, struct span map)
{
    struct value_iter it = value_iter(map);
    struct span key;
    struct span item;

    if (value_kind_of(map) != VALUE_MAP) {
        return topology_refuse(self, "host \"%s\" must be an object: { actors: [ … ] }", host->name);
    }
    host->hang_ms = TOPOLOGY_HANG_MS;
    while (value_next(&it, &key, &item)) {
        int r = host_key_read(self, host, key, item);

        if (r) {
            return r;
        }
    }
    return host->actors ? topology_exec_check(self, host)
                        : topology_refuse(self, "host \"%s\" has no \"actors\"", host->name);
}

static int hosts_read(struct walk *self, struct span map)
{
    struct value_iter it = value_iter(map);
    struct span key;
    struct span item;

    if (value_kind_of(map) != VALUE_MAP || value_count(map) == 0 || value_count(map) > TOPOLOGY_HOSTS_MAX) {
        return topology_refuse(self, "\"hosts\" must be an object of 1 to %d hosts", TOPOLOGY_HOSTS_MAX);
    }
    self->topology->hosts = mem_new(TOPOLOGY_HOSTS_MAX * sizeof(*self->topology->hosts));
    while (value_next(&it, &key, &item)) {
        struct topology_host *host;
        int r;

        self->tokens_n++;
        if (!is_host_name(key)) {
            return topology_refuse(self, "\"%.*s\" is no host name: use 1 to 31 of a-z, 0-9 and \"-\"",
                                   (int)(key.len < 64 ? key.len : 64), key.ptr);
        }
        host = &self->topology->hosts[self->topology->hosts_n];
        memcpy(host->name, key.ptr, key.len);
        self->topology->hosts_n++;
        r = host_read(self, host, item);
        if (r) {
            return r;
        }
    }
    return 0;
}

/* A remote host needs a way. */
static int remote_check(struct walk *self)
{
    for (size_t i = 0; i < self->topology->hosts_n; i++) {
        const struct topology_host *host = &self->topology->hosts[i];

        if (host->is_remote && !self->topology->tcp.endpoint[0]) {
            return topology_refuse(
                self,
                "host \"%s\" has link \"tcp\", but \"gateway\" is missing: say where hosts join, as in "
                "gateway: { endpoint: \"tcp://10.0.0.1:18800\", curve: \"<key>\" }",
                host->name);
        }
    }
    return 0;
}

static int root_read(struct walk *self, struct span root)
{
    static const char *const keys[] = { "hosts", "gateway", NULL };
    struct value_iter it = value_iter(root);
    struct span key;
    struct span item;

    if (value_kind_of(root) != VALUE_MAP) {
        return topology_refuse(self, "a topology is an object: { hosts: { main: { actors: [ … ] } } }");
    }
    while (value_next(&it, &key, &item)) {
        int r;

        self->tokens_n++;
        if (span_is_text(key, "hosts")) {
            r = hosts_read(self, item);
        } else if (span_is_text(key, "gateway")) {
            r = topology_tcp_read(self, item);
        } else {
            r = topology_refuse_key(self, key, "a topology", keys);
        }
        if (r) {
            return r;
        }
    }
    if (!self->topology->hosts) {
        return topology_refuse(self, "\"hosts\" is missing");
    }
    return remote_check(self);
}

/* --- the outside ---------------------------------------------------------------------- */

static int text_pack(struct span text, struct pack *pack, struct topology_error *error)
{
    struct json_error at = { 0 };
    int r;

    if (text.len > TOPOLOGY_BYTES_MAX) {
        (void)snprintf(error->text, sizeof(error->text), "larger than %u bytes", TOPOLOGY_BYTES_MAX);
        return TOPOLOGY_E_REFUSED;
    }
    r = json_to_pack(text, &(struct json_opts){ .depth_max = TOPOLOGY_DEPTH_MAX, .json5 = true, .keys_once = true },
                     pack, &at);
    if (r == JSON_E_DEPTH) {
        (void)snprintf(error->text, sizeof(error->text), "line %u, column %u: nested too deeply", at.line, at.column);
        return TOPOLOGY_E_REFUSED;
    }
    if (r == JSON_E_TWICE) {
        (void)snprintf(error->text, sizeof(error->text), "line %u, column %u: \"%.64s\" stands here twice; remove one",
                       at.line, at.column, at.expected);
        return TOPOLOGY_E_REFUSED;
    }
    if (r > 0) {
        (void)snprintf(error->text, sizeof(error->text), "line %u, column %u: expected %s", at.line, at.column,
                       at.expected);
        return TOPOLOGY_E_REFUSED;
    }
    return r;
}

int topology_parse(struct span text, struct topology *ret_topology, struct topology_error *error)
{
    CLEANUP(topology_deinit) struct topology topology = { 0 };
    CLEANUP(pack_deinit) struct pack pack;
    struct walk walk = { .text = text, .topology = &topology, .error = error };
    int r;

    *error = (struct topology_error){ 0 };
    pack_init(&pack, 0);
    r = text_pack(text, &pack, error);
    if (r) {
        return r;
    }
    r = root_read(&walk, pack_span(&pack));
    if (r) {
        return r;
    }
    *ret_topology = topology;
    topology = (struct topology){ 0 };
    return 0;
}

void topology_deinit(struct topology *self)
{
    for (size_t i = 0; i < self->hosts_n; i++) {
        for (size_t k = 0; k < self->hosts[i].actors_n; k++) {
            free(self->hosts[i].actors[k]);
        }
        free(self->hosts[i].actors);
        topology_exec_deinit(&self->hosts[i]);
    }
    free(self->hosts);
    *self = (struct topology){ 0 };
}

size_t topology_fits(const char *pattern, const char *address)
{
    size_t len = strlen(pattern);

    if (!is_wildcard(pattern)) {
        return strcmp(pattern, address) == 0 ? SIZE_MAX : 0;
    }
    return strncmp(pattern, address, len - 1) == 0 ? len : 0;
}

const struct topology_host *topology_place(const struct topology *self, const char *address)
{
    const struct topology_host *best = NULL;
    size_t best_fit = 0;

    for (size_t i = 0; i < self->hosts_n; i++) {
        for (size_t k = 0; k < self->hosts[i].actors_n; k++) {
            size_t fit = topology_fits(self->hosts[i].actors[k], address);

            if (fit > best_fit) {
                best = &self->hosts[i];
                best_fit = fit;
            }
        }
    }
    return best;
}

const struct topology_host *topology_host_find(const struct topology *self, const char *name)
{
    for (size_t i = 0; i < self->hosts_n; i++) {
        if (name[0] && strcmp(self->hosts[i].name, name) == 0) {
            return &self->hosts[i];
        }
    }
    return NULL;
}
