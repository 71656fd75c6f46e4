#include "edge/listener/traceparent.h"

#include "edge/http/request.h"

/* version "-" trace-id "-" parent-id "-" flags; a version above 00 may have more behind another "-". */
#define VERSION_AT 0U
#define TRACE_AT 3U
#define PARENT_AT 36U
#define FLAGS_AT 53U
#define LEN 55U

/* `digits` lower-case hexadecimal digits, at most 16. */
static bool hex_take(const char *at, size_t digits, uint64_t *ret_number)
{
    uint64_t number = 0;

    for (size_t i = 0; i < digits; i++) {
        char c = at[i];

        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) {
            return false;
        }
        number = number << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    *ret_number = number;
    return true;
}

/* Do its parts stand where they must? */
static bool is_shaped(struct span text, uint64_t version)
{
    if (text.ptr[TRACE_AT - 1] != '-' || text.ptr[PARENT_AT - 1] != '-' || text.ptr[FLAGS_AT - 1] != '-') {
        return false;
    }
    return text.len == LEN || (version > 0 && text.ptr[LEN] == '-');
}

struct trace_id traceparent_parse(struct span text)
{
    const struct trace_id none = { 0 };
    struct trace_id trace;
    uint64_t version;
    uint64_t parent;
    uint64_t flags;

    if (text.len < LEN || !hex_take(text.ptr + VERSION_AT, 2, &version) || version == 0xff) {
        return none;
    }
    if (!is_shaped(text, version) || !hex_take(text.ptr + TRACE_AT, 16, &trace.hi) ||
        !hex_take(text.ptr + TRACE_AT + 16, 16, &trace.lo) || !hex_take(text.ptr + PARENT_AT, 16, &parent) ||
        !hex_take(text.ptr + FLAGS_AT, 2, &flags) || parent == 0) {
        return none;
    }
    return trace; /* all zero is none as well */
}

struct trace_id traceparent_of(const struct request *request)
{
    struct span found = { NULL, 0 };

    for (size_t i = 0; i < request->headers_n; i++) {
        if (request_is_word(request->headers[i].name, "traceparent")) {
            if (found.ptr) {
                return (struct trace_id){ 0 };
            }
            found = request->headers[i].value;
        }
    }
    return traceparent_parse(found);
}
