#include "schema/base/config_change.h"

#include <stdio.h>

#include "bus/base/cleanup.h"
#include "bus/base/mem.h"
#include "bus/value.h"
#include "schema/base/config_merge.h"
#include "schema/base/config_path.h"
#include "schema/base/json5_edit.h"

struct job {
    const struct config_document *document;
    const char *path;
    const struct config_change *change;
    struct config_lookup lookup;
    struct config_error *error;
};

static int folded(int r)
{
    return r > 0 ? CONFIG_CHANGE_E_REFUSED : r;
}

/* Appends `doc` with the note of who touched it last. Of when only where that is told already: later versions of the
 * original know no such key, and refuse the config for it. */
static void stamp(const struct job *job, struct span doc, struct pack *out)
{
    CLEANUP(pack_deinit) struct pack note;

    pack_init(&note, 0);
    pack_map_begin(&note);
    pack_key(&note, "meta");
    pack_map_begin(&note);
    pack_kv_text(&note, "lastTouchedVersion", job->change->version);
    if (value_path(doc, "meta.lastTouchedAt").len) {
        pack_kv_text(&note, "lastTouchedAt", job->change->when);
    }
    pack_map_end(&note);
    pack_map_end(&note);
    config_merge(doc, pack_span(&note), out);
}

/* Edits `base` into `wanted`, and notes the change in it when the config file itself changes. */
static int stamped_edit(const struct job *job, const struct config_document *base, struct span wanted,
                        struct config_edit *ret_edit)
{
    CLEANUP(pack_deinit) struct pack stamped;
    CLEANUP(config_edit_deinit) struct config_edit plain = { 0 };
    int r = config_edit(base, wanted, &plain, job->error);

    pack_init_secret(&stamped, 0);
    if (r || (plain.is_changed && plain.source)) {
        *ret_edit = plain;
        plain = (struct config_edit){ 0 };
        return folded(r);
    }
    if (!plain.is_changed && base == job->document) {
        return 0;
    }
    stamp(job, wanted, &stamped);
    r = pack_error(&stamped) ? pack_error(&stamped) : config_edit(base, pack_span(&stamped), ret_edit, job->error);
    if (r > 0) { /* the note is another file's: the change goes without it */
        job->error->text[0] = '\0';
        *ret_edit = plain;
        plain = (struct config_edit){ 0 };
    }
    return r < 0 ? r : 0;
}

/* The text is the author's own: it stays as written but for markers and the note. */
static int text_take(const struct job *job, struct config_edit *ret_edit)
{
    CLEANUP(config_document_deinit) struct config_document base;
    CLEANUP(pack_deinit) struct pack wanted;
    struct config_overlay overlay = { .path = job->path, .text = job->change->raw };

    config_document_init(&base);
    pack_init_secret(&wanted, 0);
    base.sources.overlay = &overlay;
    int r = config_document_load(&base, job->path, job->lookup, job->error);
    r = r ? r : config_restore(pack_span(&base.source), pack_span(&job->document->source), &wanted, job->error);
    r = r ? folded(r) : stamped_edit(job, &base, pack_span(&wanted), ret_edit);
    if (!r && !ret_edit->is_changed) {
        struct span now = config_document_text(job->document);

        ret_edit->is_changed = !job->document->is_present || !span_is(now, job->change->raw);
        ret_edit->text.is_secret = true;
        r = text_buf_add(&ret_edit->text, job->change->raw);
    }
    if (!r && ret_edit->source) {
        (void)snprintf(job->error->text, sizeof(job->error->text),
                       "raw: what the text includes cannot be changed with it: change that file by itself");
        r = CONFIG_CHANGE_E_REFUSED;
    }
    return r;
}

static int raw_parse(const struct job *job, struct pack *out)
{
    int r = config_file_parse(job->change->raw, "raw", out, job->error);

    if (!r && value_get(pack_span(out), "$include").len) {
        (void)snprintf(job->error->text, sizeof(job->error->text), "raw: $include cannot be set this way");
        r = CONFIG_CHANGE_E_REFUSED;
    }
    return folded(r);
}

/* Does any object in there include something? Then the text is one that somebody wrote. */
static bool has_include(struct span value)
{
    struct value_iter it = value_iter(value);
    struct span key;
    struct span item;

    while (value_next(&it, &key, &item)) {
        if (span_is_text(key, "$include") || has_include(item)) {
            return true;
        }
    }
    return false;
}

static int path_refuse(const struct job *job, struct span path, const char *why)
{
    (void)snprintf(job->error->text, sizeof(job->error->text), "replacePaths: %.*s: %s",
                   (int)(path.len > 256 ? 256 : path.len), path.ptr ? path.ptr : "", why);
    return CONFIG_CHANGE_E_REFUSED;
}

/* Takes one place out of the text, so that a merge puts there what the patch has and nothing else. */
static int place_clear(const struct job *job, struct span name, struct span patch, struct text_buf *text)
{
    CLEANUP(text_buf_deinit) struct text_buf without = { .is_secret = true };
    CLEANUP(mem_free) char *place = mem_text(name.len ? name.ptr : "", name.len);
    struct config_path path;

    if (config_path_parse(place, &path)) {
        return path_refuse(job, name, "is no path");
    }
    if (!config_path_find(&path, patch).len) {
        return path_refuse(job, name, "the patch has nothing there");
    }
    int r = json5_remove((struct span){ text->data, text->len }, path.steps, path.n, &without);
    if (r) {
        return r < 0 ? r : 0; /* nothing is there */
    }
    struct text_buf old = *text;
    *text = without;
    without = old;
    return 0;
}

/* The document as written, without the places that the patch replaces as a whole. */
static int replaced_clear(const struct job *job, struct span patch, struct pack *out)
{
    CLEANUP(text_buf_deinit) struct text_buf text = { .is_secret = true };
    struct value_iter it = value_iter(job->change->replace);
    struct span key;
    struct span item;
    int r = json_from_value(pack_span(&job->document->source), &text);

    while (!r && value_next(&it, &key, &item)) {
        r = place_clear(job, value_str(item, (struct span){ 0 }), patch, &text);
    }
    return r ? r : folded(config_file_parse((struct span){ text.data, text.len }, "", out, job->error));
}

int config_change(const struct config_document *document, const char *path, const struct config_change *change,
                  struct config_lookup lookup, struct config_edit *ret_edit, struct config_error *error)
{
    struct job job = { .document = document, .path = path, .change = change, .lookup = lookup, .error = error };
    CLEANUP(pack_deinit) struct pack raw;
    CLEANUP(pack_deinit) struct pack low;
    CLEANUP(pack_deinit) struct pack merged;
    CLEANUP(pack_deinit) struct pack wanted;

    pack_init_secret(&raw, 0);
    pack_init_secret(&low, 0);
    pack_init_secret(&merged, 0);
    pack_init_secret(&wanted, 0);
    bool is_whole = change->kind == CONFIG_CHANGE_REPLACE;
    int r = is_whole && config_file_parse(change->raw, "raw", &raw, error) ? CONFIG_CHANGE_E_REFUSED : 0;
    bool is_own =
        is_whole && !r && (json5_has_comment(change->raw) || !document->is_present || has_include(pack_span(&raw)));
    if (r || is_own) {
        return r ? r : text_take(&job, ret_edit);
    }
    pack_reset(&raw);
    r = raw_parse(&job, &raw);
    if (r) {
        return r;
    }
    if (is_whole) {
        pack_raw(&merged, pack_span(&raw));
    } else {
        r = replaced_clear(&job, pack_span(&raw), &low);
        config_merge_patch(pack_span(&low), pack_span(&raw), &merged);
    }
    if (r) {
        return r;
    }
    r = pack_error(&merged) ? pack_error(&merged)
                            : config_restore(pack_span(&merged), pack_span(&document->source), &wanted, error);
    return r ? folded(r) : stamped_edit(&job, document, pack_span(&wanted), ret_edit);
}
