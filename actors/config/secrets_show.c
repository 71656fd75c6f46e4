/*
 * secrets_show: what an actor sees of a config: its own secrets as values, those of others hidden.
 */
#include "actors/config/secrets.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus/base/cleanup.h"
#include "bus/base/fault.h"
#include "bus/base/mem.h"
#include "bus/value.h"
#include "schema/base/config_redact.h"

struct piece {
    struct span at; /* of the document */
    struct span with;
};

struct show {
    const struct secret_set *set;
    struct span doc;
    struct span value;
    struct span kind; /* of the actor */
    struct piece *pieces;
    size_t n;
    size_t cap;
    bool is_awaited;
};

static const char marker[] = "\xb5" REDACT_MARKER; /* a packed text of 21 bytes */
static const char unavailable[] = "\x81\xa6source\xa3"
                                  "env"; /* packed { source: "env" } */
_Static_assert(sizeof(REDACT_MARKER) - 1 == 0x15, "the head of the packed marker");

static void piece_add(struct show *self, struct span at, struct span with)
{
    if (self->n == self->cap) {
        size_t cap = self->cap ? self->cap * 2 : 16;
        struct piece *grown = mem_new(cap * sizeof(*grown));

        if (self->n) {
            memcpy(grown, self->pieces, self->n * sizeof(*grown));
        }
        free(self->pieces);
        self->pieces = grown;
        self->cap = cap;
    }
    self->pieces[self->n++] = (struct piece){ at, with };
}

static void on_shown(void *arg, const struct secret_target *target)
{
    struct show *self = arg;
    struct span at = target->value;
    bool is_own = span_is_text(self->kind, target->row->owner);
    struct secret_ref ref;

    if (!at.len || at.ptr < self->value.ptr || at.ptr + at.len > self->value.ptr + self->value.len) {
        return;
    }
    if (!secret_ref_read(at, self->doc, &ref)) {
        if (!is_own) {
            piece_add(self, at, (struct span){ marker, sizeof(marker) - 1 });
        }
        return;
    }
    const struct secret_entry *entry = is_own ? secret_set_find(self->set, target->path) : NULL;
    if (entry && entry->is_active && entry->value.len) {
        piece_add(self, at, entry->value);
    } else if (is_own && value_kind_of(at) == VALUE_STR) {
        piece_add(self, at, (struct span){ unavailable, sizeof(unavailable) - 1 }); /* not to be taken for a value */
    }
    self->is_awaited |= entry && entry->is_active && !entry->is_settled;
}

static int piece_order(const void *a, const void *b)
{
    const struct piece *left = a;
    const struct piece *right = b;

    return left->at.ptr < right->at.ptr ? -1 : left->at.ptr > right->at.ptr;
}

static void pieces_find(struct show *self, struct span address)
{
    const char *slash = address.len ? memchr(address.ptr, '/', address.len) : NULL;

    self->kind = (struct span){ address.ptr, slash ? (size_t)(slash - address.ptr) : address.len };
    secret_target_each(self->doc, "openclaw.json", on_shown, self);
    if (self->n) {
        qsort(self->pieces, self->n, sizeof(*self->pieces), piece_order);
    }
}

int secret_set_show(const struct secret_set *self, struct span doc, struct span value, struct span address,
                    struct text_buf *out)
{
    struct show show = { .set = self, .doc = doc, .value = value };
    const char *from = value.ptr;
    size_t len = value.len;
    int r;

    pieces_find(&show, address);
    for (size_t i = 0; i < show.n; i++) {
        len += show.pieces[i].with.len;
    }
    r = show.n ? text_buf_reserve(out, len) : 0; /* at once: growing would leave copies behind */
    /* Containers say how many values they hold, not how many bytes, so that one value can take the place of another. */
    for (size_t i = 0; i < show.n && !r; i++) {
        const struct piece *piece = &show.pieces[i];

        r = text_buf_add(out, (struct span){ from, (size_t)(piece->at.ptr - from) });
        r = r ? r : text_buf_add(out, piece->with);
        from = piece->at.ptr + piece->at.len;
    }
    if (show.n && !r) {
        r = text_buf_add(out, (struct span){ from, (size_t)(value.ptr + value.len - from) });
    }
    free(show.pieces);
    return r ? FAULT(r) : show.n > 0;
}

/* Is that the credential of the agent at this address? */
static bool is_agents(const struct secret_entry *entry, struct span address)
{
    return entry->agent && entry->provider.len && span_starts(address, "agent/") &&
           span_is_text((struct span){ address.ptr + 6, address.len - 6 }, entry->agent);
}

static void problem_pack(const struct secret_entry *entry, struct pack *out)
{
    char text[SECRET_TARGET_PATH_MAX + SECRET_SURFACE_TEXT_MAX + 4];

    (void)snprintf(text, sizeof(text), "%s%s%s%s", entry->path, entry->is_active ? "" : " (",
                   entry->is_active ? "" : entry->reason, entry->is_active ? "" : ")");
    pack_kv_text(out, "problem", text);
}

bool secret_set_credentials(const struct secret_set *self, struct span address, struct pack *out)
{
    bool is_any = false;

    for (size_t i = 0; i < self->n; i++) {
        const struct secret_entry *entry = &self->items[i];

        if (!is_agents(entry, address)) {
            continue;
        }
        if (!is_any) {
            pack_map_begin(out);
            is_any = true;
        }
        pack_key_span(out, entry->provider);
        if (entry->value.len) {
            pack_raw(out, entry->value);
        } else {
            pack_map_begin(out);
            problem_pack(entry, out);
            pack_map_end(out);
        }
    }
    if (is_any) {
        pack_map_end(out);
    }
    return is_any;
}

bool secret_set_is_awaited(const struct secret_set *self, struct span doc, struct span value, struct span address)
{
    struct show show = { .set = self, .doc = doc, .value = value };

    pieces_find(&show, address);
    free(show.pieces);
    for (size_t i = 0; i < self->n && !show.is_awaited; i++) {
        show.is_awaited = is_agents(&self->items[i], address) && !self->items[i].is_settled;
    }
    return show.is_awaited;
}
