#include "actors/scheduler/zone.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "bus/base/mem.h"

#define DAY_S 86400
#define AGE_S (INT64_C(1000) * 366 * DAY_S) /* rules are not asked about other millennia */
#define HEAD_BYTES 44U
#define OFFSET_MAX_S (26 * 3600)
#define RULE_TEXT_MAX 256

/* --- the calendar ---------------------------------------------------------------------------- */

static bool is_leap(int64_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* Days from 1970 to the first of January of a year from 1 on. */
static int64_t year_days(int64_t year)
{
    int64_t y = year - 1;

    return 365 * (year - 1970) + (y / 4 - 1969 / 4) - (y / 100 - 1969 / 100) + (y / 400 - 1969 / 400);
}

static int64_t year_of(int64_t days)
{
    int64_t year = 1970 + days / 366;

    while (year_days(year) > days) {
        year--;
    }
    while (year_days(year + 1) <= days) {
        year++;
    }
    return year;
}

static int month_days(int64_t year, int month)
{
    static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

    return days[month - 1] + (month == 2 && is_leap(year));
}

/* The day since 1970 on which a change falls. */
static int64_t change_day(const struct zone_change *change, int64_t year)
{
    int64_t first = year_days(year);
    int64_t day;

    if (change->kind == 'J') {
        return first + change->day - 1 + (change->day > 59 && is_leap(year));
    }
    if (change->kind == 'D') {
        return first + change->day;
    }
    for (int month = 1; month < change->month; month++) {
        first += month_days(year, month);
    }
    day = (change->day - (first + 4) % 7 + 14) % 7 + (change->week - 1) * 7; /* 1970 began on a Thursday */
    if (day >= month_days(year, change->month)) {
        day -= 7;
    }
    return first + day;
}

static int32_t rule_offset_s(const struct zone_rule *rule, int64_t at_s)
{
    int64_t year;
    int64_t begin_s;
    int64_t end_s;

    if (!rule->has_dst || at_s < -AGE_S || at_s > AGE_S) {
        return rule->std_s;
    }
    year = year_of((at_s + rule->std_s) / DAY_S);
    begin_s = change_day(&rule->begin, year) * DAY_S + rule->begin.time_s - rule->std_s;
    end_s = change_day(&rule->end, year) * DAY_S + rule->end.time_s - rule->dst_s;
    if (begin_s < end_s) {
        return at_s >= begin_s && at_s < end_s ? rule->dst_s : rule->std_s;
    }
    return at_s >= begin_s || at_s < end_s ? rule->dst_s : rule->std_s; /* south of the equator */
}

/* --- the rule behind the last transition ------------------------------------------------------ */

static bool take(struct span *text, char c)
{
    if (!text->len || *text->ptr != c) {
        return false;
    }
    *text = (struct span){ text->ptr + 1, text->len - 1 };
    return true;
}

static bool number_take(struct span *text, int most, int *ret_value)
{
    int value = 0;
    unsigned digits = 0;

    while (text->len && *text->ptr >= '0' && *text->ptr <= '9' && digits < 4) {
        value = value * 10 + (*text->ptr - '0');
        *text = (struct span){ text->ptr + 1, text->len - 1 };
        digits++;
    }
    *ret_value = value;
    return digits && value <= most;
}

/* [+-]h[h[h]][:mm[:ss]] */
static bool time_take(struct span *text, int32_t *ret_s)
{
    bool is_negative = take(text, '-');
    int hours;
    int minutes = 0;
    int seconds = 0;

    if (!is_negative) {
        (void)take(text, '+');
    }
    if (!number_take(text, 167, &hours) || (take(text, ':') && !number_take(text, 59, &minutes))) {
        return false;
    }
    if (take(text, ':') && !number_take(text, 59, &seconds)) {
        return false;
    }
    *ret_s = (hours * 3600 + minutes * 60 + seconds) * (is_negative ? -1 : 1);
    return true;
}

static bool is_letter(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* An abbreviation: letters, or anything between < and >. */
static bool name_take(struct span *text)
{
    size_t len = 0;

    if (take(text, '<')) {
        const char *end = memchr(text->ptr, '>', text->len);

        if (!end) {
            return false;
        }
        len = (size_t)(end - text->ptr) + 1;
    } else {
        while (len < text->len && is_letter(text->ptr[len])) {
            len++;
        }
    }
    *text = (struct span){ text->ptr + len, text->len - len };
    return len >= 3;
}

static bool change_take(struct span *text, struct zone_change *ret_change)
{
    struct zone_change change = { .kind = 'D', .time_s = 2 * 3600 };
    bool is_well;

    if (take(text, 'M')) {
        change.kind = 'M';
        is_well = number_take(text, 12, &change.month) && change.month && take(text, '.') &&
                  number_take(text, 5, &change.week) && change.week && take(text, '.') &&
                  number_take(text, 6, &change.day);
    } else if (take(text, 'J')) {
        change.kind = 'J';
        is_well = number_take(text, 365, &change.day) && change.day;
    } else {
        is_well = number_take(text, 365, &change.day);
    }
    if (!is_well || (take(text, '/') && !time_take(text, &change.time_s))) {
        return false;
    }
    *ret_change = change;
    return true;
}

/* Offsets are written as what must be added to local time. */
static bool offset_take(struct span *text, int32_t *ret_s)
{
    int32_t west;

    if (!time_take(text, &west) || west > OFFSET_MAX_S || west < -OFFSET_MAX_S) {
        return false;
    }
    *ret_s = -west;
    return true;
}

bool zone_rule_parse(struct span text, struct zone_rule *ret_rule)
{
    struct zone_rule rule = { .is_set = true };

    if (text.len > RULE_TEXT_MAX || !name_take(&text) || !offset_take(&text, &rule.std_s)) {
        return false;
    }
    if (text.len) {
        rule.has_dst = true;
        rule.dst_s = rule.std_s + 3600;
        if (!name_take(&text) || (text.len && *text.ptr != ',' && !offset_take(&text, &rule.dst_s)) ||
            !take(&text, ',') || !change_take(&text, &rule.begin) || !take(&text, ',') ||
            !change_take(&text, &rule.end) || text.len) {
            return false;
        }
    }
    *ret_rule = rule;
    return true;
}

/* --- the file ---------------------------------------------------------------------------------- */

struct counts {
    uint32_t utc_n, std_n, leap_n, transitions_n, types_n, chars_n;
};

static uint32_t u32_at(const char *ptr)
{
    const unsigned char *b = (const unsigned char *)ptr;

    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static bool head_take(struct span *bytes, struct counts *ret_counts, char *ret_version)
{
    const char *at = bytes->ptr;

    if (bytes->len < HEAD_BYTES || memcmp(at, "TZif", 4) != 0) {
        return false;
    }
    *ret_version = at[4];
    *ret_counts = (struct counts){ u32_at(at + 20), u32_at(at + 24), u32_at(at + 28),
                                   u32_at(at + 32), u32_at(at + 36), u32_at(at + 40) };
    *bytes = (struct span){ at + HEAD_BYTES, bytes->len - HEAD_BYTES };
    return ret_counts->transitions_n <= ZONE_TRANSITIONS_MAX && ret_counts->types_n && ret_counts->types_n <= 256 &&
           ret_counts->chars_n <= ZONE_FILE_MAX && ret_counts->leap_n <= ZONE_FILE_MAX && ret_counts->std_n <= 256 &&
           ret_counts->utc_n <= 256;
}

/* Bytes of the block behind a head whose times have `size` bytes. */
static size_t block_bytes(const struct counts *counts, size_t size)
{
    return (size_t)counts->transitions_n * (size + 1) + (size_t)counts->types_n * 6 + counts->chars_n +
           (size_t)counts->leap_n * (size + 4) + counts->std_n + counts->utc_n;
}

static bool type_offset(struct span types, uint32_t types_n, unsigned type, int32_t *ret_s)
{
    if (type >= types_n) {
        return false;
    }
    *ret_s = (int32_t)u32_at(types.ptr + (size_t)type * 6);
    return *ret_s <= OFFSET_MAX_S && *ret_s >= -OFFSET_MAX_S;
}

static bool block_read(struct span block, const struct counts *counts, size_t size, struct zone *zone)
{
    size_t n = counts->transitions_n;
    struct span types = { block.ptr + n * (size + 1), (size_t)counts->types_n * 6 };

    if (!type_offset(types, counts->types_n, 0, &zone->first_s)) {
        return false;
    }
    zone->transitions = n ? mem_new(n * sizeof(*zone->transitions)) : NULL;
    for (size_t i = 0; i < n; i++) {
        const char *at = block.ptr + i * size;
        struct zone_transition *to = &zone->transitions[i];

        to->at_s = size == 8 ? (int64_t)((uint64_t)u32_at(at) << 32 | u32_at(at + 4)) : (int32_t)u32_at(at);
        if ((i && to->at_s <= to[-1].at_s) ||
            !type_offset(types, counts->types_n, (unsigned char)block.ptr[n * size + i], &to->offset_s)) {
            return false;
        }
        zone->transitions_n++;
    }
    return true;
}

/* Between line breaks at the end of the file. */
static bool footer_read(struct span bytes, struct zone *zone)
{
    const char *end;

    if (!take(&bytes, '\n')) {
        return false;
    }
    end = memchr(bytes.ptr, '\n', bytes.len);
    if (!end) {
        return false;
    }
    bytes.len = (size_t)(end - bytes.ptr);
    return !bytes.len || zone_rule_parse(bytes, &zone->rule);
}

static bool file_read(struct span bytes, struct zone *zone)
{
    struct counts counts;
    char version;
    size_t size = 4;
    size_t len;

    if (!head_take(&bytes, &counts, &version)) {
        return false;
    }
    if (version >= '2') { /* the same again with longer times */
        len = block_bytes(&counts, 4);
        if (len > bytes.len) {
            return false;
        }
        bytes = (struct span){ bytes.ptr + len, bytes.len - len };
        size = 8;
        if (!head_take(&bytes, &counts, &version)) {
            return false;
        }
    }
    len = block_bytes(&counts, size);
    if (len > bytes.len || !block_read(bytes, &counts, size, zone)) {
        return false;
    }
    return size == 4 || footer_read((struct span){ bytes.ptr + len, bytes.len - len }, zone);
}

int zone_parse(struct span bytes, struct zone *ret_zone)
{
    struct zone zone = { .name = "" };

    if (!file_read(bytes, &zone)) {
        zone_deinit(&zone);
        return ZONE_E_BROKEN;
    }
    *ret_zone = zone;
    return 0;
}

/* --- by name ------------------------------------------------------------------------------------ */

void zone_host(struct zone *ret_zone)
{
    *ret_zone = (struct zone){ .name = "local", .is_host = true };
}

/* A name never leads out of the folder. */
static bool is_name(struct span name)
{
    if (!name.len || name.len >= ZONE_NAME_MAX || !is_letter(*name.ptr)) {
        return false;
    }
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];

        if (!is_letter(c) && !(c >= '0' && c <= '9') && c != '/' && c != '_' && c != '-' && c != '+') {
            return false;
        }
    }
    return true;
}

static int bytes_parse(int fd, struct zone *ret_zone)
{
    char *bytes = mem_new(ZONE_FILE_MAX);
    ssize_t len = read(fd, bytes, ZONE_FILE_MAX);
    int r = len < 0 ? ZONE_E_BROKEN : zone_parse((struct span){ bytes, (size_t)len }, ret_zone);

    free(bytes);
    return r;
}

int zone_load(struct span name, struct zone *ret_zone)
{
    const char *folder = getenv("TZDIR"); /* NOLINT(concurrency-mt-unsafe): nobody changes it */
    char path[512];
    struct stat found;
    int fd;
    int r = ZONE_E_UNKNOWN;

    if (!is_name(name) || snprintf(path, sizeof(path), "%s/%.*s", folder ? folder : "/usr/share/zoneinfo",
                                   SPAN_FMT(name)) >= (int)sizeof(path)) {
        return ZONE_E_UNKNOWN;
    }
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return ZONE_E_UNKNOWN;
    }
    if (!fstat(fd, &found) && S_ISREG(found.st_mode)) {
        r = bytes_parse(fd, ret_zone);
    }
    (void)close(fd); /* only read */
    if (!r) {
        (void)snprintf(ret_zone->name, sizeof(ret_zone->name), "%.*s", SPAN_FMT(name));
    }
    return r;
}

void zone_deinit(struct zone *self)
{
    free(self->transitions);
    *self = (struct zone){ .name = "" };
}

static int32_t host_offset_s(int64_t at_s)
{
    time_t at = (time_t)at_s;
    struct tm local;

    return localtime_r(&at, &local) ? (int32_t)local.tm_gmtoff : 0;
}

int32_t zone_offset_s(const struct zone *self, int64_t at_s)
{
    size_t low = 0;
    size_t high = self->transitions_n;

    if (self->is_host) {
        return host_offset_s(at_s);
    }
    while (low < high) { /* the first transition behind `at_s` */
        size_t middle = low + (high - low) / 2;

        if (self->transitions[middle].at_s <= at_s) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low == self->transitions_n && self->rule.is_set) {
        return rule_offset_s(&self->rule, at_s);
    }
    return low ? self->transitions[low - 1].offset_s : self->first_s;
}
