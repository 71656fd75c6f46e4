#include "bus/topology.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "bus/actor.h"
#include "bus/base/cleanup.h"
#include "bus/base/mem.h"
#include "bus/json.h"
#include "bus/pack.h"
#include "bus/value.h"

#define TOPOLOGY_BYTES_MAX (256U * 1024U)
#define TOPOLOGY_DEPTH_MAX 8
#define TOPOLOGY_MEMORY_LEAST 16
#define TOPOLOGY_HANG_LEAST 1000
#define TOPOLOGY_HANG_MOST 3600000
#define TOPOLOGY_MEMORY_MOST 1048576
#define TOPOLOGY_WORDS_MAX 64 /* of a command line, and names of variables */

/*
 * The walk over the packed text. Packing forgets where things stood, but keeps their
 * order, so the place of an error is the n-th key or scalar of the text again.
 */
struct walk {
    struct span text;
    struct topology *topology;
    struct topology_error *error;
    size_t tokens_n; /* keys and scalars met so far; the newest is the one an error is about */
};

/* --- where in the text ------------------------------------------------------------ */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\v' || c == '\f';
}

static bool is_punctuation(char c)
{
    return c == '{' || c == '}' || c == '[' || c == ']' || c == ':' || c == ',';
}

/* Behind the comment that starts at `at`, or `at` when none does. */
static size_t comment_end(struct span text, size_t at)
{
    if (at + 1 >= text.len || text.ptr[at] != '/') {
        return at;
    }
    if (text.ptr[at + 1] == '/') {
        while (at < text.len && text.ptr[at] != '\n') {
            at++;
        }
    } else if (text.ptr[at + 1] == '*') {
        at += 2;
        while (at + 1 < text.len && !(text.ptr[at] == '*' && text.ptr[at + 1] == '/')) {
            at++;
        }
        at = at + 2 < text.len ? at + 2 : text.len;
    }
    return at;
}

static size_t token_end(struct span text, size_t at)
{
    char quote = text.ptr[at];

    if (quote == '"' || quote == '\'') {
        for (at++; at < text.len && text.ptr[at] != quote; at++) {
            at += text.ptr[at] == '\\';
        }
        return at < text.len ? at + 1 : text.len;
    }
    while (at < text.len && !is_blank(text.ptr[at]) && !is_punctuation(text.ptr[at]) && text.ptr[at] != '/') {
        at++;
    }
    return at;
}

/* Offset of the `n`-th key or scalar (from 0); the text's length when there are fewer. */
static size_t token_find(struct span text, size_t n)
{
    size_t at = text.len >= 3 && memcmp(text.ptr, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;

    while (at < text.len) {
        size_t end = comment_end(text, at);

        if (end > at) {
            at = end;
        } else if (is_blank(text.ptr[at]) || is_punctuation(text.ptr[at])) {
            at++;
        } else if (n-- == 0) {
            return at;
        } else {
            end = token_end(text, at);
            at = end > at ? end : at + 1;
        }
    }
    return text.len;
}

static void place_of(struct span text, size_t offset, unsigned *ret_line, unsigned *ret_column)
{
    size_t line_at = 0;
    unsigned line = 1;

    for (size_t i = 0; i < offset; i++) {
        if (text.ptr[i] == '\n') {
            line++;
            line_at = i + 1;
        }
    }
    *ret_line = line;
    *ret_column = (unsigned)(offset - line_at) + 1;
}

__attribute__((format(printf, 2, 3))) static int refuse(struct walk *self, const char *fmt, ...)
{
    char text[200];
    unsigned line;
    unsigned column;
    va_list args;

    va_start(args, fmt);
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): va_start stands above; clang 14 misses it */
    (void)vsnprintf(text, sizeof(text), fmt, args); /* a cut text still says what is wrong */
    va_end(args);
    place_of(self->text, token_find(self->text, self->tokens_n ? self->tokens_n - 1 : 0), &line, &column);
    (void)snprintf(self->error->text, sizeof(self->error->text), "line %u, column %u: %s", line, column, text);
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
static bool is_pattern(struct span pattern)
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
        return refuse(self, "an actor is written as a string, such as \"agent/main\" or \"agent/*\"");
    }
    if (!is_pattern(pattern)) {
        return refuse(self,
                      "\"%.*s\" is no address: use letters, digits, \"-\", \"_\" and \".\" between single slashes, and "
                      "\"*\" only at the end",
                      (int)(pattern.len < 64 ? pattern.len : 64), pattern.ptr);
    }
    if (span_is_text(pattern, "supervisor") || span_starts(pattern, "host/")) {
        return refuse(self, "\"%.*s\" belongs to the bus itself and is not placed; remove it", SPAN_FMT(pattern));
    }
    owner = pattern_owner(self->topology, pattern);
    if (owner) {
        return refuse(self, "\"%.*s\" is already on host \"%s\"; an address has one place", SPAN_FMT(pattern),
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
        return refuse(self, "\"actors\" must be a list of addresses");
    }
    if (value_count(list) == 0 || value_count(list) > TOPOLOGY_ACTORS_MAX) {
        return refuse(self, "\"actors\" must name 1 to %d addresses", TOPOLOGY_ACTORS_MAX);
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
        return refuse(self, "\"strategy\" is \"one_for_one\" (as without it) or \"rest_for_one\"");
    }
    return 0;
}

static int memory_read(struct walk *self, struct topology_host *host, struct span item)
{
    int64_t megabytes = value_i64(item, 0);

    self->tokens_n++;
    if (megabytes < TOPOLOGY_MEMORY_LEAST || megabytes > TOPOLOGY_MEMORY_MOST) {
        return refuse(self, "\"memoryMb\" must be a whole number from %d to %d", TOPOLOGY_MEMORY_LEAST,
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
        return refuse(self, "\"hangMs\" must be a whole number from %d to %d, or 0", TOPOLOGY_HANG_LEAST,
                      TOPOLOGY_HANG_MOST);
    }
    host->hang_ms = (uint32_t)ms;
    return 0;
}

/* --- hosts that are other programs ---------------------------------------------------- */

/* A list of texts, none of them empty, each judged by `why_not`. */
static int words_read(struct walk *self, const char *key, struct span list, const char *(*why_not)(struct span, size_t),
                      char ***ret_words)
{
    struct value_iter it = value_iter(list);
    struct span none;
    struct span item;
    size_t n = 0;

    if (value_kind_of(list) != VALUE_ARRAY || value_count(list) == 0 || value_count(list) > TOPOLOGY_WORDS_MAX) {
        return refuse(self, "\"%s\" must be a list of 1 to %d texts", key, TOPOLOGY_WORDS_MAX);
    }
    *ret_words = mem_new((value_count(list) + 1) * sizeof(**ret_words));
    while (value_next(&it, &none, &item)) {
        struct span word = value_str(item, (struct span){ "", 0 });
        const char *why = word.len == 0 || memchr(word.ptr, '\0', word.len) ? "must be a text" : why_not(word, n);

        self->tokens_n++;
        if (why) {
            return refuse(self, "what stands in \"%s\" %s", key, why);
        }
        (*ret_words)[n++] = mem_text(word.ptr, word.len);
    }
    return 0;
}

/* Nobody else's directory, nor an edit of PATH, decides which program runs. */
static const char *word_why_not(struct span word, size_t at)
{
    return at == 0 && word.ptr[0] != '/' ? "begins with the absolute path of the program" : NULL;
}

static const char *variable_why_not(struct span name, size_t at)
{
    (void)at;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];

        if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' || (i > 0 && c >= '0' && c <= '9'))) {
            return "must be names of environment variables";
        }
    }
    return span_starts(name, "OPENCLAW_BUS_") ? "may not begin with OPENCLAW_BUS_, which the gateway sets itself"
                                              : NULL;
}

/* What this program alone can do for a host. */
static int exec_check(struct walk *self, const struct topology_host *host)
{
    if (!host->exec) {
        return host->env
                   ? refuse(self, "host \"%s\" has \"env\", but no \"exec\": it sees all variables anyway", host->name)
                   : 0;
    }
    for (size_t i = 0; i < host->actors_n; i++) {
        if (is_wildcard(host->actors[i])) {
            return refuse(self,
                          "host \"%s\" has \"exec\": no actor can be started there later, so name each without \"*\"",
                          host->name);
        }
    }
    return host->is_rest_for_one
               ? refuse(self, "host \"%s\" has \"exec\": that program starts its actors, so \"strategy\" means nothing",
                        host->name)
               : 0;
}

static void words_free(char **words)
{
    for (size_t i = 0; words && words[i]; i++) {
        free(words[i]);
    }
    free(words);
}

static int host_key_read(struct walk *self, struct topology_host *host, struct span key, struct span item)
{
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
        return words_read(self, "exec", item, word_why_not, &host->exec);
    }
    if (span_is_text(key, "env")) {
        return words_read(self, "env", item, variable_why_not, &host->env);
    }
    return refuse(self,
                  "unknown key \"%.*s\"; a host has \"actors\", \"strategy\", \"memoryMb\", \"hangMs\", \"exec\" and "
                  "\"env\"",
                  (int)(key.len < 64 ? key.len : 64), key.ptr);
}

static int host_read(struct walk *self, struct topology_host *host, struct span map)
{
    struct value_iter it = value_iter(map);
    struct span key;
    struct span item;

    if (value_kind_of(map) != VALUE_MAP) {
        return refuse(self, "host \"%s\" must be an object: { actors: [ … ] }", host->name);
    }
    host->hang_ms = TOPOLOGY_HANG_MS;
    while (value_next(&it, &key, &item)) {
        int r = host_key_read(self, host, key, item);

        if (r) {
            return r;
        }
    }
    return host->actors ? exec_check(self, host) : refuse(self, "host \"%s\" has no \"actors\"", host->name);
}

static int hosts_read(struct walk *self, struct span map)
{
    struct value_iter it = value_iter(map);
    struct span key;
    struct span item;

    if (value_kind_of(map) != VALUE_MAP || value_count(map) == 0 || value_count(map) > TOPOLOGY_HOSTS_MAX) {
        return refuse(self, "\"hosts\" must be an object of 1 to %d hosts", TOPOLOGY_HOSTS_MAX);
    }
    self->topology->hosts = mem_new(value_count(map) * sizeof(*self->topology->hosts));
    while (value_next(&it, &key, &item)) {
        struct topology_host *host;
        int r;

        self->tokens_n++;
        if (!is_host_name(key)) {
            return refuse(self, "\"%.*s\" is no host name: use 1 to 31 of a-z, 0-9 and \"-\"",
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

static int root_read(struct walk *self, struct span root)
{
    struct value_iter it = value_iter(root);
    struct span key;
    struct span item;

    if (value_kind_of(root) != VALUE_MAP) {
        return refuse(self, "a topology is an object: { hosts: { main: { actors: [ … ] } } }");
    }
    while (value_next(&it, &key, &item)) {
        int r;

        self->tokens_n++;
        if (!span_is_text(key, "hosts")) {
            return refuse(self, "unknown key \"%.*s\"; a topology has \"hosts\"", (int)(key.len < 64 ? key.len : 64),
                          key.ptr);
        }
        r = hosts_read(self, item);
        if (r) {
            return r;
        }
    }
    return self->topology->hosts ? 0 : refuse(self, "\"hosts\" is missing");
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
        words_free(self->hosts[i].exec);
        words_free(self->hosts[i].env);
    }
    free(self->hosts);
    *self = (struct topology){ 0 };
}

/* How well `pattern` fits: 0 not at all; more is better, an exact entry best. */
static size_t pattern_fit(const char *pattern, const char *address)
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
            size_t fit = pattern_fit(self->hosts[i].actors[k], address);

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
        if (strcmp(self->hosts[i].name, name) == 0) {
            return &self->hosts[i];
        }
    }
    return NULL;
}
