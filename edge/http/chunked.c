#include "edge/http/chunked.h"

#include "edge/http/request.h"

static int digit_of(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* One byte of the line that holds the size. False when it cannot belong there. */
static bool size_step(struct chunked *self, char c)
{
    int digit = digit_of(c);

    if (++self->line_len > CHUNKED_LINE_MAX) {
        return false;
    }
    if (digit >= 0) {
        if (++self->digits > 15) {
            return false;
        }
        self->left = self->left * 16 + (uint64_t)digit;
        return true;
    }
    if (self->digits == 0) {
        return false;
    }
    if (c == '\r') {
        self->state = CHUNKED_SIZE_LF;
        return true;
    }
    self->state = CHUNKED_EXTENSION;
    return c == ';' || c == ' ' || c == '\t';
}

static bool extension_step(struct chunked *self, char c)
{
    if (++self->line_len > CHUNKED_LINE_MAX || c == '\n') {
        return false;
    }
    if (c == '\r') {
        self->state = CHUNKED_SIZE_LF;
    }
    return true;
}

/* As strict as with the fields of a head (RFC 9112 §7.1.2): a name, a colon, a value. */
static bool trailer_step(struct chunked *self, char c)
{
    if (++self->line_len > CHUNKED_TRAILER_MAX) {
        return false;
    }
    if (c == '\r') {
        self->state = CHUNKED_TRAILER_LF;
        return self->field_len == 0 || self->has_name;
    }
    self->field_len++;
    if (self->has_name) {
        return request_is_text_char(c);
    }
    self->has_name = c == ':' && self->field_len > 1;
    return self->has_name || request_is_token_char(c);
}

/* Every state but CHUNKED_DATA takes one byte at a time. */
static bool step(struct chunked *self, char c)
{
    switch (self->state) {
    case CHUNKED_SIZE:
        return size_step(self, c);
    case CHUNKED_EXTENSION:
        return extension_step(self, c);
    case CHUNKED_SIZE_LF:
        self->state = self->left ? CHUNKED_DATA : CHUNKED_TRAILER;
        self->line_len = 0;
        self->field_len = 0;
        self->has_name = false;
        return c == '\n';
    case CHUNKED_DATA_CR:
        self->state = CHUNKED_DATA_LF;
        return c == '\r';
    case CHUNKED_DATA_LF:
        *self = (struct chunked){ 0 };
        return c == '\n';
    case CHUNKED_TRAILER:
        return trailer_step(self, c);
    case CHUNKED_TRAILER_LF:
        self->state = self->field_len ? CHUNKED_TRAILER : CHUNKED_DONE;
        self->field_len = 0;
        self->has_name = false;
        return c == '\n';
    case CHUNKED_DATA:
    case CHUNKED_DONE:
        break;
    }
    return false;
}

int chunked_read(struct chunked *self, struct span *input, struct span *ret_data)
{
    while (self->state != CHUNKED_DONE) {
        char c;

        if (input->len == 0) {
            return CHUNKED_E_MORE;
        }
        if (self->state == CHUNKED_DATA) {
            size_t take = self->left < input->len ? (size_t)self->left : input->len;

            *ret_data = (struct span){ input->ptr, take };
            input->ptr += take;
            input->len -= take;
            self->left -= take;
            if (self->left == 0) {
                self->state = CHUNKED_DATA_CR;
            }
            return CHUNKED_E_DATA;
        }
        c = input->ptr[0];
        input->ptr++;
        input->len--;
        if (!step(self, c)) {
            return CHUNKED_E_BAD;
        }
    }
    return CHUNKED_E_END;
}
