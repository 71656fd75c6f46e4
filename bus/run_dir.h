/*
 * run_dir: the sockets in the directory of a gateway's endpoints, after their owners died.
 */
#ifndef BUS_RUN_DIR_H
#define BUS_RUN_DIR_H

/*
 * Removes every "<prefix>*.sock"; "" for all. For whoever holds the lock on the gateway's
 * state and knows that nobody is behind them any more. What cannot be removed stays: it
 * is replaced when somebody binds there.
 */
void run_dir_sweep(const char *run_dir, const char *prefix);

#endif
