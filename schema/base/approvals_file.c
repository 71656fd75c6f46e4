#include "schema/base/approvals_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bus/base/cleanup.h"
#include "bus/base/durable.h"
#include "bus/base/fault.h"
#include "bus/json.h"
#include "bus/value.h"

#define NAME "exec-approvals.json"
#define ID_LEN 37U
#define TOKEN_LEN 33U

static const struct span nothing;

static int refuse(struct approvals_error *error, const char *path, const char *what)
{
    (void)snprintf(error->text, sizeof(error->text), "%.300s: cannot %s: %s", path, what, strerror(errno));
    return APPROVALS_E_REFUSED;
}

void approvals_file_init(struct approvals_file *self)
{
    *self = (struct approvals_file){ 0 };
    pack_init(&self->content, APPROVALS_FILE_MAX);
}

void approvals_file_deinit(struct approvals_file *self)
{
    pack_deinit(&self->content);
}

/* --- small pieces --------------------------------------------------------------------------- */

static int hash_of(struct span bytes, char hash[APPROVALS_HASH_LEN])
{
    unsigned char digest[crypto_hash_sha256_BYTES];

    /* Not OpenSSL's: every start would wait for that to read its own configuration. */
    if (crypto_hash_sha256(digest, (const unsigned char *)(bytes.len ? bytes.ptr : ""), bytes.len)) {
        return FAULT(-EIO);
    }
    for (size_t i = 0; i < sizeof(digest); i++) {
        (void)snprintf(hash + 2 * i, 3, "%02x", digest[i]);
    }
    return 0;
}

static void hex_random(char *out, size_t len)
{
    unsigned char bytes[16];

    if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes)) {
        abort(); /* only a kernel without random numbers: nothing made here would be unique */
    }
    for (size_t i = 0; 2 * i + 2 < len + 1; i++) {
        (void)snprintf(out + 2 * i, 3, "%02x", bytes[i]);
    }
}

static void id_make(char id[ID_LEN])
{
    char hex[33];

    hex_random(hex, 32);
    (void)snprintf(id, ID_LEN, "%.8s-%.4s-4%.3s-8%.3s-%.12s", hex, hex + 8, hex + 13, hex + 17, hex + 20);
}

static struct span text_of(struct span map, const char *key)
{
    return span_trim(value_str(value_get(map, key), nothing));
}

static void put_some(struct pack *out, const char *key, struct span text)
{
    if (text.len) {
        pack_kv_str(out, key, text);
    }
}

/* --- normal form ------------------------------------------------------------------------------- */

static void choice_put(struct span map, const char *key, const char *const *known, struct pack *out)
{
    struct span said = text_of(map, key);

    while (*known && !span_is_text(said, *known)) {
        known++;
    }
    if (*known) {
        pack_kv_text(out, key, *known);
    }
}

static void policy_put(struct span map, struct pack *out)
{
    static const char *const securities[] = { "deny", "allowlist", "full", NULL };
    static const char *const asks[] = { "off", "on-miss", "always", NULL };
    struct span skills = value_get(map, "autoAllowSkills");

    choice_put(map, "security", securities, out);
    choice_put(map, "ask", asks, out);
    choice_put(map, "askFallback", securities, out);
    if (value_kind_of(skills) == VALUE_BOOL) {
        pack_kv_raw(out, "autoAllowSkills", skills);
    }
}

/* One entry of an allow list: a map, or in old files the pattern alone. */
static void entry_put(struct span entry, struct pack *out)
{
    struct value_iter iter = value_iter(entry);
    struct span pattern =
        value_kind_of(entry) == VALUE_STR ? span_trim(value_str(entry, nothing)) : text_of(entry, "pattern");
    struct span key;
    struct span item;
    char id[ID_LEN];

    if (!pattern.len) {
        return;
    }
    pack_map_begin(out);
    if (!text_of(entry, "id").len) {
        id_make(id);
        pack_kv_text(out, "id", id);
    }
    if (value_kind_of(entry) == VALUE_STR) {
        pack_kv_str(out, "pattern", pattern);
    }
    while (value_kind_of(entry) == VALUE_MAP && value_next(&iter, &key, &item)) {
        if (!span_is(key, SPAN_LIT("commandText"))) {
            pack_key_span(out, key);
            pack_raw(out, item);
        }
    }
    pack_map_end(out);
}

static void list_put(struct span list, struct pack *out)
{
    struct value_iter iter = value_iter(list);
    struct span key;
    struct span item;

    while (value_kind_of(list) == VALUE_ARRAY && value_next(&iter, &key, &item)) {
        entry_put(item, out);
    }
}

/* `more` is the entry under the old name of the main agent, or nothing. */
static void agent_put(struct span agent, struct span more, struct pack *out)
{
    struct value_iter iter = value_iter(agent);
    struct span key;
    struct span item;

    pack_map_begin(out);
    policy_put(agent.len ? agent : more, out);
    while (value_next(&iter, &key, &item)) {
        if (!span_is(key, SPAN_LIT("security")) && !span_is(key, SPAN_LIT("ask")) &&
            !span_is(key, SPAN_LIT("askFallback")) && !span_is(key, SPAN_LIT("autoAllowSkills")) &&
            !span_is(key, SPAN_LIT("allowlist"))) {
            pack_key_span(out, key);
            pack_raw(out, item);
        }
    }
    if (value_get(agent, "allowlist").len || value_get(more, "allowlist").len) {
        pack_key(out, "allowlist");
        pack_array_begin(out);
        list_put(value_get(agent, "allowlist"), out);
        list_put(value_get(more, "allowlist"), out);
        pack_array_end(out);
    }
    pack_map_end(out);
}

static void agents_put(struct span agents, struct pack *out)
{
    struct value_iter iter = value_iter(agents);
    struct span old = value_get(agents, "default");
    struct span key;
    struct span item;

    pack_map_begin(out);
    while (value_next(&iter, &key, &item)) {
        bool is_main = span_is(key, SPAN_LIT("main"));

        if (!span_is(key, SPAN_LIT("default")) && value_kind_of(item) == VALUE_MAP) {
            pack_key_span(out, key);
            agent_put(item, is_main ? old : nothing, out);
        }
    }
    if (old.len && !value_get(agents, "main").len) {
        pack_key(out, "main");
        agent_put(nothing, old, out);
    }
    pack_map_end(out);
}

static void normalize_with(struct span file, struct span path, struct span token, struct pack *out)
{
    pack_map_begin(out);
    pack_kv_i64(out, "version", 1);
    pack_key(out, "socket");
    pack_map_begin(out);
    put_some(out, "path", path);
    put_some(out, "token", token);
    pack_map_end(out);
    pack_key(out, "defaults");
    pack_map_begin(out);
    policy_put(value_get(file, "defaults"), out);
    pack_map_end(out);
    pack_key(out, "agents");
    agents_put(value_get(file, "agents"), out);
    pack_map_end(out);
}

/* Appends the map {version, socket, defaults, agents} of what `file` (a map) says: unknown
 * values of security, ask and askFallback are left out, entries of an allow list get ids
 * and lose the text of the command, the agent "default" of old files becomes "main". */
static void normalize(struct span file, struct pack *out)
{
    struct span socket = value_get(file, "socket");

    normalize_with(file, text_of(socket, "path"), text_of(socket, "token"), out);
}

int approvals_file_complete(const struct approvals_file *self, struct span file, struct pack *out)
{
    struct span socket = value_get(file, "socket");
    struct span before = value_get(pack_span(&self->content), "socket");
    struct span path = text_of(socket, "path");
    struct span token = text_of(socket, "token");
    char fresh_path[PATH_MAX];
    char fresh_token[TOKEN_LEN];

    path = path.len ? path : text_of(before, "path");
    token = token.len ? token : text_of(before, "token");
    if (!path.len) {
        /* Beside the file; its own name is as long. */
        (void)snprintf(fresh_path, sizeof(fresh_path), "%.*s.sock", (int)(strlen(self->path) - 5), self->path);
        path = span_from(fresh_path);
    }
    if (!token.len) {
        hex_random(fresh_token, TOKEN_LEN - 1);
        token = span_from(fresh_token);
    }
    normalize_with(file, path, token, out);
    return pack_error(out);
}

/* --- reading ------------------------------------------------------------------------------------- */

static int bytes_read(struct approvals_file *self, struct text_buf *bytes, struct approvals_error *error)
{
    CLEANUP(fd_close) int fd = open(self->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe would keep us */
    char chunk[8192];
    struct stat st;
    ssize_t n;

    self->exists = fd >= 0;
    if (fd < 0) {
        return errno == ENOENT ? 0 : refuse(error, self->path, "read the file");
    }
    if (fstat(fd, &st)) {
        return refuse(error, self->path, "read the file");
    }
    if (!S_ISREG(st.st_mode)) {
        (void)snprintf(error->text, sizeof(error->text), "%.300s: no regular file; remove it", self->path);
        return APPROVALS_E_REFUSED;
    }
    while ((n = read(fd, chunk, sizeof(chunk))) > 0) {
        if (bytes->len > APPROVALS_FILE_MAX) {
            errno = EFBIG;
            return refuse(error, self->path, "read the file");
        }
        if (text_buf_add(bytes, (struct span){ chunk, (size_t)n })) {
            return FAULT(-ENOMEM);
        }
    }
    return n < 0 ? refuse(error, self->path, "read the file") : 0;
}

/* A file that cannot be understood is refused rather than taken for an empty one, which the
 * next save would put in its place. */
static int content_read(struct approvals_file *self, struct span bytes, struct approvals_error *error)
{
    struct json_opts opts = { .depth_max = 0, .json5 = true };
    struct json_error json;
    CLEANUP(pack_deinit) struct pack parsed;

    pack_init(&parsed, APPROVALS_FILE_MAX);
    if (json_to_pack(bytes, &opts, &parsed, &json)) {
        (void)snprintf(error->text, sizeof(error->text),
                       "%.300s: not JSON at line %u, column %u: expected %.80s; correct the file or remove it",
                       self->path, json.line, json.column, json.expected);
        return APPROVALS_E_REFUSED;
    }
    if (value_i64(value_get(pack_span(&parsed), "version"), 0) != 1) {
        (void)snprintf(error->text, sizeof(error->text), "%.300s: \"version\" must be 1; correct the file or remove it",
                       self->path);
        return APPROVALS_E_REFUSED;
    }
    normalize(pack_span(&parsed), &self->content);
    return pack_error(&self->content);
}

static int load(struct approvals_file *self, struct approvals_error *error)
{
    CLEANUP(text_buf_deinit) struct text_buf bytes = { 0 };
    int r = bytes_read(self, &bytes, error);

    r = r ? r : hash_of((struct span){ bytes.data, bytes.len }, self->hash);
    if (r) {
        return r;
    }
    pack_reset(&self->content);
    if (self->exists) {
        return content_read(self, (struct span){ bytes.data, bytes.len }, error);
    }
    normalize(nothing, &self->content);
    return pack_error(&self->content);
}

int approvals_file_load(struct approvals_file *self, const char *state_dir, struct approvals_error *error)
{
    if (snprintf(self->path, sizeof(self->path), "%s/" NAME, state_dir) >= (int)sizeof(self->path)) {
        errno = ENAMETOOLONG;
        return refuse(error, state_dir, "name the file");
    }
    return load(self, error);
}

/* --- writing --------------------------------------------------------------------------------------- */

static int replace(const char *path, struct span bytes, struct approvals_error *error)
{
    char fresh[PATH_MAX + 16];
    struct stat st;

    if (!lstat(path, &st) && !S_ISREG(st.st_mode)) {
        errno = ELOOP; /* a link would be replaced by a file, and what it names left as it is */
        return refuse(error, path, "replace what is no plain file");
    }
    (void)snprintf(fresh, sizeof(fresh), "%s.%ld.new", path, (long)getpid());
    (void)unlink(fresh); /* left by a process of the same number that was killed */
    CLEANUP(fd_close) int fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return refuse(error, fresh, "create the file");
    }
    if (durable_write(fd, bytes) || rename(fresh, path)) {
        int r = refuse(error, path, "write the file");

        (void)unlink(fresh); /* it is of no use */
        return r;
    }
    return 0;
}

int approvals_file_save(struct approvals_file *self, struct span content, struct approvals_error *error)
{
    CLEANUP(text_buf_deinit) struct text_buf text = { 0 };
    int r = json_from_value_pretty(content, &text);

    r = r ? r : text_buf_add(&text, SPAN_LIT("\n"));
    r = r ? r : replace(self->path, (struct span){ text.data, text.len }, error);
    return r ? r : load(self, error);
}

/* --- showing ----------------------------------------------------------------------------------------- */

void approvals_file_show(const struct approvals_file *self, struct pack *out)
{
    struct span file = pack_span(&self->content);
    struct span path = text_of(value_get(file, "socket"), "path");

    pack_map_begin(out);
    pack_kv_text(out, "path", self->path);
    pack_kv_bool(out, "exists", self->exists);
    pack_kv_text(out, "hash", self->hash);
    pack_key(out, "file");
    pack_map_begin(out);
    pack_kv_i64(out, "version", 1);
    if (path.len) {
        pack_key(out, "socket");
        pack_map_begin(out);
        pack_kv_str(out, "path", path);
        pack_map_end(out);
    }
    pack_kv_raw(out, "defaults", value_get(file, "defaults"));
    pack_kv_raw(out, "agents", value_get(file, "agents"));
    pack_map_end(out);
    pack_map_end(out);
}
