/*
 * write_internal: one write of the config as its parts see it. write.c takes it from the
 * request to its end, write_base.c knows what it is made from, write_check.c whether the
 * result may be written, write_answer.c what whoever asked is told. Only they include this.
 */
#ifndef ACTORS_CONFIG_WRITE_INTERNAL_H
#define ACTORS_CONFIG_WRITE_INTERNAL_H

#include "actors/config/internal.h"
#include "bus/base/clock.h"
#include "bus/body.h"
#include "schema/base/config_change.h"

#define WRITE_CHANGED "config changed since last load; re-run config.get and retry"

struct request {
    struct body body;   /* what the spans borrow from */
    const char *method; /* "config.patch" */
    const char *kind;   /* "config-patch" in the answer; NULL: it has none */
    enum config_change_kind change;
    bool is_repair; /* `raw` is the text of the file; `change` says nothing */
    struct span raw;
    struct span replace;
    struct span base_hash;
    struct span file; /* of a repair: the included file that `raw` is for; empty: the config file */
    struct span note;
    struct type_client client;
};

/* One change, from the request to its answer. It outlives the request when secrets have to be waited for. */
struct write {
    struct write *next; /* in the queue */
    struct config *self;
    struct actor_ctx *ctx;    /* while the request is in hand, then NULL */
    struct actor_token token; /* then */
    bool is_judging;          /* activation_judge has not returned */
    struct request in;
    struct config_edit edit;
    struct snapshot disk; /* what the files hold, when the change is made from that and it is not in force */
    bool has_disk;
    bool is_disk_unusable; /* `disk` is no more than a document: it was refused, and the change may mend it */
    struct snapshot fresh; /* what the change makes of the config */
    bool is_partial;       /* that cannot be used either, and less is wrong with it than with what is on disk */
    struct config_overlay overlay;
    char when[CONFIG_TIME_LEN];
    char overridden[128];   /* what of it a flag or the environment counts before */
    struct text_buf broken; /* of a repair: what the file holds, which is not what is in force */
    int outcome;            /* of on_judged, when it was called at once */
};

/*
 * Functions that return an int: 0, what was answered (a failure's code, also when it has been
 * sent by token), or a fault.
 */

/* --- write_base.c ------------------------------------------------------------------------------------ */

/* What the change is made from. */
const struct config_document *write_base_of(const struct write *write);
/* May it be made from that? Sees to edits of the files that are not in force. */
int write_base_check(struct write *write);
/* The files were edited and the edit is not in force: it comes first, or says why it cannot. Takes the snapshot. */
int write_base_edited_take(struct write *write, struct snapshot *now);
/* Of a repair: only what cannot be used is replaced as a whole, and only the text that whoever repairs it has seen. */
int write_base_broken_check(struct write *write);
/* The same of a file that is included, which is changed like any other. */
int write_base_file_check(struct write *write);

/* --- write_check.c ------------------------------------------------------------------------------------- */

/* The file that is changed, what it holds, and what it will. */
const char *write_target(const struct write *write);
struct span write_text_before(const struct write *write);
struct span write_text_after(const struct write *write);
/*
 * Builds what the change makes of the config, as a load of the written file would. Of a file that cannot be used one
 * thing may be mended after the other (is_partial).
 */
int write_check_trial(struct write *write);
/* A reference that leads nowhere and is not there already is a mistake of this change. */
int write_check_secrets(struct write *write, const struct secret_entry *broken);
/* So is a place where the gateway cannot listen. */
int write_check_place(struct write *write, const char *problem);
/* More is gone than anybody means. */
int write_check_loss(struct write *write);

/* --- write_answer.c ------------------------------------------------------------------------------------ */

/* Notes what of the change a flag or the environment counts before; `fresh` is not in force yet. */
void write_answer_look(struct write *write);
int write_fail(struct write *write, const struct failure *failure);
int write_refuse_with(struct write *write, int code, const char *text);
int write_refuse(struct write *write, const char *text);
/* Somebody else's change came first. */
int write_refuse_changed(struct write *write, const char *text);
/* The file is better, and still cannot be used: what was in force stays, and what is wrong still is told. */
int write_answer_partial(struct write *write);
/* Whoever changed the config hears of it when all whom it concerns work by it, or have said why not. */
int write_answer(struct write *write);

#endif
