/*
 * doctor_write: puts the repaired text of the config in the place of the one that was
 * looked at: the running gateway does it, else this program under the gateway's lock.
 */
#ifndef EDGE_CLI_DOCTOR_WRITE_H
#define EDGE_CLI_DOCTOR_WRITE_H

struct doctor;
struct doctor_finding;

/* Edits of the text that is there; all of them are written at once, by the first. */
int doctor_write_edited(struct doctor *self, const struct doctor_finding *finding);
/* The same of the included file that the finding names. */
int doctor_write_included(struct doctor *self, const struct doctor_finding *finding);
/* Another text; the one that is there is kept as <path>.clobbered.TIME. */
int doctor_write_replaced(struct doctor *self, const struct doctor_finding *finding);

#endif
