/*
 * trim: what a process needed only to start, given back to the kernel once it serves.
 */
#ifndef BUS_TRIM_H
#define BUS_TRIM_H

/*
 * Unmaps the pages of the program and its libraries that are as they are on disk; those
 * that are used again come back from the kernel's cache, a fault each sixteen. What start
 * alone touches (relocation, tables of symbols, initialisers) is most of them.
 */
void trim_after_start(void);

#endif
