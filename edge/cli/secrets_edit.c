#include "edge/cli/secrets_edit.h"

#include "bus/base/cleanup.h"
#include "bus/base/mem.h"
#include "bus/value.h"
#include "edge/cli/secrets_files.h"
#include "schema/base/config_file.h"

void secrets_edit_wipe(struct pack *pack)
{
    if (pack->data) {
        mem_wipe(pack->data, pack->cap);
    }
    pack_deinit(pack);
}

/* The two change places, so that the older one is what gets wiped. */
static int taken(int r, struct text_buf *text, struct text_buf *fresh)
{
    if (!r) {
        struct text_buf old = *text;

        *text = *fresh;
        *fresh = old;
    }
    return r;
}

int secrets_edit_set(struct text_buf *text, const struct json5_step *steps, size_t steps_n, struct span value)
{
    CLEANUP(secrets_text_wipe) struct text_buf fresh = { 0 };
    int r = text_buf_reserve(&fresh, text->len + 8 * value.len + 1024); /* what grows leaves copies behind */

    r = r ? r : json5_set((struct span){ text->data, text->len }, steps, steps_n, value, &fresh);
    return taken(r, text, &fresh);
}

int secrets_edit_remove(struct text_buf *text, const struct json5_step *steps, size_t steps_n)
{
    CLEANUP(secrets_text_wipe) struct text_buf fresh = { 0 };
    int r = text_buf_reserve(&fresh, text->len + 1);

    r = r ? r : json5_remove((struct span){ text->data, text->len }, steps, steps_n, &fresh);
    return taken(r, text, &fresh);
}

int secrets_edit_read(struct span text, struct pack *out)
{
    struct json_opts opts = { .json5 = true, .depth_max = CONFIG_FILE_DEPTH_MAX };
    int r = json_to_pack(text, &opts, out, NULL);

    return r || value_kind_of(pack_span(out)) == VALUE_MAP ? r : JSON_E_SYNTAX;
}

int secrets_edit_write(struct span value, struct text_buf *out)
{
    int r = text_buf_reserve(out, 4 * value.len + 1024); /* what grows leaves copies behind */

    r = r ? r : json_from_value_pretty(value, out);
    return r ? r : text_buf_add(out, SPAN_LIT("\n"));
}

static struct span member(struct span map, struct span wanted)
{
    struct value_iter it = value_iter(map);
    struct span found = { 0 };
    struct span key;
    struct span item;

    while (value_next(&it, &key, &item)) {
        found = span_is(key, wanted) ? item : found;
    }
    return found;
}

bool secrets_edit_is_same(struct span a, struct span b)
{
    struct value_iter it = value_iter(a);
    struct value_iter other = value_iter(b);
    struct span key;
    struct span item;
    struct span twin;
    struct span ignored;

    if (!a.len || !b.len || span_is(a, b)) {
        return a.len == b.len;
    }
    if (value_kind_of(a) != value_kind_of(b) || value_count(a) != value_count(b) || !value_count(a)) {
        return false;
    }
    while (value_next(&it, &key, &item) && value_next(&other, &ignored, &twin)) {
        if (!secrets_edit_is_same(item, it.is_map ? member(b, key) : twin)) {
            return false;
        }
    }
    return true;
}
