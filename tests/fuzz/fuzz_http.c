/* Request heads and chunked bodies: limits hold, spans stay inside, cutting changes nothing. */
#include <string.h>

#include "edge/http/avatar.h"
#include "edge/http/canvas.h"
#include "edge/http/chunked.h"
#include "edge/http/media.h"
#include "edge/http/range.h"
#include "edge/http/request.h"
#include "tests/fuzz/fuzz.h"

static void inside(struct span part, struct span whole)
{
    FUZZ_HOLD(part.len == 0 || (part.ptr >= whole.ptr && part.ptr + part.len <= whole.ptr + whole.len));
}

/* Whatever is asked for: what is opened below a root is a plain name, and a capability is part of what was sent. */
static void paths_check(const struct request *request, struct span head)
{
    static struct canvas canvas;
    static struct site site;
    struct canvas_target target;
    static const unsigned char key[MEDIA_KEY_LEN] = { 42 };
    struct site_target page;
    struct avatar avatar;
    struct media_ask ask;
    char origin[CANVAS_ORIGIN_MAX];

    canvas_configure(&canvas, (struct span){ NULL, 0 }, "/home", "/state");
    canvas_route(&canvas, request, &target);
    if (target.kind == CANVAS_FILE || target.kind == CANVAS_A2UI) {
        FUZZ_HOLD(site_name_is_plain(target.name));
    }
    if (target.kind != CANVAS_NONE && target.has_token) {
        inside(target.token, head);
    }
    site_configure(&site, (struct span){ NULL, 0 }, "/home");
    site_route(&site, request, &page);
    FUZZ_HOLD(page.kind != SITE_FILE || site_name_is_plain(page.name));
    avatar_read(request->query, SPAN_LIT("/w"), "/home", &avatar);
    FUZZ_HOLD(avatar.kind != AVATAR_LOCAL || site_name_is_plain(avatar.name));
    (void)media_ask_read(request->query, "/home", &ask);
    FUZZ_HOLD(!media_ticket_is_good(key, &ask, 0, 0)); /* nobody has the key */
    FUZZ_HOLD(!canvas_origin_read(request, false, origin) || !strpbrk(strstr(origin, "://") + 3, "/?#@\"\\ "));
}

/* A part lies within the file, and its name fits. */
static void range_check(const struct request *request)
{
    static const uint64_t sizes[] = { 0, 1, 10, 65536, UINT64_MAX };
    struct span if_range = request_header(request, "if-range");
    char field[RANGE_FIELD_MAX];

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct range range = range_read(request_header(request, "range"), if_range, sizes[i], "\"a\"");

        FUZZ_HOLD(range.kind != RANGE_PART ||
                  (range.len > 0 && range.first < sizes[i] && range.len <= sizes[i] - range.first));
        FUZZ_HOLD(range_field(&range, sizes[i], field).len < sizeof(field));
    }
}

static void head_check(struct span text)
{
    size_t len = request_head_len(text, 0);
    struct span head = { text.ptr, len };
    struct request request;

    for (size_t from = 1; from < len; from++) {
        FUZZ_HOLD(request_head_len(text, from) == len);
    }
    if (len == 0 || request_parse(head, &request)) {
        return;
    }
    FUZZ_HOLD(request.headers_n <= REQUEST_HEADERS_MAX && request.path.len <= REQUEST_TARGET_MAX);
    inside(request.path, head);
    inside(request.query, head);
    for (size_t i = 0; i < request.headers_n; i++) {
        inside(request.headers[i].name, head);
        inside(request.headers[i].value, head);
        FUZZ_HOLD(!memchr(request.headers[i].value.ptr, '\n', request.headers[i].value.len));
    }
    paths_check(&request, head);
    range_check(&request);
    /* What would let two readers disagree about the end of the request never passes. */
    FUZZ_HOLD(!(request_header(&request, "content-length").len && request_header(&request, "transfer-encoding").len));
}

static int body_read(struct span text, size_t step, char *body, size_t *ret_len)
{
    struct chunked chunked = { 0 };
    int r = CHUNKED_E_MORE;

    *ret_len = 0;
    for (size_t at = 0; at < text.len && r == CHUNKED_E_MORE; at += step) {
        struct span input = { text.ptr + at, text.len - at < step ? text.len - at : step };
        struct span data;

        while ((r = chunked_read(&chunked, &input, &data)) == CHUNKED_E_DATA) {
            FUZZ_HOLD(*ret_len + data.len <= text.len);
            memcpy(body + *ret_len, data.ptr, data.len);
            *ret_len += data.len;
        }
    }
    return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span text = { (const char *)data + 1, size ? size - 1 : 0 };
    char *whole = malloc(size + 1);
    char *cut = malloc(size + 1);
    size_t whole_len;
    size_t cut_len;

    if (size > 1 && whole && cut) {
        head_check(text);
        FUZZ_HOLD(body_read(text, size, whole, &whole_len) == body_read(text, 1 + data[0] % 17, cut, &cut_len));
        FUZZ_HOLD(whole_len == cut_len && memcmp(whole, cut, cut_len) == 0);
    }
    free(whole);
    free(cut);
    return 0;
}
