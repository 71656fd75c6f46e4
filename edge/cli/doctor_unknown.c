/*
 * doctor_unknown: keys that nobody knows, in sections that are served. They are taken out of the file that says them.
 */
#include <stdio.h>
#include <string.h>

#include "bus/base/cleanup.h"
#include "edge/cli/doctor.h"
#include "edge/cli/doctor_write.h"
#include "schema/base/config_document.h"
#include "schema/base/config_shape.h"
#include "schema/base/json5_edit.h"

#define PLACE_MAX 512
#define UNKNOWN_MAX 64U /* keys that are taken out by one repair */

static struct span text_span(const struct text_buf *text)
{
    return (struct span){ text->data ? text->data : "", text->len };
}

struct unknown {
    struct doctor *self;
    const struct config_document *document;
    bool is_again; /* something was taken out; what is left must be looked at anew */
};

/* What another file says is a person's to put elsewhere. */
static bool names_file(struct span text, const struct json5_item *item)
{
    return memmem(text.ptr + item->value_at, item->value_end - item->value_at, "$include", 8) != NULL;
}

/* Takes the key out of the file that says it. NULL: nobody does, or it is not for us to change. */
static const char *unknown_remove(struct unknown *unknown, const struct config_shape_issue *issue)
{
    struct doctor *self = unknown->self;
    CLEANUP(text_buf_deinit) struct text_buf without = { .is_secret = true };
    const struct config_source *source;
    struct text_buf *text = &self->fresh;
    const char *path = self->cli->paths.config_path;
    struct json5_item item;
    size_t found = json5_find(text_span(text), issue->steps, issue->where_n, &item);
    size_t mount_n = 0;

    if (found != issue->where_n && unknown->document->sources.n > 1) {
        source = config_sources_find(&unknown->document->sources, issue->steps, issue->where_n, &item, &found);
        struct doctor_included *file = found == issue->where_n && source->mount_n < issue->where_n
                                           ? doctor_included_open(self, &unknown->document->sources, source)
                                           : NULL;
        if (!file) {
            return NULL;
        }
        mount_n = source->mount_n;
        text = &file->fresh;
        path = file->path;
    }
    if (found != issue->where_n || names_file(text_span(text), &item) ||
        json5_remove(text_span(text), issue->steps + mount_n, issue->where_n - mount_n, &without)) {
        return NULL;
    }
    struct text_buf old = *text;
    *text = without;
    without = old;
    return path;
}

static void on_issue(void *arg, const struct config_shape_issue *issue)
{
    struct unknown *unknown = arg;
    struct doctor *self = unknown->self;
    char place[PLACE_MAX];

    if (unknown->is_again || issue->where_n <= issue->steps_n) {
        return; /* told as what it is when the keys that can go are gone */
    }
    config_shape_place(issue->steps, issue->where_n, false, place, sizeof(place));
    const char *path = unknown_remove(unknown, issue);
    if (!path) {
        return;
    }
    bool is_included = path != self->cli->paths.config_path;
    struct doctor_finding *finding = doctor_add(self, "config", DOCTOR_PROBLEM, "nobody knows %s%s%s: %s", place,
                                                is_included ? " of " : "", is_included ? path : "", issue->message);
    finding->repair = is_included ? doctor_write_included : doctor_write_edited;
    (void)snprintf(finding->path, sizeof(finding->path), "%s", path);
    doctor_fix_say(finding, "remove %s%s%s; the text with it is kept as %s.bak", place, is_included ? " from " : "",
                   is_included ? path : "", path);
    unknown->is_again = true;
}

/* The document as it would be; of files that make up none, what the config file says by itself. 0, 1 or a fault. */
static int unknown_document(struct doctor *self, struct config_document *document)
{
    struct config_error error = { "" };
    int r = doctor_included_build(self, document, &error);

    if (r <= 0 || doctor_included_is_read(document)) {
        return r < 0 ? r : 0;
    }
    config_document_deinit(document);
    config_document_init(document);
    return config_document_build_alone(document, text_span(&self->fresh), &error);
}

/* One key at a time: a place found before a removal may be another after it. */
int doctor_unknown_look(struct doctor *self)
{
    for (unsigned i = 0; i < UNKNOWN_MAX; i++) {
        CLEANUP(config_document_deinit) struct config_document document;
        struct unknown unknown = { .self = self, .document = &document };

        config_document_init(&document);
        int r = unknown_document(self, &document);
        if (r) {
            return r < 0 ? r : 0;
        }
        (void)config_shape_check(pack_span(&document.source), on_issue, &unknown); /* told by on_issue, and later */
        if (!unknown.is_again) {
            return 0;
        }
    }
    return 0;
}
