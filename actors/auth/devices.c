#include "actors/auth/devices.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "bus/base/fault.h"
#include "bus/base/mem.h"

static const char find_sql[] = "SELECT id, public_key, display_name, platform, device_family, client_id, client_mode,"
                               " remote_ip, role, scopes, created_ms, approved_ms, label FROM paired LEFT JOIN label"
                               " ON device_id = id WHERE id = ?1";
static const char each_sql[] = "SELECT id, public_key, display_name, platform, device_family, client_id, client_mode,"
                               " remote_ip, role, scopes, created_ms, approved_ms, label FROM paired LEFT JOIN label"
                               " ON device_id = id ORDER BY approved_ms DESC, id";
static const char tokens_sql[] = "SELECT role, scopes, serial, digest, older_digest, created_ms, rotated_ms, revoked_ms"
                                 " FROM token WHERE device_id = ?1";
static const char put_sql[] =
    "INSERT INTO paired VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12) ON CONFLICT (id) DO UPDATE SET"
    " public_key = ?2, display_name = ?3, platform = ?4, device_family = ?5, client_id = ?6, client_mode = ?7,"
    " remote_ip = ?8, role = ?9, scopes = ?10, approved_ms = ?12";
static const char token_put_sql[] =
    "INSERT INTO token VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (device_id, role) DO UPDATE SET"
    " scopes = ?3, serial = ?4, digest = ?5, older_digest = ?6, created_ms = ?7, rotated_ms = ?8, revoked_ms = ?9";
static const char label_sql[] = "INSERT INTO label VALUES (?1, ?2) ON CONFLICT (device_id) DO UPDATE SET label = ?2";
static const char remove_sql[] = "DELETE FROM paired WHERE id = ?1";

/* --- roles --------------------------------------------------------------------------- */

void devices_roles_format(uint32_t roles, char text[DEVICES_ROLES_TEXT_MAX])
{
    size_t len = 0;

    text[0] = '\0';
    for (unsigned i = 0; i < DEVICES_ROLES; i++) {
        if (roles & (1U << i)) {
            len += (size_t)snprintf(text + len, DEVICES_ROLES_TEXT_MAX - len, "%s%s", len ? "," : "",
                                    connect_role_name((enum connect_role)i));
        }
    }
}

uint32_t devices_roles_parse(const char *text)
{
    uint32_t roles = 0;

    while (*text) {
        size_t len = strcspn(text, ",");
        for (unsigned i = 0; i < DEVICES_ROLES; i++) {
            if (span_is_text((struct span){ text, len }, connect_role_name((enum connect_role)i))) {
                roles |= 1U << i;
            }
        }
        text += len + (text[len] == ',');
    }
    return roles;
}

uint32_t devices_roles(const struct device_record *record)
{
    uint32_t roles = 0;

    for (unsigned i = 0; i < DEVICES_ROLES; i++) {
        roles |= record->tokens[i].is_approved ? 1U << i : 0;
    }
    return roles;
}

uint32_t devices_roles_usable(const struct device_record *record)
{
    uint32_t roles = 0;

    for (unsigned i = 0; i < DEVICES_ROLES; i++) {
        roles |= record->tokens[i].is_usable ? 1U << i : 0;
    }
    return roles;
}

/* --- reading ---------------------------------------------------------------------------- */

static enum connect_role role_read(sqlite3_stmt *stmt, int at)
{
    char role[DEVICES_ROLES_TEXT_MAX];

    db_text(stmt, at, role, sizeof(role));
    return strcmp(role, "node") == 0 ? CONNECT_ROLE_NODE : CONNECT_ROLE_OPERATOR;
}

void devices_identity_read(sqlite3_stmt *stmt, int at, struct device_identity *ret_identity)
{
    db_text(stmt, at, ret_identity->id, sizeof(ret_identity->id));
    db_text(stmt, at + 1, ret_identity->public_key, sizeof(ret_identity->public_key));
    db_text(stmt, at + 2, ret_identity->display_name, sizeof(ret_identity->display_name));
    db_text(stmt, at + 3, ret_identity->platform, sizeof(ret_identity->platform));
    db_text(stmt, at + 4, ret_identity->device_family, sizeof(ret_identity->device_family));
    db_text(stmt, at + 5, ret_identity->client_id, sizeof(ret_identity->client_id));
    db_text(stmt, at + 6, ret_identity->client_mode, sizeof(ret_identity->client_mode));
    db_text(stmt, at + 7, ret_identity->remote_ip, sizeof(ret_identity->remote_ip));
    ret_identity->role = role_read(stmt, at + 8);
}

static void record_read(sqlite3_stmt *stmt, struct device_record *record)
{
    char scopes[SCOPES_TEXT_MAX];

    *record = (struct device_record){ 0 };
    devices_identity_read(stmt, 0, &record->identity);
    db_text(stmt, 9, scopes, sizeof(scopes));
    scope_list_parse(&record->scopes, scopes);
    record->created_ms = sqlite3_column_int64(stmt, 10);
    record->approved_ms = sqlite3_column_int64(stmt, 11);
    db_text(stmt, 12, record->label, sizeof(record->label));
}

static void token_read(sqlite3_stmt *stmt, struct device_record *record)
{
    char scopes[SCOPES_TEXT_MAX];

    db_text(stmt, 1, scopes, sizeof(scopes));
    struct device_token token = {
        .is_approved = true,
        .scopes = scopes_parse(scopes),
        .serial = sqlite3_column_int64(stmt, 2),
        .created_ms = sqlite3_column_int64(stmt, 5),
        .rotated_ms = sqlite3_column_int64(stmt, 6),
        .revoked_ms = sqlite3_column_int64(stmt, 7),
    };
    token.is_usable = db_blob(stmt, 3, token.digest, sizeof(token.digest)) && !token.revoked_ms;
    token.has_older = db_blob(stmt, 4, token.older_digest, sizeof(token.older_digest));
    record->tokens[role_read(stmt, 0)] = token;
}

static int tokens_read(struct store *self, struct device_record *record)
{
    sqlite3_stmt *stmt = db_stmt(&self->db, tokens_sql);
    bool is_row = true;
    int r = 0;

    db_bind_text(stmt, 1, record->identity.id);
    while (!r && is_row) {
        r = db_step(&self->db, stmt, &is_row);
        if (!r && is_row) {
            token_read(stmt, record);
        }
    }
    return r;
}

int devices_find(struct store *self, const char *id, bool *ret_is_found, struct device_record *ret_record)
{
    sqlite3_stmt *stmt = db_stmt(&self->db, find_sql);
    bool is_row = false;

    *ret_record = (struct device_record){ 0 };
    *ret_is_found = false;
    db_bind_text(stmt, 1, id);
    int r = db_step(&self->db, stmt, &is_row);
    if (r || !is_row) {
        return r;
    }
    record_read(stmt, ret_record);
    db_done(stmt);
    *ret_is_found = true;
    return tokens_read(self, ret_record);
}

int devices_each(struct store *self, int (*each)(void *arg, const struct device_record *record), void *arg)
{
    sqlite3_stmt *stmt = db_stmt(&self->db, each_sql);
    struct device_record record;
    bool is_row = true;
    int r = 0;

    while (!r && is_row) {
        r = db_step(&self->db, stmt, &is_row);
        if (!r && is_row) {
            record_read(stmt, &record);
            r = tokens_read(self, &record);
            r = r ? r : each(arg, &record);
            if (r) {
                db_done(stmt);
            }
        }
    }
    return r;
}

/* --- tokens ------------------------------------------------------------------------------- */

static int token_text(const struct store *self, const char *id, enum connect_role role, int64_t serial,
                      char ret_token[SECRET_TOKEN_LEN])
{
    char label[160];
    int n = snprintf(label, sizeof(label), "device-token|%s|%s|%lld", id, connect_role_name(role), (long long)serial);

    return secret_token_derive(&self->token_key, (struct span){ label, (size_t)n }, ret_token);
}

/* A number that was never used for this device, also not before it was removed. */
static int token_renew(const struct store *self, const char *id, enum connect_role role, struct device_token *token)
{
    char text[SECRET_TOKEN_LEN];

    if (getrandom(&token->serial, sizeof(token->serial), 0) != (ssize_t)sizeof(token->serial)) {
        return FAULT(-EIO);
    }
    int fault = token_text(self, id, role, token->serial, text);
    fault = fault ? fault : secret_fingerprint(span_from(text), token->digest);
    mem_wipe(text, sizeof(text));
    return fault;
}

static int token_write(struct store *self, const char *id, enum connect_role role, const struct device_token *token)
{
    sqlite3_stmt *stmt = db_stmt(&self->db, token_put_sql);
    char scopes[SCOPES_TEXT_MAX];

    scopes_format(token->scopes, scopes);
    db_bind_text(stmt, 1, id);
    db_bind_text(stmt, 2, connect_role_name(role));
    db_bind_text(stmt, 3, scopes);
    sqlite3_bind_int64(stmt, 4, token->serial);
    db_bind_blob(stmt, 5, token->is_usable ? token->digest : NULL, SECRET_DIGEST);
    db_bind_blob(stmt, 6, token->is_usable && token->has_older ? token->older_digest : NULL, SECRET_DIGEST);
    sqlite3_bind_int64(stmt, 7, token->created_ms);
    db_bind_time(stmt, 8, token->rotated_ms);
    db_bind_time(stmt, 9, token->revoked_ms);
    return db_run(&self->db, stmt);
}

/* A newer one in the place of `token`; the one in use, if any, becomes the older one. */
static int token_replace(struct store *self, const char *id, enum connect_role role, struct device_token *token)
{
    if (token->is_usable && !token->has_older) {
        memcpy(token->older_digest, token->digest, SECRET_DIGEST);
        token->has_older = true;
    }
    /* One that was never used is forgotten: the client cannot know it. */
    int r = token_renew(self, id, role, token);
    token->is_usable = true;
    return r ? r : token_write(self, id, role, token);
}

int devices_token_rotate(struct store *self, struct device_record *record, enum connect_role role, uint32_t scopes,
                         int64_t now_ms)
{
    struct device_token *token = &record->tokens[role];

    token->scopes = scopes;
    token->rotated_ms = now_ms;
    token->revoked_ms = 0;
    return token_replace(self, record->identity.id, role, token);
}

int devices_token_revoke(struct store *self, struct device_record *record, enum connect_role role, int64_t now_ms)
{
    struct device_token *token = &record->tokens[role];

    token->is_usable = false;
    token->has_older = false;
    token->revoked_ms = now_ms;
    return token_write(self, record->identity.id, role, token);
}

enum devices_match devices_token_match(const struct device_token *token, struct span given)
{
    unsigned char digest[SECRET_DIGEST];

    if (!token->is_usable || secret_fingerprint(given, digest)) {
        return DEVICES_MATCH_NONE;
    }
    bool is_newest = CRYPTO_memcmp(digest, token->digest, sizeof(digest)) == 0;
    bool is_older = CRYPTO_memcmp(digest, token->older_digest, sizeof(digest)) == 0 && token->has_older;
    return is_newest ? DEVICES_MATCH_NEWEST : is_older ? DEVICES_MATCH_OLDER : DEVICES_MATCH_NONE;
}

int devices_token_settle(struct store *self, struct device_record *record, enum connect_role role)
{
    struct device_token *token = &record->tokens[role];

    if (!token->has_older) {
        return 0;
    }
    token->has_older = false;
    return token_write(self, record->identity.id, role, token);
}

int devices_token_tell(struct store *self, struct device_record *record, enum connect_role role,
                       char ret_token[SECRET_TOKEN_LEN])
{
    struct device_token *token = &record->tokens[role];
    unsigned char digest[SECRET_DIGEST];
    int r = token_text(self, record->identity.id, role, token->serial, ret_token);

    r = r ? r : secret_fingerprint(span_from(ret_token), digest);
    if (r || CRYPTO_memcmp(digest, token->digest, sizeof(digest)) == 0) {
        return r;
    }
    r = token_replace(self, record->identity.id, role, token);
    return r ? r : token_text(self, record->identity.id, role, token->serial, ret_token);
}

/* --- changes -------------------------------------------------------------------------------- */

void devices_identity_bind(sqlite3_stmt *stmt, int at, const struct device_identity *identity)
{
    db_bind_text(stmt, at, identity->id);
    db_bind_text(stmt, at + 1, identity->public_key);
    db_bind_text(stmt, at + 2, identity->display_name);
    db_bind_text(stmt, at + 3, identity->platform);
    db_bind_text(stmt, at + 4, identity->device_family);
    db_bind_text(stmt, at + 5, identity->client_id);
    db_bind_text(stmt, at + 6, identity->client_mode);
    db_bind_text(stmt, at + 7, identity->remote_ip);
    db_bind_text(stmt, at + 8, connect_role_name(identity->role));
}

static int record_write(struct store *self, const struct device_record *record)
{
    sqlite3_stmt *stmt = db_stmt(&self->db, put_sql);
    char scopes[SCOPES_TEXT_MAX];

    scope_list_format(&record->scopes, scopes);
    devices_identity_bind(stmt, 1, &record->identity);
    db_bind_text(stmt, 10, scopes);
    sqlite3_bind_int64(stmt, 11, record->created_ms);
    sqlite3_bind_int64(stmt, 12, record->approved_ms);
    return db_run(&self->db, stmt);
}

static int role_approve(struct store *self, struct device_record *record, enum connect_role role, int64_t now_ms)
{
    struct device_token *token = &record->tokens[role];

    if (token->is_approved) {
        token->rotated_ms = now_ms;
        token->revoked_ms = 0;
    } else {
        *token = (struct device_token){ .is_approved = true, .created_ms = now_ms };
    }
    token->scopes = role == CONNECT_ROLE_OPERATOR ? scopes_expand(scope_list_mask(&record->scopes)) : 0;
    return token_replace(self, record->identity.id, role, token);
}

int devices_approve(struct store *self, const struct device_identity *identity, uint32_t roles,
                    const struct scope_list *scopes, int64_t now_ms, struct device_record *ret_record)
{
    struct device_record record;
    bool is_found = false;
    int r = devices_find(self, identity->id, &is_found, &record);

    if (r) {
        return r;
    }
    /* A name that the request does not bring is kept. */
    char name[DEVICES_NAME_MAX];
    memcpy(name, identity->display_name[0] ? identity->display_name : record.identity.display_name, sizeof(name));
    record.identity = *identity;
    memcpy(record.identity.display_name, name, sizeof(name));
    record.created_ms = is_found ? record.created_ms : now_ms;
    record.approved_ms = now_ms;
    scope_list_merge(&record.scopes, scopes);
    r = record_write(self, &record);
    for (unsigned i = 0; !r && i < DEVICES_ROLES; i++) {
        if (roles & (1U << i)) {
            r = role_approve(self, &record, (enum connect_role)i, now_ms);
        }
    }
    if (!r) {
        *ret_record = record;
    }
    return r;
}

int devices_label(struct store *self, const char *id, struct span label)
{
    sqlite3_stmt *stmt = db_stmt(&self->db, label_sql);

    db_bind_text(stmt, 1, id);
    db_bind_span(stmt, 2, label);
    return db_run(&self->db, stmt);
}

int devices_remove(struct store *self, const char *id, bool *ret_was_there)
{
    sqlite3_stmt *stmt = db_stmt(&self->db, remove_sql);

    db_bind_text(stmt, 1, id);
    int r = db_run(&self->db, stmt);
    *ret_was_there = !r && db_changes(&self->db) > 0;
    return r;
}

int devices_import(struct store *self, const struct device_record *record)
{
    int r = record_write(self, record);

    for (unsigned i = 0; !r && i < DEVICES_ROLES; i++) {
        if (record->tokens[i].is_approved) {
            r = token_write(self, record->identity.id, (enum connect_role)i, &record->tokens[i]);
        }
    }
    return r;
}
