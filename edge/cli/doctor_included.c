/*
 * doctor_included: keys of earlier formats in files that the config includes. Each is rewritten in the file where it
 * stands, as far as what becomes of it stands there as well; the rest is named, for a person.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus/base/cleanup.h"
#include "bus/base/fault.h"
#include "bus/base/mem.h"
#include "edge/cli/config_legacy.h"
#include "edge/cli/doctor.h"
#include "edge/cli/doctor_write.h"
#include "schema/base/config_document.h"

#define MOVES_MAX 64U   /* of one file; more are left to the next run */
#define INDEX_MAX 1000U /* of a list that a file is an element of */

/* --- the files -------------------------------------------------------------------------------------------- */

static struct span text_span(const struct text_buf *text)
{
    return (struct span){ text->data ? text->data : "", text->len };
}

/* One that stands in several places means something else in each. */
static bool is_of_its_own(const struct config_sources *sources, const struct config_source *source)
{
    size_t n = 0;

    for (size_t i = 0; i < sources->n; i++) {
        n += !strcmp(sources->items[i]->path, source->path);
    }
    return n == 1 && source != sources->items[0];
}

struct doctor_included *doctor_included_open(struct doctor *self, const struct config_sources *sources,
                                             const struct config_source *source)
{
    for (size_t i = 0; i < self->included_n; i++) {
        if (!strcmp(self->included[i]->path, source->path)) {
            return self->included[i];
        }
    }
    if (self->included_n == DOCTOR_INCLUDED_MAX || !is_of_its_own(sources, source)) {
        return NULL;
    }
    struct doctor_included *file = mem_new(sizeof(*file));
    memcpy(file->path, source->path, sizeof(file->path));
    file->disk.is_secret = true;
    file->fresh.is_secret = true;
    self->included[self->included_n++] = file;
    if (text_buf_add(&file->disk, text_span(&source->text)) || text_buf_add(&file->fresh, text_span(&source->text))) {
        self->included_n--;
        text_buf_deinit(&file->disk);
        text_buf_deinit(&file->fresh);
        free(file);
        return NULL;
    }
    return file;
}

int doctor_included_build(struct doctor *self, struct config_document *document, struct config_error *error)
{
    struct config_overlay *overlays = mem_new((self->included_n + 1) * sizeof(*overlays));
    struct text_buf copy = { .is_secret = true };

    for (size_t i = 0; i < self->included_n; i++) {
        overlays[i] = (struct config_overlay){ .next = i ? &overlays[i - 1] : NULL,
                                               .path = self->included[i]->path,
                                               .text = text_span(&self->included[i]->fresh) };
        document->sources.overlay = &overlays[i];
    }
    int r = text_buf_add(&copy, text_span(&self->fresh));
    r = r ? r : config_document_build(document, self->cli->paths.config_path, &copy, config_lookup_process(), error);
    document->sources.overlay = NULL;
    free(overlays);
    return r;
}

bool doctor_included_is_read(const struct config_document *document)
{
    return document->hash[0]; /* is taken once they do */
}

/* --- keys of earlier formats -------------------------------------------------------------------------------- */

struct moves {
    struct {
        char says[CONFIG_LEGACY_SAYS_MAX];
        bool is_done;
    } items[MOVES_MAX];
    size_t n;
};

static void on_move(void *arg, const char *says, bool is_done)
{
    struct moves *moves = arg;

    if (moves->n < MOVES_MAX) {
        moves->items[moves->n].is_done = is_done;
        (void)snprintf(moves->items[moves->n++].says, CONFIG_LEGACY_SAYS_MAX, "%s", says);
    }
}

/* What stands around a file that is mounted at these steps, up to it and after it. */
static int frame_make(const struct config_source *source, struct text_buf *head, struct text_buf *tail)
{
    int r = 0;

    for (size_t i = 0; !r && i < source->mount_n; i++) {
        const struct json5_step *step = &source->mount[i];
        CLEANUP(pack_deinit) struct pack key;

        pack_init(&key, 0);
        pack_str(&key, step->key);
        r = text_buf_add(head, step->key.ptr ? SPAN_LIT("{") : SPAN_LIT("["));
        r = r || !step->key.ptr ? r : json_from_value(pack_span(&key), head);
        r = r || !step->key.ptr ? r : text_buf_add(head, SPAN_LIT(":"));
        for (size_t at = 0; !r && !step->key.ptr && at < step->index; at++) {
            r = text_buf_add(head, SPAN_LIT("{},"));
        }
    }
    for (size_t i = source->mount_n; !r && i > 0; i--) {
        r = text_buf_add(tail, source->mount[i - 1].key.ptr ? SPAN_LIT("}") : SPAN_LIT("]"));
    }
    return r;
}

static bool is_frameable(const struct config_source *source)
{
    for (size_t i = 0; i < source->mount_n; i++) {
        if (!source->mount[i].key.ptr && source->mount[i].index > INDEX_MAX) {
            return false;
        }
    }
    return true;
}

/* The text of the file as it would be written today. False when something has to go to another file. */
static int file_move(const struct config_source *source, struct moves *moves, struct text_buf *ret_text, bool *ret_fits)
{
    CLEANUP(text_buf_deinit) struct text_buf head = { 0 };
    CLEANUP(text_buf_deinit) struct text_buf tail = { 0 };
    CLEANUP(text_buf_deinit) struct text_buf moved = { .is_secret = true };
    CLEANUP(text_buf_deinit) struct text_buf whole = { .is_secret = true };
    CLEANUP(pack_deinit) struct pack parsed;
    struct config_error ignored;
    int r = frame_make(source, &head, &tail);

    pack_init_secret(&parsed, 0);
    r = r ? r : text_buf_add(&whole, text_span(&head));
    r = r ? r : text_buf_add(&whole, text_span(&source->text));
    r = r ? r : text_buf_add(&whole, SPAN_LIT("\n")); /* the last line may be a comment */
    r = r ? r : text_buf_add(&whole, text_span(&tail));
    r = r ? r : config_legacy_move(text_span(&whole), on_move, moves, &moved);
    *ret_fits = !r && moved.len > head.len + tail.len && !memcmp(moved.data, text_span(&head).ptr, head.len) &&
                !memcmp(moved.data + moved.len - tail.len, text_span(&tail).ptr, tail.len);
    if (!*ret_fits) {
        return r;
    }
    struct span inner = { moved.data + head.len, moved.len - head.len - tail.len };
    inner.len -=
        inner.ptr[inner.len - 1] == '\n' && !(source->text.len && source->text.data[source->text.len - 1] == '\n');
    *ret_fits = !config_file_parse_value(inner, "", &parsed, &ignored);
    return *ret_fits ? text_buf_add(ret_text, inner) : 0;
}

static void moves_tell(struct doctor *self, const struct config_document *document, const struct moves *moves,
                       const char *path)
{
    for (size_t i = 0; i < moves->n; i++) {
        struct config_error error = { "" };

        (void)snprintf(error.text, sizeof(error.text), "%s", moves->items[i].says);
        config_document_locate(document, &error);
        struct doctor_finding *finding =
            doctor_add(self, "config", moves->items[i].is_done ? DOCTOR_PROBLEM : DOCTOR_WARNING,
                       "of an earlier version, in a file that is included: %s", error.text);
        if (moves->items[i].is_done) {
            finding->repair = doctor_write_included;
            (void)snprintf(finding->path, sizeof(finding->path), "%s", path);
            doctor_fix_say(finding, "rewrite it in %s: %s", path, moves->items[i].says);
        }
    }
}

static int source_look(struct doctor *self, const struct config_document *document, const struct config_source *source)
{
    CLEANUP(text_buf_deinit) struct text_buf fresh = { .is_secret = true };
    CLEANUP(mem_free) struct moves *moves = mem_new(sizeof(*moves));
    bool fits = false;

    if (!is_of_its_own(&document->sources, source) || !is_frameable(source)) {
        return 0;
    }
    int r = file_move(source, moves, &fresh, &fits);
    if (r || !fits || !moves->n) {
        return r;
    }
    struct doctor_included *file = doctor_included_open(self, &document->sources, source);
    if (file) {
        struct text_buf old = file->fresh;

        file->fresh = fresh;
        fresh = old;
        moves_tell(self, document, moves, file->path);
    }
    return 0;
}

struct left {
    struct doctor *self;
    const struct config_document *document;
};

/* Of the whole config as one text: what stands in the file itself has been told. */
static void on_left(void *arg, const char *says, bool is_done)
{
    const struct left *left = arg;
    const char *path = left->document->sources.items[0]->path;
    size_t len = strlen(path);
    struct config_error error = { "" };

    (void)is_done;
    (void)snprintf(error.text, sizeof(error.text), "%s", says);
    config_document_locate(left->document, &error);
    if (error.text[0] == '/' && (strncmp(error.text, path, len) != 0 || error.text[len] != ':')) {
        doctor_fix_say(doctor_add(left->self, "config", DOCTOR_PROBLEM,
                                  "of an earlier version, in a file that is included: %s", error.text),
                       "write it so by hand: it becomes part of another file, or the file stands in several places");
    }
}

/* What no file could be rewritten for by itself. */
static int left_look(struct doctor *self)
{
    CLEANUP(config_document_deinit) struct config_document document;
    CLEANUP(text_buf_deinit) struct text_buf whole = { .is_secret = true };
    CLEANUP(text_buf_deinit) struct text_buf ignored = { .is_secret = true };
    struct config_error error = { "" };

    config_document_init(&document);
    int r = doctor_included_build(self, &document, &error);
    if (r < 0 || document.sources.n < 2 || !doctor_included_is_read(&document)) {
        return r < 0 ? r : 0;
    }
    r = json_from_value(pack_span(&document.source), &whole);
    return r ? FAULT_FOLD(r)
             : config_legacy_move(text_span(&whole), on_left, &(struct left){ .self = self, .document = &document },
                                  &ignored);
}

int doctor_included_legacy(struct doctor *self)
{
    CLEANUP(config_document_deinit) struct config_document document;
    struct config_error error = { "" };

    config_document_init(&document);
    int r = doctor_included_build(self, &document, &error);
    if (r < 0 || document.sources.n < 2 || !doctor_included_is_read(&document)) {
        return r < 0 ? r : 0;
    }
    r = 0; /* a variable that is not set is no matter here */
    for (size_t i = 1; !r && i < document.sources.n; i++) {
        r = source_look(self, &document, document.sources.items[i]);
    }
    return r ? r : left_look(self);
}
