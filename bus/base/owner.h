/*
 * owner: whose a new file is. Root that works on the state of a user leaves it to that user.
 */
#ifndef BUS_BASE_OWNER_H
#define BUS_BASE_OWNER_H

/*
 * `fd` is a file or directory that this process has made for `path`, or found there. When we
 * are root and it is ours, it goes to the owner of the regular file at `path`, or else of the
 * directory that `path` is in. Nothing happens for anybody but root, where that owner is root,
 * and to a file with more than one name. 0 or a fault.
 */
int owner_give(int fd, const char *path);

/* The same for a directory that was made at `path`; a link there is not followed. */
int owner_give_dir(const char *path);

#endif
