/*
 * admission: the judgement on a client that comes with a device: its signature, the proofs
 * that only a device can bring, and whether it may do what it asks for.
 */
#ifndef ACTORS_AUTH_ADMISSION_H
#define ACTORS_AUTH_ADMISSION_H

#include "actors/auth/judge.h"

/* Checks the signature, and brings what is known about the device. A refusal is in the verdict. */
int admission_look(struct judge *self, const struct judge_ask *ask, struct judge_verdict *verdict);
/*
 * The rest. `shared`: what came of showing the gateway's secret or the like; `match`: of
 * showing the device's own token. Changes are committed together. 0, STORE_E_FULL or a fault.
 */
int admission_judge(struct judge *self, const struct judge_ask *ask, enum refusal shared, enum devices_match match,
                    struct judge_verdict *verdict);

#endif
