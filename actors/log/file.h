/*
 * file: the log file: appended to, rotated by size, never larger than it may be.
 *
 * A disk that is full or failing is no fault: what could not be written is counted, the
 * file keeps whole lines only, and writing goes on as soon as it can.
 */
#ifndef ACTORS_LOG_FILE_H
#define ACTORS_LOG_FILE_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "bus/base/span.h"

#define FILE_ARCHIVES 5
#define FILE_BYTES_DEFAULT (100U * 1024 * 1024)
#define FILE_BYTES_LEAST 65536U

struct file {
    int fd; /* -1: closed */
    char path[PATH_MAX];
    dev_t dev;
    ino_t ino;
    uint64_t size;
    /* Bytes written to files before this one. base + offset only grows, so that a reader's
     * cursor tells whether it is from an earlier file. */
    uint64_t base;
    uint64_t bytes_max;
    bool is_chosen; /* somebody named it: what is there already must be a log */
    int error;      /* errno of the newest failure; 0: all is well */
};

enum {
    FILE_E_DISK = 1,    /* nothing was written; self->error says why */
    FILE_E_FOREIGN = 2, /* what is there is no log of ours, and was not touched */
};

void file_init(struct file *self);
/* Opens (creating it and its folder, 0600 and 0700) and closes what was open before. */
int file_open(struct file *self, const char *path, uint64_t bytes_max);
/* The same of a path that somebody named. FILE_E_FOREIGN leaves `self` as it was. */
int file_open_chosen(struct file *self, const char *path, uint64_t bytes_max);
void file_close(struct file *self);
/* Whole lines, all or nothing; rotates first when they would not fit. */
int file_write(struct file *self, struct span lines);
/* Opens the path again when somebody has moved or removed the file. */
int file_follow(struct file *self);
/* "dir/name.log" and 2 → "dir/name.2.log". */
void file_archive_path(const char *path, unsigned number, char ret_path[PATH_MAX]);

#endif
