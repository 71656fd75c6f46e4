#include "actors/agent/notes.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "bus/base/mem.h"

struct note {
    struct note *next; /* newer */
    char *key;
    char *text;
    size_t len;
    uint64_t number; /* grows */
    int64_t at_ms;
    bool is_trusted;
    bool is_read; /* a turn has it; the same words said again are news */
};

static void note_free(struct note *note)
{
    free(note->key);
    free(note->text);
    free(note);
}

static void note_unlink(struct notes *self, struct note **at)
{
    struct note *note = *at; /* there is one */

    *at = note->next;
    self->notes_n--;
    note_free(note);
}

/* The oldest note of a session, or where one would be; and how many there are. */
static struct note **oldest_of(struct notes *self, struct span key, size_t *ret_n, const struct note **ret_newest)
{
    struct note **oldest = NULL;

    *ret_n = 0;
    *ret_newest = NULL;
    for (struct note **at = &self->first; *at; at = &(*at)->next) {
        if (span_is_text(key, (*at)->key)) {
            oldest = oldest ? oldest : at;
            *ret_newest = *at;
            (*ret_n)++;
        }
    }
    return oldest;
}

void notes_add(struct notes *self, struct span key, struct span text, bool is_trusted, int64_t now_ms)
{
    const struct note *newest;
    size_t n;
    struct note **oldest = oldest_of(self, key, &n, &newest);
    struct note **end = &self->first;
    struct note *note;

    if (newest && !newest->is_read && span_is(text, (struct span){ newest->text, newest->len })) {
        return;
    }
    if (oldest && n >= NOTES_PER_SESSION) {
        note_unlink(self, oldest);
    } else if (self->first && self->notes_n >= NOTES_MAX) {
        note_unlink(self, &self->first);
    }
    note = mem_new(sizeof(*note));
    note->key = mem_text(key.ptr, key.len);
    note->text = mem_text(text.ptr, text.len);
    note->len = text.len;
    note->number = ++self->last_number;
    note->at_ms = now_ms;
    note->is_trusted = is_trusted;
    while (*end) {
        end = &(*end)->next;
    }
    *end = note;
    self->notes_n++;
}

/* One line. Whoever wrote the text cannot begin a line of another kind. */
static int line_add(const struct note *note, struct span line, bool is_first, struct text_buf *out)
{
    char head[64];
    char stamp[32] = "";
    time_t at = (time_t)(note->at_ms / 1000);
    struct tm utc;

    if (is_first && gmtime_r(&at, &utc)) {
        (void)strftime(stamp, sizeof(stamp), "[%Y-%m-%d %H:%M:%S UTC] ", &utc);
    }
    (void)snprintf(head, sizeof(head), "System%s: %s", note->is_trusted ? "" : " (untrusted)", stamp);
    int r = text_buf_add(out, span_from(head));

    r = r ? r : text_buf_add(out, line);
    return r ? r : text_buf_add(out, SPAN_LIT("\n"));
}

static int note_add(const struct note *note, struct text_buf *out)
{
    struct span rest = { note->text, note->len };
    bool is_first = true;
    int r = 0;

    while (!r && rest.len) {
        const char *end = memchr(rest.ptr, '\n', rest.len);
        size_t len = end ? (size_t)(end - rest.ptr) : rest.len;

        r = line_add(note, (struct span){ rest.ptr, len }, is_first, out);
        rest.ptr += len + (end ? 1 : 0);
        rest.len -= len + (end ? 1 : 0);
        is_first = false;
    }
    return r;
}

int notes_read(struct notes *self, struct span key, struct text_buf *out, uint64_t *ret_number)
{
    int r = 0;

    *ret_number = 0;
    for (struct note *note = self->first; note && !r; note = note->next) {
        if (span_is_text(key, note->key)) {
            r = note_add(note, out);
            note->is_read = true;
            *ret_number = note->number;
        }
    }
    return r;
}

void notes_drop(struct notes *self, struct span key, uint64_t number)
{
    struct note **at = &self->first;

    while (*at) {
        if ((*at)->number <= number && span_is_text(key, (*at)->key)) {
            note_unlink(self, at);
        } else {
            at = &(*at)->next;
        }
    }
}

void notes_deinit(struct notes *self)
{
    while (self->first) {
        note_unlink(self, &self->first);
    }
}
