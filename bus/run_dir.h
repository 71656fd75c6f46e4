/*
 * run_dir: the directory of a gateway's endpoints: made, held against those who tidy up,
 * and rid of sockets whose owners died.
 */
#ifndef BUS_RUN_DIR_H
#define BUS_RUN_DIR_H

#include <stdbool.h>

/*
 * Opens the directory, made with mode 0700 when it is not there, for nobody but us. The
 * descriptor holds a BSD lock on it, which programs such as systemd-tmpfiles heed
 * (tmpfiles.d(5), "Age"). -EPERM when somebody else owns it: its name may be one that
 * others can guess.
 */
int run_dir_open(const char *run_dir, int *ret_fd);

/* Does that path still lead to the directory that was opened? */
bool run_dir_is(const char *run_dir, int fd);

/*
 * Removes every "<prefix>*.sock"; "" for all. For whoever holds the lock on the gateway's
 * state and knows that nobody is behind them any more. What cannot be removed stays: it
 * is replaced when somebody binds there.
 */
void run_dir_sweep(const char *run_dir, const char *prefix);
/* The same of all but that file. */
void run_dir_sweep_but(const char *run_dir, const char *name);

#endif
