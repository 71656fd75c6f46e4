#include "schema/base/config_sources.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bus/base/cleanup.h"
#include "bus/base/fault.h"
#include "bus/base/mem.h"
#include "bus/value.h"
#include "schema/base/config_merge.h"

#define INCLUDE "$include"
#define ROOTS_MAX 16
#define STEPS_MAX 64
#define PLACE_MAX 340 /* of a path, with line and column */
#define NOTHING ((struct span){ 0 })

struct load {
    struct config_sources *sources;
    struct config_error *error;
    char roots[ROOTS_MAX][PATH_MAX]; /* links resolved; the first is the config file's directory */
    size_t roots_n;
    struct json5_step steps[STEPS_MAX]; /* where in the document we are */
    size_t steps_n;
    size_t chain[CONFIG_INCLUDE_DEPTH_MAX + 1]; /* sources being read, outermost first */
    size_t chain_n;
};

static void source_free(struct config_source *self)
{
    text_buf_deinit(&self->text);
    pack_deinit(&self->doc);
    free(self->mount);
    free(self);
}

void config_sources_deinit(struct config_sources *self)
{
    for (size_t i = 0; i < self->n; i++) {
        source_free(self->items[i]);
    }
    free(self->items);
    *self = (struct config_sources){ 0 };
}

/* --- refusing --------------------------------------------------------------------------------------- */

/* "file:line:column" of the $include in hand. */
static void place_tell(const struct load *self, char *out, size_t out_size)
{
    const struct config_source *source = self->sources->items[self->chain[self->chain_n - 1]];
    struct span text = { source->text.data, source->text.len };
    size_t skip = source->mount_n < self->steps_n ? source->mount_n : self->steps_n;
    struct json5_item item;
    unsigned column = 0;

    (void)json5_find(text, self->steps + skip, self->steps_n - skip, &item);
    unsigned line = json5_line_of(text, item.key_at, &column);
    (void)snprintf(out, out_size, "%.300s:%u:%u", source->path, line, column); /* it fits */
}

/* The text says why, of the path `what`, or of none; file and line of the $include in hand go before it. */
static int refuse(struct load *self, const char *why, const char *what)
{
    char place[PLACE_MAX];

    place_tell(self, place, sizeof(place));
    (void)snprintf(self->error->text, sizeof(self->error->text), "%s: " INCLUDE "%s%.200s%s %s", place,
                   what[0] ? " \"" : "", what, what[0] ? "\"" : "", why);
    return CONFIG_SOURCES_E_REFUSED;
}

/* The fault is in the file that was included. */
static int refuse_included(struct load *self, size_t index, const char *why)
{
    char place[PLACE_MAX];

    place_tell(self, place, sizeof(place));
    (void)snprintf(self->error->text, sizeof(self->error->text),
                   "%.300s: must hold an object, since %s; included at %s", self->sources->items[index]->path, why,
                   place);
    return CONFIG_SOURCES_E_REFUSED;
}

/* --- files ------------------------------------------------------------------------------------------- */

/* NULL: no memory. */
static struct config_source *source_add(struct load *self, const char *path)
{
    struct config_sources *all = self->sources;
    struct config_source **grown = realloc(all->items, (all->n + 1) * sizeof(struct config_source *));

    if (!grown) {
        return NULL;
    }
    all->items = grown;
    struct config_source *source = mem_new(sizeof(*source));
    (void)snprintf(source->path, sizeof(source->path), "%s", path);
    pack_init_secret(&source->doc, 0);
    source->text.is_secret = true;
    source->outer = self->chain_n ? self->chain[self->chain_n - 1] : 0;
    source->mount_n = self->steps_n;
    if (self->steps_n) {
        source->mount = mem_new(self->steps_n * sizeof(struct json5_step));
        memcpy(source->mount, self->steps, self->steps_n * sizeof(struct json5_step));
    }
    all->items[all->n++] = source;
    return source;
}

/* Directory of the including file before a relative name; "~/" is the home directory. */
static bool include_path(const struct config_source *from, struct span name, char out[PATH_MAX])
{
    const char *slash = strrchr(from->path, '/');
    const char *home = getenv("HOME"); /* NOLINT(concurrency-mt-unsafe): nobody sets variables after the start */

    if (name.len && name.ptr[0] == '/') {
        return snprintf(out, PATH_MAX, "%.*s", SPAN_FMT(name)) < PATH_MAX;
    }
    if (span_starts(name, "~/") && home) {
        return snprintf(out, PATH_MAX, "%s%.*s", home, (int)name.len - 1, name.ptr + 1) < PATH_MAX;
    }
    return snprintf(out, PATH_MAX, "%.*s/%.*s", slash ? (int)(slash - from->path) : 1, slash ? from->path : ".",
                    SPAN_FMT(name)) < PATH_MAX;
}

static bool is_inside(const char *path, const char *root)
{
    size_t len = strlen(root);

    return !strcmp(root, "/") || (!strncmp(path, root, len) && (path[len] == '/' || !path[len]));
}

static bool is_confined(const struct load *self, const char *real)
{
    for (size_t i = 0; i < self->roots_n; i++) {
        if (is_inside(real, self->roots[i])) {
            return true;
        }
    }
    return false;
}

static void root_add(struct load *self, const char *path)
{
    char real[PATH_MAX];

    if (self->roots_n < ROOTS_MAX && realpath(path, real)) {
        memcpy(self->roots[self->roots_n++], real, sizeof(real));
    }
}

static void roots_find(struct load *self, const char *config_path, struct config_lookup lookup)
{
    const char *list = lookup.find(lookup.arg, "OPENCLAW_INCLUDE_ROOTS");
    const char *home = lookup.find(lookup.arg, "HOME");
    const char *slash = strrchr(config_path, '/');
    char part[PATH_MAX];

    (void)snprintf(part, sizeof(part), "%.*s", slash ? (int)(slash - config_path) + (slash == config_path) : 1,
                   slash ? config_path : ".");
    root_add(self, part);
    while (list && *list) {
        size_t len = strcspn(list, ":");
        bool is_home = home && list[0] == '~' && (list[1] == '/' || len == 1);

        int n = snprintf(part, sizeof(part), "%s%.*s", is_home ? home : "", (int)(len - is_home), list + is_home);
        if (n > 0 && n < (int)sizeof(part) && part[0] == '/') {
            root_add(self, part);
        }
        list += len + (list[len] == ':');
    }
}

/* --- one document --------------------------------------------------------------------------------------- */

static int value_resolve(struct load *self, struct span value, struct pack *out);

static int text_read(const struct config_sources *self, const char *path, struct text_buf *text,
                     struct config_error *error)
{
    const struct config_overlay *overlay = self->overlay;

    while (overlay && strcmp(overlay->path, path) != 0) {
        overlay = overlay->next;
    }
    int r = overlay ? text_buf_add(text, overlay->text) : config_file_read(path, text, error);

    return r ? r : text_buf_reserve(text, 1); /* an empty file is not the same as none */
}

/* Parses what `source` holds and resolves it into `out`. */
static int source_resolve(struct load *self, size_t index, struct pack *out)
{
    struct config_source *source = self->sources->items[index];
    struct span text = { source->text.data, source->text.len };
    int r = index ? config_file_parse_value(text, source->path, &source->doc, self->error)
                  : config_file_parse(text, source->path, &source->doc, self->error);

    if (r) {
        return r > 0 ? CONFIG_SOURCES_E_REFUSED : r;
    }
    self->chain[self->chain_n++] = index;
    r = value_resolve(self, pack_span(&source->doc), out);
    self->chain_n--;
    return r;
}

static const char *file_name(const struct load *self, size_t chain_at)
{
    const char *path = self->sources->items[self->chain[chain_at]]->path;
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

/* The file in hand includes one that is being read already: the chain from there to here, and back. */
static int circle_refuse(struct load *self, size_t from, const char *shown)
{
    char why[400] = "is circular: ";
    size_t len = strlen(why);

    for (size_t i = from; i < self->chain_n && len < sizeof(why); i++) {
        len += (size_t)snprintf(why + len, sizeof(why) - len, "%s includes ", file_name(self, i));
        if (i + 1 == self->chain_n && len < sizeof(why)) {
            (void)snprintf(why + len, sizeof(why) - len, "%.*s", (int)(sizeof(why) - len - 1),
                           i == from ? "itself" : file_name(self, from)); /* cut, if need be */
        } else if (len < sizeof(why)) {
            len += (size_t)snprintf(why + len, sizeof(why) - len, "%s, ", file_name(self, i + 1));
        }
    }
    return refuse(self, why, shown);
}

static int circle_check(struct load *self, const char *real, const char *shown)
{
    for (size_t i = 0; i < self->chain_n; i++) {
        char above[PATH_MAX];

        if (realpath(self->sources->items[self->chain[i]]->path, above) && !strcmp(above, real)) {
            return circle_refuse(self, i, shown);
        }
    }
    return 0;
}

/* A file that is not there yet is watched for, where it may be read at all. Without memory it is not. */
static void missing_add(struct load *self, const char *path)
{
    const char *name = strrchr(path, '/');
    char folder[PATH_MAX];
    char real[PATH_MAX];
    char whole[2 * PATH_MAX];

    if (!name) {
        return;
    }
    (void)snprintf(folder, sizeof(folder), "%.*s", name == path ? 1 : (int)(name - path), path); /* it fits */
    if (realpath(folder, real)) {
        (void)snprintf(whole, sizeof(whole), "%s%s", real, name); /* it fits */
        if (is_confined(self, whole)) {
            (void)source_add(self, whole);
        }
    }
}

static int include_check(struct load *self, struct span name, char ret_real[PATH_MAX])
{
    const struct config_source *from = self->sources->items[self->chain[self->chain_n - 1]];
    char path[PATH_MAX];
    char shown[256];

    (void)snprintf(shown, sizeof(shown), "%.*s", SPAN_FMT(name));
    if (!name.len || memchr(name.ptr, '\0', name.len) || !include_path(from, name, path)) {
        return refuse(self, "is no path of a file", shown);
    }
    int r = realpath(path, ret_real) ? circle_check(self, ret_real, shown) : 0;
    if (r) {
        return r;
    }
    if (self->chain_n > CONFIG_INCLUDE_DEPTH_MAX) {
        return refuse(self, "is nested deeper than 10 files", shown);
    }
    if (self->sources->n >= CONFIG_SOURCES_MAX) {
        return refuse(self, "is one file too many: a config is at most 256 files", shown);
    }
    if (!realpath(path, ret_real)) {
        bool is_missing = errno == ENOENT;

        missing_add(self, path);
        return refuse(self, is_missing ? "names a file that does not exist" : "names a file that cannot be read",
                      shown);
    }
    if (!is_confined(self, ret_real)) {
        return refuse(self,
                      "leads out of the directory of the config file: move the file there, or name its directory in "
                      "OPENCLAW_INCLUDE_ROOTS",
                      shown);
    }
    return 0;
}

static int include_read(struct load *self, struct span name, bool is_alone, struct pack *out)
{
    char real[PATH_MAX];
    char shown[256];
    int r = include_check(self, name, real);

    if (r) {
        return r;
    }
    struct config_source *source = source_add(self, real);
    if (!source) {
        return FAULT(-ENOMEM);
    }
    source->is_alone = is_alone;
    size_t index = self->sources->n - 1;
    r = text_read(self->sources, real, &source->text, self->error);
    if (r) {
        return r > 0 ? CONFIG_SOURCES_E_REFUSED : r;
    }
    self->sources->bytes += source->text.len;
    if (self->sources->bytes > CONFIG_SOURCES_BYTES_MAX) {
        (void)snprintf(shown, sizeof(shown), "%.*s", SPAN_FMT(name));
        return refuse(self, "makes the config larger than 16 MiB", shown);
    }
    return source_resolve(self, index, out);
}

/* Lays the file over what `merged` holds. */
static int include_merge(struct load *self, struct span name, bool is_alone, struct pack *merged)
{
    CLEANUP(pack_deinit) struct pack one;
    CLEANUP(pack_deinit) struct pack both;

    pack_init(&one, 0);
    pack_init(&both, 0);
    int r = include_read(self, name, is_alone, &one);
    if (r) {
        return r;
    }
    config_merge_join(pack_span(merged), pack_span(&one), &both);
    pack_reset(merged);
    pack_raw(merged, pack_span(&both));
    return both.fault ? both.fault : merged->fault;
}

static int includes_read(struct load *self, struct span names, bool has_siblings, struct pack *merged)
{
    struct value_iter it = value_iter(names);
    struct span key;
    struct span name;
    int r = 0;

    if (value_kind_of(names) == VALUE_STR) {
        return include_merge(self, value_str(names, NOTHING), !has_siblings, merged);
    }
    if (value_kind_of(names) != VALUE_ARRAY || !value_count(names)) {
        return refuse(self, "must be a path or a list of paths", "");
    }
    while (!r && value_next(&it, &key, &name)) {
        r = value_kind_of(name) == VALUE_STR ? include_merge(self, value_str(name, NOTHING), false, merged)
                                             : refuse(self, "must be a path or a list of paths", "");
    }
    return r;
}

static int member_resolve(struct load *self, struct json5_step step, struct span value, struct pack *out)
{
    if (self->steps_n == STEPS_MAX) {
        return refuse(self, "is nested deeper than 64 levels", "");
    }
    self->steps[self->steps_n++] = step;
    int r = value_resolve(self, value, out);
    self->steps_n--;
    return r;
}

static int map_resolve(struct load *self, struct span map, struct pack *out)
{
    struct value_iter it = value_iter(map);
    struct span key;
    struct span item;
    int r = 0;

    pack_map_begin(out);
    while (!r && value_next(&it, &key, &item)) {
        if (!span_is_text(key, INCLUDE)) {
            pack_key_span(out, key);
            r = member_resolve(self, (struct json5_step){ .key = key }, item, out);
        }
    }
    pack_map_end(out);
    return r ? r : out->fault;
}

static int include_resolve(struct load *self, struct span map, struct span names, struct pack *out)
{
    CLEANUP(pack_deinit) struct pack merged;
    CLEANUP(pack_deinit) struct pack beside;
    bool has_siblings = value_count(map) > 1;
    size_t index = self->sources->n; /* of the first file that this includes */

    pack_init(&merged, 0);
    pack_init(&beside, 0);
    int r = includes_read(self, names, has_siblings, &merged);
    for (size_t i = index; i < self->sources->n; i++) {
        struct config_source *source = self->sources->items[i];
        source->is_beside = source->is_beside || (has_siblings && source->outer == self->chain[self->chain_n - 1]);
    }
    if (r || !has_siblings) {
        pack_raw(out, r ? SPAN_LIT("\xc0") : pack_span(&merged));
        return r ? r : out->fault;
    }
    if (value_kind_of(pack_span(&merged)) != VALUE_MAP) {
        return refuse_included(self, index, "other keys stand beside it");
    }
    r = map_resolve(self, map, &beside);
    config_merge_join(pack_span(&merged), pack_span(&beside), out);
    return r ? r : out->fault;
}

static int value_resolve(struct load *self, struct span value, struct pack *out)
{
    struct span names = value_get(value, INCLUDE);
    struct value_iter it = value_iter(value);
    struct span key;
    struct span item;
    int r = 0;

    if (names.len) {
        return include_resolve(self, value, names, out);
    }
    if (value_kind_of(value) == VALUE_MAP) {
        return map_resolve(self, value, out);
    }
    if (value_kind_of(value) != VALUE_ARRAY) {
        pack_raw(out, value);
        return out->fault;
    }
    pack_array_begin(out);
    for (size_t i = 0; !r && value_next(&it, &key, &item); i++) {
        r = member_resolve(self, (struct json5_step){ .index = i }, item, out);
    }
    pack_array_end(out);
    return r ? r : out->fault;
}

/* --- loading ------------------------------------------------------------------------------------------------ */

int config_sources_load_text(const char *path, struct text_buf *text, struct config_lookup lookup,
                             struct config_sources *self, struct pack *doc, struct config_error *error)
{
    struct load *load = mem_new(sizeof(*load));

    load->sources = self;
    load->error = error;
    roots_find(load, path, lookup);
    struct config_source *source = source_add(load, path);
    int r = source ? 0 : FAULT(-ENOMEM);
    if (source) {
        source->is_alone = true;
        source->text = *text;
        *text = (struct text_buf){ 0 };
        self->bytes = source->text.len;
        r = source_resolve(load, 0, doc);
    }
    r = r ? r : pack_error(doc);
    if (!r && value_kind_of(pack_span(doc)) != VALUE_MAP) {
        (void)snprintf(error->text, sizeof(error->text), "%.500s: must hold an object, since it is the whole config",
                       self->items[self->n > 1 ? 1 : 0]->path);
        r = CONFIG_SOURCES_E_REFUSED;
    }
    free(load);
    return r;
}

int config_sources_load(const char *path, struct config_lookup lookup, struct config_sources *self, struct pack *doc,
                        struct config_error *error)
{
    CLEANUP(text_buf_deinit) struct text_buf text = { 0 };
    int r = text_read(self, path, &text, error);

    if (r) {
        return r == CONFIG_FILE_E_ABSENT ? CONFIG_SOURCES_E_ABSENT : r > 0 ? CONFIG_SOURCES_E_REFUSED : r;
    }
    return config_sources_load_text(path, &text, lookup, self, doc, error);
}

/* --- telling where ------------------------------------------------------------------------------------------- */

static bool step_is(const struct json5_step *a, const struct json5_step *b)
{
    return a->key.ptr ? b->key.ptr && span_is(a->key, b->key) : !b->key.ptr && a->index == b->index;
}

static bool is_mounted_above(const struct config_source *source, const struct json5_step *steps, size_t steps_n)
{
    if (source->mount_n > steps_n) {
        return false;
    }
    for (size_t i = 0; i < source->mount_n; i++) {
        if (!step_is(&source->mount[i], &steps[i])) {
            return false;
        }
    }
    return true;
}

const struct config_source *config_sources_find(const struct config_sources *self, const struct json5_step *steps,
                                                size_t steps_n, struct json5_item *ret_item, size_t *ret_found)
{
    const struct config_source *best = NULL;
    size_t best_found = 0;

    for (size_t i = 0; i < self->n; i++) {
        const struct config_source *source = self->items[i];
        struct span text = { source->text.data, source->text.len };
        struct json5_item item;

        if (!source->text.data || !is_mounted_above(source, steps, steps_n)) {
            continue;
        }
        size_t found = source->mount_n + json5_find(text, steps + source->mount_n, steps_n - source->mount_n, &item);
        /* What stands beside an $include is laid over it; of several files the last counts. */
        bool is_over = best && source->outer < i && best == self->items[source->outer];
        if (!best || found > best_found || (found == best_found && (!is_over || found == source->mount_n))) {
            best = source;
            best_found = found;
            *ret_item = item;
        }
    }
    *ret_found = best_found;
    return best;
}

int config_sources_hash(const struct config_sources *self, char ret_hash[CONFIG_FILE_HASH_LEN])
{
    CLEANUP(text_buf_deinit) struct text_buf all = { 0 };
    char hash[CONFIG_FILE_HASH_LEN];
    int r = 0;

    for (size_t i = 0; !r && i < self->n; i++) {
        r = config_file_hash((struct span){ self->items[i]->text.data, self->items[i]->text.len }, hash);
        r = r ? r : text_buf_add(&all, span_from(self->items[i]->path));
        r = r ? r : text_buf_add(&all, span_from(hash));
    }
    return r ? r : config_file_hash((struct span){ all.data, all.len }, ret_hash);
}
