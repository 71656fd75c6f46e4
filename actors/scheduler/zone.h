/*
 * zone: time zones by name, from the files of the system (TZif, RFC 9636), without the
 * process's own TZ, which belongs to all threads. Pure but for zone_load.
 */
#ifndef ACTORS_SCHEDULER_ZONE_H
#define ACTORS_SCHEDULER_ZONE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bus/base/span.h"

#define ZONE_NAME_MAX 64     /* bytes, with terminator */
#define ZONE_FILE_MAX 262144 /* bytes of a file; the largest there is has 4000 */
#define ZONE_TRANSITIONS_MAX 4096

/* When one of the two offsets of a rule begins: of each year. */
struct zone_change {
    char kind;      /* 'M' month, week, day; 'J' day 1 to 365 without leap days; 'D' day 0 to 365 */
    int month;      /* 1 to 12 */
    int week;       /* 1 to 5, 5 is the last */
    int day;        /* of the week from Sunday, or of the year */
    int32_t time_s; /* local, may be negative or above a day */
};

/* What holds behind the last transition: a POSIX TZ text (POSIX.1-2017 §8.3). */
struct zone_rule {
    bool is_set;
    bool has_dst;
    int32_t std_s; /* east of Greenwich */
    int32_t dst_s;
    struct zone_change begin; /* of DST */
    struct zone_change end;
};

struct zone {
    char name[ZONE_NAME_MAX];
    bool is_host; /* whatever the host's clock shows; nothing below counts */
    struct zone_transition {
        int64_t at_s;
        int32_t offset_s; /* from then on */
    } * transitions;      /* owned, in order */
    size_t transitions_n;
    int32_t first_s; /* offset before all of them */
    struct zone_rule rule;
};

enum {
    ZONE_E_UNKNOWN = 1, /* no such zone here */
    ZONE_E_BROKEN = 2,  /* the file is no TZif */
};

void zone_host(struct zone *ret_zone);
/* From the bytes of a file. 0 or ZONE_E_BROKEN. */
int zone_parse(struct span bytes, struct zone *ret_zone);
/* From a POSIX TZ text alone, "CET-1CEST,M3.5.0,M10.5.0/3". */
bool zone_rule_parse(struct span text, struct zone_rule *ret_rule);
/* By name, "Europe/Berlin", below TZDIR or /usr/share/zoneinfo. Reads a file. */
int zone_load(struct span name, struct zone *ret_zone);
void zone_deinit(struct zone *self);

/* Seconds that local time is ahead of UTC at that moment. */
int32_t zone_offset_s(const struct zone *self, int64_t at_s);

#endif
