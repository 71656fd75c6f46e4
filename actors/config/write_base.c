#include <stdio.h>
#include <string.h>

#include "actors/config/write_internal.h"
#include "bus/value.h"

const struct config_document *write_base_of(const struct write *write)
{
    return write->has_disk ? &write->disk.document : &write->self->snapshot.document;
}

static int unusable_refuse(struct write *write)
{
    char text[FAILURE_MESSAGE_MAX];

    (void)snprintf(text, sizeof(text), "the config on disk cannot be used, so nothing is written over it: %.400s",
                   write->self->issue.text);
    return write_refuse(write, text);
}

int write_base_edited_take(struct write *write, struct snapshot *now)
{
    struct config *self = write->self;
    char text[FAILURE_MESSAGE_MAX];

    if (write->is_disk_unusable) {
        return unusable_refuse(write);
    }
    int r = activation_take(self, now, write->ctx);
    bool is_awaited = !r && self->activation.why != ACTIVATION_NONE;

    if (r > 0 || (is_awaited && self->activation.is_file_broken)) {
        (void)snprintf(text, sizeof(text), "the config on disk is not in force, so nothing is written over it: %.400s",
                       self->was_refused);
        return write_refuse(write, text);
    }
    return is_awaited ? write_refuse_changed(write, WRITE_CHANGED) : r;
}

/*
 * A change is made from what the files hold now. What was edited meanwhile comes first, unless
 * that is just what the change was made from: then both come into force at once, and a change
 * can mend what the edit was refused for.
 */
static int edited_check(struct write *write, struct snapshot *now)
{
    const struct config_document *document = &now->document;

    if (!strcmp(document->hash, write->self->snapshot.document.hash)) {
        snapshot_deinit(now);
        return 0;
    }
    if (!document->is_present || !span_is_text(write->in.base_hash, document->hash)) {
        return write_base_edited_take(write, now);
    }
    write->disk = *now;
    write->has_disk = true;
    return 0;
}

/*
 * The files were read and refused for what they say. Whoever has seen just that may mend it: the
 * result is judged like any other, so only a text that is no config stops the change here.
 */
static int unusable_check(struct write *write)
{
    struct config_document *document = &write->disk.document;
    struct config_error ignored = { "" }; /* self->issue has it */

    config_refuse(write->self);
    int r = config_document_load(document, write->self->path, config_lookup_process(), &ignored);
    if (r < 0) {
        return r;
    }
    write->has_disk = !r && document->is_present && span_is_text(write->in.base_hash, document->hash);
    write->is_disk_unusable = write->has_disk;
    return write->has_disk ? 0 : unusable_refuse(write);
}

static int rollouts_check(struct write *write)
{
    if (write->self->followers.rollouts_n < ROLLOUTS_MAX) {
        return 0;
    }
    return write_fail(
        write, &(struct failure){ .code = FAIL_UNAVAILABLE,
                                  .message = SPAN_LIT("earlier changes are still being applied; nothing was written"),
                                  .retryable = true });
}

int write_base_check(struct write *write)
{
    struct config *self = write->self;
    struct snapshot now;
    int r = config_load(self, &now);

    if (r > 0) {
        r = unusable_check(write);
        return r ? r : rollouts_check(write);
    }
    if (r) {
        return r;
    }
    r = rollouts_check(write);
    if (r) {
        snapshot_deinit(&now);
        return r;
    }
    r = edited_check(write, &now);
    if (r) {
        return r;
    }
    if (write_base_of(write)->is_present && !write->in.base_hash.len) {
        return write_refuse(write, "config base hash required; re-run config.get and retry");
    }
    if (write_base_of(write)->is_present && !span_is_text(write->in.base_hash, write_base_of(write)->hash)) {
        return write_refuse_changed(write, WRITE_CHANGED);
    }
    return 0;
}

static int file_find(struct write *write)
{
    const struct config_sources *sources = &write->disk.document.sources;
    char hash[CONFIG_FILE_HASH_LEN] = "";

    for (size_t i = 1; i < sources->n; i++) {
        const struct config_source *source = sources->items[i];

        if (span_is_text(write->in.file, source->path)) {
            int r = config_file_hash((struct span){ source->text.data, source->text.len }, hash);

            write->edit.source = i;
            return r ? r : span_is_text(write->in.base_hash, hash) ? 0 : write_refuse_changed(write, WRITE_CHANGED);
        }
    }
    return write_refuse(write, "the config includes no file of that path");
}

int write_base_file_check(struct write *write)
{
    struct config_error error = { "" };
    int r = config_document_load(&write->disk.document, write->self->path, config_lookup_process(), &error);

    if (r) {
        return r > 0 ? write_refuse(write, error.text) : r;
    }
    write->has_disk = true;
    write->is_disk_unusable = true; /* as far as anybody knows; what is in force may be something else */
    r = file_find(write);
    return r ? r : rollouts_check(write);
}

int write_base_broken_check(struct write *write)
{
    struct config *self = write->self;
    struct config_error error = { "" };
    struct snapshot now;
    char hash[CONFIG_FILE_HASH_LEN] = "";
    int r = config_file_read(self->path, &write->broken, &error);
    bool is_there = r != CONFIG_FILE_E_ABSENT;

    if (r < 0 || r == CONFIG_FILE_E_REFUSED) {
        return r < 0 ? r : write_refuse(write, error.text);
    }
    r = is_there ? config_file_hash((struct span){ write->broken.data, write->broken.len }, hash) : 0;
    if (r) {
        return r;
    }
    if (is_there ? !span_is_text(write->in.base_hash, hash) : write->in.base_hash.len > 0) {
        return write_refuse_changed(write, "config changed since last load; look at it again");
    }
    r = is_there ? config_load(self, &now) : SNAPSHOT_E_REFUSED;
    if (!r) {
        snapshot_deinit(&now);
        return write_refuse(write, "the config can be used as it is: config.set changes it");
    }
    return r > 0 ? 0 : r;
}
