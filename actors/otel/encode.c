#include "actors/otel/encode.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NUMBER_MAX 64
#define BOUNDS_MAX 64
#define LABELS_MAX 16

/* --- writing ----------------------------------------------------------------------------------- */

__attribute__((format(printf, 2, 3))) static int add(struct text_buf *out, const char *fmt, ...)
{
    char text[512];
    va_list args;

    va_start(args, fmt);
    int n = vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    return n < 0 || (size_t)n >= sizeof(text) ? -ENOMEM : text_buf_add(out, (struct span){ text, (size_t)n });
}

static int attribute(struct text_buf *out, const char *key, struct span value, bool is_first)
{
    int r = add(out, "%s{\"key\":\"%s\",\"value\":{\"stringValue\":", is_first ? "" : ",", key);

    r = r ? r : json_from_text(value, out);
    return r ? r : add(out, "}}");
}

static int resource_add(const struct encode_resource *resource, struct text_buf *out)
{
    int r = add(out, "\"resource\":{\"attributes\":[");

    r = r ? r : attribute(out, "service.name", span_from(resource->service), true);
    r = r ? r : attribute(out, "service.version", span_from(resource->version), false);
    r = r ? r : attribute(out, "service.instance.id", span_from(resource->instance), false);
    return r ? r : add(out, "]}");
}

/* --- traces ------------------------------------------------------------------------------------- */

static int span_head(const struct span_one *span, struct text_buf *out)
{
    int r = add(out, "%s{\"traceId\":\"%016llx%016llx\",\"spanId\":\"%016llx\"", out->len ? "," : "",
                (unsigned long long)span->trace.hi, (unsigned long long)span->trace.lo, (unsigned long long)span->id);

    if (span->parent) {
        r = r ? r : add(out, ",\"parentSpanId\":\"%016llx\"", (unsigned long long)span->parent);
    }
    r = r ? r : add(out, ",\"name\":");
    r = r ? r : json_from_text(span_from(span->name), out);
    return r ? r
             : add(out, ",\"kind\":1,\"startTimeUnixNano\":\"%lld000\",\"endTimeUnixNano\":\"%lld000\"",
                   (long long)span->start_us,
                   (long long)(span->end_us > span->start_us ? span->end_us : span->start_us));
}

int encode_span(const struct span_one *span, struct text_buf *out)
{
    size_t len = out->len;
    int r = span_head(span, out);

    r = r ? r : add(out, ",\"attributes\":[");
    r = r ? r : attribute(out, "openclaw.from", span_from(span->from), true);
    r = r ? r : attribute(out, "openclaw.to", span_from(span->to), false);
    r = r ? r
          : add(out,
                ",{\"key\":\"openclaw.request.bytes\",\"value\":{\"intValue\":\"%llu\"}}"
                ",{\"key\":\"openclaw.answer.bytes\",\"value\":{\"intValue\":\"%llu\"}}",
                (unsigned long long)span->request_bytes, (unsigned long long)span->answer_bytes);
    r = r ? r : add(out, "],\"status\":{\"code\":%d}}", span->is_failed ? 2 : 1);
    if (r) {
        out->len = len; /* half of it is none */
    }
    return r;
}

int encode_traces(const struct encode_resource *resource, struct span spans, struct text_buf *out)
{
    int r = add(out, "{\"resourceSpans\":[{");

    r = r ? r : resource_add(resource, out);
    r = r ? r : add(out, ",\"scopeSpans\":[{\"scope\":{\"name\":\"openclaw.bus\"},\"spans\":[");
    r = r ? r : text_buf_add(out, spans);
    return r ? r : add(out, "]}]}]}");
}

/* --- metrics: reading -------------------------------------------------------------------------- */

struct label {
    struct span name;
    struct span value; /* as it is written, with its escapes */
};

struct sample {
    struct span name;
    struct label labels[LABELS_MAX];
    size_t labels_n;
    struct span le; /* of a bucket; empty: none */
    struct span number;
};

static struct span cut(struct span *rest, char at)
{
    const char *end = rest->len ? memchr(rest->ptr, at, rest->len) : NULL;
    struct span part = { rest->ptr, end ? (size_t)(end - rest->ptr) : rest->len };
    size_t step = end ? part.len + 1 : part.len;

    rest->ptr += step;
    rest->len -= step;
    return part;
}

/* Behind its opening quote; moves behind the closing one. */
static bool quoted(struct span *rest, struct span *ret)
{
    size_t i = 0;

    while (i < rest->len && rest->ptr[i] != '"') {
        i += rest->ptr[i] == '\\' ? 2 : 1;
    }
    if (i >= rest->len) {
        return false;
    }
    *ret = (struct span){ rest->ptr, i };
    rest->ptr += i + 1;
    rest->len -= i + 1;
    return true;
}

static bool labels_read(struct span *rest, struct sample *sample)
{
    while (rest->len && rest->ptr[0] != '}') {
        struct label label = { .name = cut(rest, '=') };

        if (!rest->len || rest->ptr[0] != '"') {
            return false;
        }
        rest->ptr++;
        rest->len--;
        if (!quoted(rest, &label.value)) {
            return false;
        }
        if (span_is_text(label.name, "le")) {
            sample->le = label.value;
        } else if (sample->labels_n < LABELS_MAX) {
            sample->labels[sample->labels_n++] = label;
        }
        if (rest->len && rest->ptr[0] == ',') {
            rest->ptr++;
            rest->len--;
        }
    }
    (void)cut(rest, '}');
    return true;
}

/* name{label="value",…} number */
static bool sample_read(struct span line, struct sample *ret)
{
    size_t n = 0;

    *ret = (struct sample){ .labels_n = 0 };
    while (n < line.len && line.ptr[n] != '{' && line.ptr[n] != ' ') {
        n++;
    }
    ret->name = (struct span){ line.ptr, n };
    struct span rest = { line.ptr + n, line.len - n };
    if (rest.len && rest.ptr[0] == '{') {
        rest.ptr++;
        rest.len--;
        if (!labels_read(&rest, ret)) {
            return false;
        }
    }
    while (rest.len && rest.ptr[0] == ' ') {
        rest.ptr++;
        rest.len--;
    }
    ret->number = rest;
    return ret->name.len && rest.len && rest.len < NUMBER_MAX;
}

static double number_of(struct span text)
{
    char buf[NUMBER_MAX] = "";

    memcpy(buf, text.ptr, text.len < sizeof(buf) - 1 ? text.len : sizeof(buf) - 1);
    return strtod(buf, NULL);
}

/* --- metrics: writing -------------------------------------------------------------------------- */

struct metrics {
    struct text_buf *out;
    struct span family;
    char type; /* 'c'ounter, 'g'auge, 'h'istogram, 's'ummary; 0: none begun */
    bool is_open;
    bool has_points;
    bool has_metrics;
    uint64_t start_ns;
    uint64_t now_ns;
    double bounds[BOUNDS_MAX]; /* of the histogram in hand */
    uint64_t counts[BOUNDS_MAX + 1];
    size_t bounds_n;
    double sum;
};

static int family_end(struct metrics *self)
{
    const char *tail = self->type == 'c'   ? "],\"aggregationTemporality\":2,\"isMonotonic\":true}}"
                       : self->type == 'h' ? "],\"aggregationTemporality\":2}}"
                                           : "]}}";

    if (!self->is_open) {
        return 0;
    }
    self->is_open = false;
    return add(self->out, "%s", tail);
}

static int family_open(struct metrics *self)
{
    const char *kind = self->type == 'c'   ? "sum"
                       : self->type == 'h' ? "histogram"
                       : self->type == 's' ? "summary"
                                           : "gauge";

    int r = add(self->out, "%s{\"name\":", self->has_metrics ? "," : "");

    r = r ? r : json_from_text(self->family, self->out);
    self->has_metrics = true;
    self->is_open = true;
    self->has_points = false;
    return r ? r : add(self->out, ",\"%s\":{\"dataPoints\":[", kind);
}

static int label_add(struct metrics *self, const struct label *label, bool is_first)
{
    struct text_buf plain = { 0 };
    int r = 0;

    for (size_t i = 0; !r && i < label->value.len; i++) {
        char c = label->value.ptr[i];

        if (c == '\\' && i + 1 < label->value.len) {
            c = label->value.ptr[++i];
            c = c == 'n' ? '\n' : c;
        }
        r = text_buf_add(&plain, (struct span){ &c, 1 });
    }
    r = r ? r : add(self->out, "%s{\"key\":", is_first ? "" : ",");
    r = r ? r : json_from_text(label->name, self->out);
    r = r ? r : add(self->out, ",\"value\":{\"stringValue\":");
    r = r ? r : json_from_text((struct span){ plain.data ? plain.data : "", plain.len }, self->out);
    text_buf_deinit(&plain);
    return r ? r : add(self->out, "}}");
}

/* What every point begins with. */
static int point_begin(struct metrics *self, const struct sample *sample)
{
    int r = self->is_open ? 0 : family_open(self);

    r = r ? r : add(self->out, "%s{\"attributes\":[", self->has_points ? "," : "");
    self->has_points = true;
    for (size_t i = 0; !r && i < sample->labels_n; i++) {
        r = label_add(self, &sample->labels[i], i == 0);
    }
    r = r ? r : add(self->out, "],\"timeUnixNano\":\"%llu\"", (unsigned long long)self->now_ns);
    if (self->type != 'g') {
        r = r ? r : add(self->out, ",\"startTimeUnixNano\":\"%llu\"", (unsigned long long)self->start_ns);
    }
    return r;
}

static int histogram_add(struct metrics *self, const struct sample *sample)
{
    uint64_t before = 0;
    int r = point_begin(self, sample);

    r = r ? r
          : add(self->out, ",\"count\":\"%llu\",\"sum\":%.17g,\"bucketCounts\":[",
                (unsigned long long)number_of(sample->number), self->sum);
    for (size_t i = 0; !r && i <= self->bounds_n; i++) { /* cumulative there, each its own here */
        r = add(self->out, "%s\"%llu\"", i ? "," : "",
                (unsigned long long)(self->counts[i] > before ? self->counts[i] - before : 0));
        before = self->counts[i];
    }
    r = r ? r : add(self->out, "],\"explicitBounds\":[");
    for (size_t i = 0; !r && i < self->bounds_n; i++) {
        r = add(self->out, "%s%.17g", i ? "," : "", self->bounds[i]);
    }
    self->bounds_n = 0;
    return r ? r : add(self->out, "]}");
}

static int histogram_take(struct metrics *self, const struct sample *sample, struct span tail)
{
    if (span_is_text(tail, "_bucket") && self->bounds_n < BOUNDS_MAX) {
        self->counts[self->bounds_n] = (uint64_t)number_of(sample->number);
        if (!span_is_text(sample->le, "+Inf")) {
            self->bounds[self->bounds_n++] = number_of(sample->le);
        }
    } else if (span_is_text(tail, "_sum")) {
        self->sum = number_of(sample->number);
    } else if (span_is_text(tail, "_count")) {
        return histogram_add(self, sample);
    }
    return 0;
}

/* Its sum comes first. */
static int summary_take(struct metrics *self, const struct sample *sample, struct span tail)
{
    if (span_is_text(tail, "_sum")) {
        self->sum = number_of(sample->number);
        return 0;
    }
    int r = point_begin(self, sample);
    return r ? r
             : add(self->out, ",\"count\":\"%llu\",\"sum\":%.17g,\"quantileValues\":[]}",
                   (unsigned long long)number_of(sample->number), self->sum);
}

static int sample_take(struct metrics *self, struct span line)
{
    struct sample sample;

    if (!sample_read(line, &sample) || !self->type || sample.name.len < self->family.len ||
        memcmp(sample.name.ptr, self->family.ptr, self->family.len) != 0) {
        return 0;
    }
    struct span tail = { sample.name.ptr + self->family.len, sample.name.len - self->family.len };
    if (self->type == 'h') {
        return histogram_take(self, &sample, tail);
    }
    if (self->type == 's') {
        return summary_take(self, &sample, tail);
    }
    int r = tail.len ? 0 : point_begin(self, &sample);
    return r || tail.len ? r : add(self->out, ",\"asDouble\":%.17g}", number_of(sample.number));
}

/* "# TYPE name type" */
static int type_take(struct metrics *self, struct span line)
{
    struct span rest = { line.ptr + 7, line.len - 7 };
    int r = family_end(self);

    self->family = cut(&rest, ' ');
    self->type = rest.len && memchr("cghs", rest.ptr[0], 4) ? rest.ptr[0] : '\0';
    self->bounds_n = 0;
    return r;
}

int encode_metrics(const struct encode_resource *resource, struct span page, uint64_t start_ns, uint64_t now_ns,
                   struct text_buf *out)
{
    struct metrics self = { .out = out, .start_ns = start_ns, .now_ns = now_ns };
    int r = add(out, "{\"resourceMetrics\":[{");

    r = r ? r : resource_add(resource, out);
    r = r ? r : add(out, ",\"scopeMetrics\":[{\"scope\":{\"name\":\"openclaw\"},\"metrics\":[");
    while (!r && page.len) {
        struct span line = cut(&page, '\n');

        if (span_starts(line, "# TYPE ")) {
            r = type_take(&self, line);
        } else if (line.len && line.ptr[0] != '#') {
            r = sample_take(&self, line);
        }
    }
    r = r ? r : family_end(&self);
    return r ? r : add(out, "]}]}]}");
}
