#include "edge/http/endpoints.h"

#include <errno.h>

#include "bus/value.h"

#define TIMEOUT_MAX_MS 120000
#define REDIRECTS_MAX 20
#define PDF_PAGES_MAX 16
#define PDF_PIXELS_MAX 64000000

static uint64_t number_of(struct span map, const char *key, uint64_t fallback, uint64_t max)
{
    int64_t value = value_i64(value_get(map, key), (int64_t)fallback);

    return value < 0 ? fallback : (uint64_t)value > max ? max : (uint64_t)value;
}

static struct input_rules input_of(struct span map, bool allow_url, uint64_t bytes)
{
    struct span mimes = value_get(map, "allowedMimes");
    struct span hosts = value_get(map, "urlAllowlist");
    struct span pdf = value_get(map, "pdf");

    return (struct input_rules){
        .allow_url = value_bool(value_get(map, "allowUrl"), allow_url),
        .hosts = value_count(hosts) ? hosts : (struct span){ NULL, 0 },
        .mimes = value_count(mimes) ? mimes : (struct span){ NULL, 0 },
        .bytes_max = number_of(map, "maxBytes", bytes, ENDPOINTS_BODY_MAX),
        .chars_max = number_of(map, "maxChars", 200000, ENDPOINTS_BODY_MAX),
        .redirects_max = (uint32_t)number_of(map, "maxRedirects", 3, REDIRECTS_MAX),
        .timeout_ms = (uint32_t)number_of(map, "timeoutMs", 10000, TIMEOUT_MAX_MS),
        .pdf_pages_max = (uint32_t)number_of(pdf, "maxPages", 4, PDF_PAGES_MAX),
        .pdf_pixels_max = number_of(pdf, "maxPixels", 4000000, PDF_PIXELS_MAX),
        .pdf_chars_min = number_of(pdf, "minTextChars", 200, ENDPOINTS_BODY_MAX),
    };
}

static struct endpoint endpoint_of(struct span map, bool is_on, bool allow_url)
{
    return (struct endpoint){
        .is_on = value_bool(value_get(map, "enabled"), is_on),
        .body_max = number_of(map, "maxBodyBytes", ENDPOINTS_BODY_MAX, ENDPOINTS_BODY_MAX),
        .images_max = (uint32_t)number_of(map, "maxImageParts", 8, 1024),
        .images_bytes_max = number_of(map, "maxTotalImageBytes", ENDPOINTS_BODY_MAX, ENDPOINTS_BODY_MAX),
        .urls_max = (uint32_t)number_of(map, "maxUrlParts", 8, ENDPOINTS_URLS_MAX),
        .images = input_of(value_get(map, "images"), allow_url, 10485760),
        .files = input_of(value_get(map, "files"), allow_url, 5242880),
    };
}

int endpoints_read(struct endpoints *self, struct span gateway)
{
    struct span map = value_path(gateway, "http.endpoints");
    struct text_buf bytes = { 0 };

    if (map.len && text_buf_add(&bytes, map)) {
        return -ENOMEM;
    }
    map = (struct span){ bytes.data, bytes.len };
    endpoints_deinit(self);
    self->bytes = bytes;
    self->chat = endpoint_of(value_get(map, "chatCompletions"), true, false);
    self->responses = endpoint_of(value_get(map, "responses"), false, true);
    self->responses.images_max = UINT32_MAX; /* the size of the body bounds them */
    return 0;
}

void endpoints_deinit(struct endpoints *self)
{
    text_buf_deinit(&self->bytes);
    *self = (struct endpoints){ 0 };
}
