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
    bool is_kept;
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
    self->kept_n -= note->is_kept;
    note_free(note);
}

/* What there is of one kind. */
struct count {
    size_t all_n;
    size_t session_n;
    struct note **oldest;        /* of all */
    struct note **session_first; /* oldest of the session */
    const struct note *newest;   /* of the session, of either kind */
};

static struct count count_of(struct notes *self, struct span key, bool is_kept)
{
    struct count count = { 0 };

    for (struct note **at = &self->first; *at; at = &(*at)->next) {
        bool is_here = span_is_text(key, (*at)->key);

        count.newest = is_here ? *at : count.newest;
        if ((*at)->is_kept != is_kept) {
            continue;
        }
        count.all_n++;
        count.session_n += is_here;
        count.oldest = count.oldest ? count.oldest : at;
        count.session_first = is_here && !count.session_first ? at : count.session_first;
    }
    return count;
}

static bool is_said(const struct note *newest, struct span text)
{
    return newest && !newest->is_read && span_is(text, (struct span){ newest->text, newest->len });
}

/* The number of the one that gave way; 0: there was room. */
static uint64_t room_make(struct notes *self, const struct count *count)
{
    struct note **at = count->session_n >= NOTES_PER_SESSION ? count->session_first
                       : count->all_n >= NOTES_MAX           ? count->oldest
                                                             : NULL;
    uint64_t number = at ? (*at)->number : 0;

    if (at) {
        note_unlink(self, at);
    }
    return number;
}

static void note_append(struct notes *self, const struct note_text *in, uint64_t number)
{
    struct note **end = &self->first;
    struct note *note = mem_new(sizeof(*note));

    note->key = mem_text(in->session_key.ptr, in->session_key.len);
    note->text = mem_text(in->text.ptr, in->text.len);
    note->len = in->text.len;
    note->number = number;
    note->at_ms = in->at_ms;
    note->is_trusted = in->is_trusted;
    note->is_kept = in->is_kept;
    while (*end) {
        end = &(*end)->next;
    }
    *end = note;
    self->notes_n++;
    self->kept_n += note->is_kept;
}

int notes_add(struct notes *self, const struct note_text *in, uint64_t *ret_number, uint64_t *ret_gone)
{
    struct count count = count_of(self, in->session_key, in->is_kept);

    *ret_gone = 0;
    if (!in->is_kept && is_said(count.newest, in->text)) {
        return NOTES_E_SAID;
    }
    if (in->is_kept && (count.session_n >= NOTES_PER_SESSION || count.all_n >= NOTES_MAX)) {
        return NOTES_E_FULL;
    }
    *ret_gone = in->is_kept ? 0 : room_make(self, &count);
    *ret_number = in->number ? in->number : self->last_number + 1;
    self->last_number = *ret_number > self->last_number ? *ret_number : self->last_number;
    note_append(self, in, *ret_number);
    return 0;
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
