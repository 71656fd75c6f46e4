#include "schema/base/db_problem.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>

#include "bus/base/fault.h"
#include "bus/base/log.h"

const char *db_problem_text(int fault)
{
    switch (fault) {
    case -EUCLEAN:
        return "the file is damaged, or no database of this program";
    case -EPROTONOSUPPORT:
        return "the database was written by a newer release";
    case -EIO:
        return "the disk fails or is full";
    default:
        return fault_text(fault);
    }
}

const char *db_problem_fix(int fault)
{
    switch (fault) {
    case -EUCLEAN:
        return "put back a copy of it, or move it away with its -wal and -shm to begin anew without what it held";
    case -EPROTONOSUPPORT:
        return "start the newer release, or move the file away to begin anew without what it held";
    case -EACCES:
        return "give the user of the gateway the right to read and write it and its folder";
    default:
        return "make room, check the disk, then restart the gateway if it has given up";
    }
}

void db_problem_tell(struct actor *actor, const char *path, int fault)
{
    char text[PATH_MAX + 320];

    (void)snprintf(text, sizeof(text), "%s: %s; %s", path, db_problem_text(fault), db_problem_fix(fault)); /* fits */
    actor_status(actor, text);
}
