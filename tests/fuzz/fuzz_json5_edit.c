/*
 * Editing a JSON5 text in place: what was set is there, everything else is as it was, and
 * what was set back gives the same document. Bytes that are no JSON5 do no harm.
 */
#include <string.h>

#include "bus/json.h"
#include "bus/value.h"
#include "schema/base/config_document.h"
#include "schema/base/config_edit.h"
#include "schema/base/dotenv.h"
#include "schema/base/json5_edit.h"
#include "tests/fuzz/fuzz.h"

#define STEPS_MAX 16

struct choice {
    unsigned wanted; /* which value, counted as they come */
    unsigned seen;
    struct json5_step steps[STEPS_MAX];
    size_t steps_n;
    struct span value;
};

/* Walks to the wanted value; true once it is found. */
static bool choose(struct choice *self, struct span value)
{
    struct value_iter it = value_iter(value);
    struct span key;
    struct span item;

    if (self->steps_n && self->seen++ == self->wanted) {
        self->value = value;
        return true;
    }
    for (size_t i = 0; self->steps_n < STEPS_MAX && value_next(&it, &key, &item); i++) {
        self->steps[self->steps_n++] = value_kind_of(value) == VALUE_MAP
                                           ? (struct json5_step){ .key = { key.len ? key.ptr : "", key.len } }
                                           : (struct json5_step){ .index = i };
        if (choose(self, item)) {
            return true;
        }
        self->steps_n--;
    }
    return false;
}

static bool parse(struct span text, struct pack *out)
{
    struct json_opts opts = { .json5 = true, .depth_max = 32 };

    pack_reset(out);
    return !json_to_pack(text, &opts, out, NULL);
}

static struct span span_of(const struct text_buf *text)
{
    return (struct span){ text->data, text->len };
}

static bool keys_fit(const struct choice *choice)
{
    for (size_t i = 0; i < choice->steps_n; i++) {
        if (choice->steps[i].key.len > JSON5_KEY_MAX) {
            return false;
        }
    }
    return true;
}

static void set_and_back(struct span text, const struct pack *doc, const struct choice *choice)
{
    struct text_buf edited = { 0 };
    struct text_buf back = { 0 };
    struct pack after;
    struct json5_item item;

    pack_init(&after, 0);
    FUZZ_HOLD(json5_find(text, choice->steps, choice->steps_n, &item) == choice->steps_n);
    FUZZ_HOLD(json5_set(text, choice->steps, choice->steps_n, SPAN_LIT("\x93\x01\xc0\xa1x"), &edited) == 0);
    FUZZ_HOLD(parse(span_of(&edited), &after));
    FUZZ_HOLD(json5_set(span_of(&edited), choice->steps, choice->steps_n, choice->value, &back) == 0);
    FUZZ_HOLD(parse(span_of(&back), &after));
    FUZZ_HOLD(span_is(pack_span(&after), pack_span(doc)));
    text_buf_deinit(&edited);
    text_buf_deinit(&back);
    pack_deinit(&after);
}

static void remove_one(struct span text, const struct choice *choice)
{
    struct text_buf edited = { 0 };
    struct pack after;
    struct json5_item item;

    pack_init(&after, 0);
    FUZZ_HOLD(json5_remove(text, choice->steps, choice->steps_n, &edited) == 0);
    FUZZ_HOLD(parse(span_of(&edited), &after));
    if (choice->steps[choice->steps_n - 1].key.ptr) {
        FUZZ_HOLD(json5_find(span_of(&edited), choice->steps, choice->steps_n, &item) < choice->steps_n);
    }
    text_buf_deinit(&edited);
    pack_deinit(&after);
}

/* A number that JSON cannot say comes back as null, so such a document is left out. */
static bool is_plain(struct span value)
{
    struct value_iter it = value_iter(value);
    struct span key;
    struct span item;
    double number = value_f64(value, 0);

    if (value_kind_of(value) == VALUE_FLOAT &&
        (number != number || number - number != 0 ||
         (number > -0x1p63 && number < 0x1p63 && number == (double)(int64_t)number))) {
        return false;
    }
    while (value_next(&it, &key, &item)) {
        if (!is_plain(item)) {
            return false;
        }
    }
    return true;
}

static void on_assignment(void *arg, const struct dotenv_item *item)
{
    size_t *end = arg;

    FUZZ_HOLD(item->name[0] && strlen(item->name) < 256 && strlen(item->value) <= 65536);
    FUZZ_HOLD(item->at >= *end && item->at < item->end);
    *end = item->end;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct choice choice = { .wanted = size ? data[0] : 0 };
    struct span text = { (const char *)data + (size > 0), size - (size > 0) };
    struct json5_step any[] = { { .key = SPAN_LIT("a") }, { .index = 1 } };
    struct json5_item item;
    struct pack doc;

    (void)json5_find(text, any, 2, &item);
    (void)json5_has_comment(text);
    FUZZ_HOLD(item.value_at <= item.value_end && item.value_end <= text.len);
    size_t end = 0;
    dotenv_walk(text, on_assignment, &end);
    FUZZ_HOLD(end <= text.len);
    pack_init(&doc, 0);
    if (parse(text, &doc) && choose(&choice, pack_span(&doc)) && keys_fit(&choice)) {
        if (is_plain(choice.value)) {
            set_and_back(text, &doc, &choice);
        }
        remove_one(text, &choice);
    }
    pack_deinit(&doc);
    return 0;
}
