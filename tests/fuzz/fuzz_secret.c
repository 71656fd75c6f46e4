/*
 * What secret providers say, JSON pointers, references, and the places of references in a
 * document: no bytes do harm, and what is found lies within what was given.
 */
#include "bus/json.h"
#include "bus/value.h"
#include "schema/base/secret_answer.h"
#include "schema/base/secret_ref.h"
#include "schema/base/secret_target.h"
#include "tests/fuzz/fuzz.h"

static bool is_within(struct span part, const struct pack *doc)
{
    return !part.len || (part.ptr >= doc->data && part.ptr + part.len <= doc->data + doc->len &&
                         wire_check(part.ptr, part.len, SECRET_DEPTH_MAX));
}

static void answer_try(struct span text, bool is_plain_fine)
{
    struct secret_problem problem = { "" };
    struct span value = { 0 };
    struct pack doc;

    pack_init(&doc, SECRET_ROOM(text.len));
    int r = secret_answer_read(text, is_plain_fine, &doc, &problem);
    FUZZ_HOLD(r >= 0); /* so much room is enough for any of them */
    FUZZ_HOLD((r > 0) == (problem.text[0] != '\0'));
    if (!r && !secret_answer_value(pack_span(&doc), SPAN_LIT("k"), &value, &problem)) {
        FUZZ_HOLD(value.len && is_within(value, &doc));
    }
    pack_deinit(&doc);
}

static void pointer_try(struct span text)
{
    const char *end = text.len ? memchr(text.ptr, '\n', text.len) : NULL;
    struct span pointer = { text.ptr, end ? (size_t)(end - text.ptr) : 0 };
    struct span payload = end ? (struct span){ end + 1, text.len - pointer.len - 1 } : text;
    struct secret_problem problem = { "" };
    struct pack doc;

    pack_init(&doc, SECRET_ROOM(payload.len));
    int r = secret_payload_read(payload, &doc, &problem);
    FUZZ_HOLD(r >= 0);
    if (!r) {
        FUZZ_HOLD(is_within(secret_pointer_find(pack_span(&doc), pointer), &doc));
    }
    FUZZ_HOLD(secret_payload_single(payload).len <= payload.len);
    pack_deinit(&doc);
}

static void on_target(void *arg, const struct secret_target *target)
{
    const struct pack *doc = arg;
    struct secret_ref ref;

    FUZZ_HOLD(target->value.len || target->ref_value.len);
    FUZZ_HOLD(is_within(target->value, doc) && is_within(target->ref_value, doc));
    FUZZ_HOLD(secret_target_fits(target->row, target->steps, target->steps_n));
    if (secret_target_ref(target, pack_span(doc), &ref)) {
        FUZZ_HOLD(ref.id.len && ref.provider.len);
    }
}

static void ref_try(struct span text)
{
    struct json_opts opts = { .json5 = true, .depth_max = 32 };
    char shown[SECRET_REF_TEXT_MAX];
    struct secret_ref ref;
    struct pack doc;

    pack_init(&doc, 0);
    if (!json_to_pack(text, &opts, &doc, NULL)) {
        secret_target_each(pack_span(&doc), "openclaw.json", on_target, &doc);
        secret_target_each(pack_span(&doc), "auth-profiles.json", on_target, &doc);
        if (secret_ref_read(pack_span(&doc), pack_span(&doc), &ref)) {
            FUZZ_HOLD(secret_ref_is_same(&ref, &ref));
            (void)secret_ref_problem(&ref);
            secret_ref_text(&ref, shown);
            FUZZ_HOLD(strlen(shown) < sizeof(shown));
        }
    }
    pack_deinit(&doc);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span text = { (const char *)data + (size > 0), size - (size > 0) };

    switch (size ? data[0] : 0) {
    case 'F':
        pointer_try(text);
        break;
    case 'R':
        ref_try(text);
        break;
    default:
        answer_try(text, size && data[0] == 'P');
        break;
    }
    return 0;
}
