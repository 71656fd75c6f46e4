/* Bodies against every table: the first two bytes choose the message. */
#include <string.h>

#include "bus/codec.h"
#include "bus/value.h"
#include "schema_gen.h"
#include "tests/fuzz/fuzz.h"

static const struct schema_type *type_choose(const uint8_t *data)
{
    size_t which = ((size_t)data[0] << 8 | data[1]) % schema_registry.msgs_n;

    return schema_registry.msgs[which]->type;
}

/* encode(decode(x)) decodes again and is then stable. */
static void round_trip(const struct schema_type *type, const void *decoded)
{
    struct codec_error error;
    struct pack first;
    struct pack second;
    void *again = malloc(type->size);

    FUZZ_HOLD(again);
    pack_init(&first, 0);
    pack_init(&second, 0);
    FUZZ_HOLD(codec_encode(type, decoded, &first, &error) == 0);
    FUZZ_HOLD(codec_decode(type, pack_span(&first), again, &error) == 0);
    FUZZ_HOLD(codec_encode(type, again, &second, &error) == 0);
    FUZZ_HOLD(span_is(pack_span(&first), pack_span(&second)));
    pack_deinit(&first);
    pack_deinit(&second);
    free(again);
}

static void redact(const struct schema_type *type, struct span body)
{
    struct pack out;

    pack_init(&out, 0);
    if (codec_redact(type, body, &out) == 0) {
        FUZZ_HOLD(wire_check(out.data, out.len, 256));
    }
    pack_deinit(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct schema_type *type;
    struct codec_error error = { 0 };
    struct span body;
    void *decoded;

    if (size < 2) {
        return 0;
    }
    type = type_choose(data);
    body = (struct span){ (const char *)data + 2, size - 2 };
    decoded = malloc(type->size);
    FUZZ_HOLD(decoded);
    if (codec_decode(type, body, decoded, &error) == 0) {
        round_trip(type, decoded);
    } else {
        /* Whatever the decoder refuses, the explanation must find as well. */
        FUZZ_HOLD(error.text[0] && !strstr(error.text, "does not fit"));
    }
    redact(type, body);
    free(decoded);
    return 0;
}
