#include "actors/agent/reading.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "bus/base/cleanup.h"
#include "bus/base/mem.h"
#include "bus/base/utf8.h"

#define NUMBER_MAX 24U
#define SIDE_MIN 1U
#define SIDE_MAX 16384U
#define POPPLER "poppler-utils"
#define UNREADABLE "it cannot be read as PDF: it is damaged, or a password protects it"

struct reading {
    struct converts *converts;
    struct convert *convert;
    struct input_got *got;
    struct reading_limits limits;
    reading_on_end on_end;
    void *arg;
    struct text_buf file; /* the PDF, once its text is in `got` */
    uint32_t pages_n;     /* that are to be shown */
    char page[NUMBER_MAX];
    char side[NUMBER_MAX];
    const char *argv[20];
};

static void reading_free(struct reading *self)
{
    text_buf_deinit(&self->file);
    free(self);
}

static void finish(struct reading *self, const char *problem)
{
    reading_on_end on_end = self->on_end;
    void *arg = self->arg;

    reading_free(self);
    on_end(arg, problem);
}

void reading_cancel(struct reading **reading_p)
{
    struct reading *self = *reading_p;

    *reading_p = NULL;
    if (self) {
        convert_cancel(&self->convert);
        reading_free(self);
    }
}

static void argv_set(struct reading *self, const char *const *words, size_t n)
{
    memcpy(self->argv, words, n * sizeof(*words));
    self->argv[n] = NULL;
}

/* --- pages ---------------------------------------------------------------------------------- */

/* The side of a square that holds no more pixels. */
static uint32_t side_of(uint64_t pixels)
{
    uint32_t side = SIDE_MIN;

    while (side < SIDE_MAX && (uint64_t)(side + 1) * (side + 1) <= pixels) {
        side++;
    }
    return side;
}

static void on_page(void *arg, struct span output, const char *problem);

static int page_ask(struct reading *self, char problem[CONVERT_PROBLEM_MAX])
{
    const char *const words[] = { "-q",       "-jpeg", "-jpegopt", "quality=85", "-singlefile", "-f",
                                  self->page, "-l",    self->page, "-scale-to",  self->side,    "/dev/stdin" };
    struct convert_job job = { .program = "pdftoppm",
                               .package = POPPLER,
                               .argv = self->argv,
                               .input = { self->file.data, self->file.len },
                               .on_done = on_page,
                               .arg = self };

    argv_set(self, words, ARRAY_LEN(words));
    (void)snprintf(self->page, sizeof(self->page), "%u", self->got->pages_n + 1);
    (void)snprintf(self->side, sizeof(self->side), "%u", side_of(self->limits.pixels_max));
    return convert_start(self->converts, &job, problem, &self->convert);
}

static void on_page(void *arg, struct span output, const char *problem)
{
    struct reading *self = arg;
    char why[CONVERT_PROBLEM_MAX];

    self->convert = NULL;
    if (problem || !output.len) {
        (void)snprintf(why, sizeof(why), "its page %u cannot be shown: %s", self->got->pages_n + 1,
                       problem ? problem : "nothing came of it");
        finish(self, why);
        return;
    }
    if (text_buf_add(&self->got->pages[self->got->pages_n], output)) {
        finish(self, "the gateway is short of memory");
        return;
    }
    if (++self->got->pages_n == self->pages_n) {
        finish(self, NULL);
    } else if (page_ask(self, why)) {
        finish(self, why);
    }
}

/* --- text ----------------------------------------------------------------------------------- */

/* Ends of pages become ends of lines; the number of them is that of the pages. */
static uint32_t pages_count(struct text_buf *text)
{
    uint32_t n = 0;

    for (size_t i = 0; i < text->len; i++) {
        if (text->data[i] == '\f') {
            text->data[i] = '\n';
            n++;
        }
    }
    return n;
}

static struct span trimmed(const struct text_buf *text)
{
    struct span span = { text->len ? text->data : "", text->len };

    while (span.len && strchr(" \n\r\t", span.ptr[span.len - 1])) {
        span.len--;
    }
    while (span.len && strchr(" \n\r\t", span.ptr[0])) {
        span.ptr++;
        span.len--;
    }
    return span;
}

static bool has_chars(struct span text, uint64_t n)
{
    return n == 0 || (n < SIZE_MAX && utf8_cut_chars(text, (size_t)n - 1).len < text.len);
}

static int text_keep(struct reading *self, struct span output)
{
    struct text_buf text = { 0 };

    if (text_buf_add(&text, output)) {
        return -1;
    }
    self->file = self->got->bytes;
    self->got->bytes = text;
    (void)snprintf(self->got->mime, sizeof(self->got->mime), "text/plain");
    return 0;
}

static void on_text(void *arg, struct span output, const char *problem)
{
    struct reading *self = arg;
    struct text_buf *text = &self->got->bytes;
    char why[CONVERT_PROBLEM_MAX];

    self->convert = NULL;
    if (problem) {
        finish(self, strstr(problem, "with code") ? UNREADABLE : problem);
        return;
    }
    if (!utf8_is_valid(output) || text_keep(self, output)) {
        finish(self, output.len ? "its text is not UTF-8" : "the gateway is short of memory");
        return;
    }
    self->pages_n = pages_count(text);
    if (has_chars(trimmed(text), self->limits.chars_min)) {
        text->len = utf8_cut_chars((struct span){ text->data, text->len }, self->limits.chars_max).len;
        finish(self, NULL);
        return;
    }
    text->len = 0;
    if (!self->pages_n) {
        finish(self, "it has no pages");
    } else if (page_ask(self, why)) {
        finish(self, why);
    }
}

static int text_ask(struct reading *self, char problem[CONVERT_PROBLEM_MAX])
{
    const char *const words[] = { "-q", "-enc", "UTF-8", "-l", self->page, "/dev/stdin", "-" };
    struct convert_job job = { .program = "pdftotext",
                               .package = POPPLER,
                               .argv = self->argv,
                               .input = { self->got->bytes.data, self->got->bytes.len },
                               .on_done = on_text,
                               .arg = self };

    argv_set(self, words, ARRAY_LEN(words));
    (void)snprintf(self->page, sizeof(self->page), "%u", self->limits.pages_max);
    return convert_start(self->converts, &job, problem, &self->convert);
}

/* --- pictures --------------------------------------------------------------------------------- */

static void on_picture(void *arg, struct span output, const char *problem)
{
    struct reading *self = arg;

    self->convert = NULL;
    self->got->bytes.len = 0;
    if (problem || !output.len) {
        finish(self, problem && !strstr(problem, "with code")
                         ? problem
                         : "it cannot be read as HEIC: it is damaged, or holds several pictures");
    } else if (text_buf_add(&self->got->bytes, output)) {
        finish(self, "the gateway is short of memory");
    } else {
        (void)snprintf(self->got->mime, sizeof(self->got->mime), "image/jpeg");
        finish(self, NULL);
    }
}

static int picture_ask(struct reading *self, char problem[CONVERT_PROBLEM_MAX])
{
    static const char *const words[] = { "--quiet", "-q", "90", "/dev/stdin", "out.jpg" };
    struct convert_job job = { .program = "heif-convert",
                               .package = "libheif-examples",
                               .argv = self->argv,
                               .input = { self->got->bytes.data, self->got->bytes.len },
                               .makes_picture = true,
                               .on_done = on_picture,
                               .arg = self };

    argv_set(self, words, ARRAY_LEN(words));
    return convert_start(self->converts, &job, problem, &self->convert);
}

/* --- asking ----------------------------------------------------------------------------------- */

static bool is_pdf(const char *mime)
{
    return strcasecmp(mime, "application/pdf") == 0;
}

bool reading_is_needed(const char *mime)
{
    return is_pdf(mime) || strcasecmp(mime, "image/heic") == 0 || strcasecmp(mime, "image/heif") == 0;
}

int reading_start(struct converts *converts, struct input_got *got, const struct reading_limits *limits,
                  reading_on_end on_end, void *arg, char problem[CONVERT_PROBLEM_MAX], struct reading **ret_reading)
{
    struct reading *self = mem_new(sizeof(*self));
    int rc;

    *self = (struct reading){ .converts = converts, .got = got, .limits = *limits, .on_end = on_end, .arg = arg };
    self->limits.pages_max = limits->pages_max < INPUT_PAGES_MAX ? limits->pages_max : INPUT_PAGES_MAX;
    rc = is_pdf(got->mime) ? text_ask(self, problem) : picture_ask(self, problem);
    if (rc) {
        reading_free(self);
        return rc;
    }
    *ret_reading = self;
    return 0;
}
