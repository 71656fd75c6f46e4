#include "actors/auth/joins.h"

#include <stdio.h>
#include <string.h>

#include "bus/base/fault.h"
#include "bus/base/mem.h"

static const char prune_sql[] = "DELETE FROM join_link WHERE expires_ms <= ?1";
static const char put_sql[] = "INSERT INTO join_link VALUES (?1, ?2, ?3, ?4)";
static const char find_sql[] = "SELECT url, fingerprint, expires_ms FROM join_link WHERE digest = ?1";
static const char drop_sql[] = "DELETE FROM join_link WHERE digest = ?1";

bool joins_page(const char *gateway_url, char ret_page[SETUP_URL_MAX])
{
    bool is_tls = strncmp(gateway_url, "wss://", 6) == 0;
    const char *rest = gateway_url + (is_tls ? 6 : 5);
    size_t len = strlen(rest);

    if (!is_tls && !setup_url_is_here(gateway_url)) {
        return false;
    }
    len -= len && rest[len - 1] == '/';
    int n = snprintf(ret_page, SETUP_URL_MAX, "%s://%.*s/j/", is_tls ? "https" : "http", (int)len, rest);
    return n > 0 && n + JOINS_CODE_LEN <= SETUP_URL_MAX;
}

static int token_of(const struct store *self, struct span code, char ret_token[SECRET_TOKEN_LEN])
{
    char label[8 + JOINS_CODE_LEN];
    int n = snprintf(label, sizeof(label), "join|%.*s", SPAN_FMT(code));
    int fault = secret_token_derive(&self->token_key, (struct span){ label, (size_t)n }, ret_token);

    mem_wipe(label, sizeof(label));
    return fault;
}

int joins_code(const struct store *self, char ret_code[JOINS_CODE_LEN], char ret_token[SECRET_TOKEN_LEN])
{
    char random[SECRET_TOKEN_LEN];
    int fault = secret_token_generate(random);

    if (fault) {
        return fault;
    }
    memcpy(ret_code, random, JOINS_CODE_LEN - 1);
    ret_code[JOINS_CODE_LEN - 1] = '\0';
    mem_wipe(random, sizeof(random));
    return token_of(self, span_from(ret_code), ret_token);
}

int joins_put(struct store *self, const char *code, const struct join *join, int64_t now_ms)
{
    unsigned char digest[SECRET_DIGEST];
    sqlite3_stmt *stmt = db_stmt(&self->db, prune_sql);

    sqlite3_bind_int64(stmt, 1, now_ms);
    int r = db_run(&self->db, stmt);
    r = r ? r : secret_fingerprint(span_from(code), digest);
    if (r) {
        return r;
    }
    stmt = db_stmt(&self->db, put_sql);
    db_bind_blob(stmt, 1, digest, sizeof(digest));
    db_bind_text(stmt, 2, join->url);
    db_bind_text(stmt, 3, join->fingerprint);
    sqlite3_bind_int64(stmt, 4, join->expires_ms);
    return db_run(&self->db, stmt);
}

static int row_read(struct store *self, const unsigned char digest[SECRET_DIGEST], bool *ret_is_found,
                    struct join *ret_join)
{
    sqlite3_stmt *stmt = db_stmt(&self->db, find_sql);

    db_bind_blob(stmt, 1, digest, SECRET_DIGEST);
    int r = db_step(&self->db, stmt, ret_is_found);
    if (r || !*ret_is_found) {
        return r;
    }
    db_text(stmt, 0, ret_join->url, sizeof(ret_join->url));
    db_text(stmt, 1, ret_join->fingerprint, sizeof(ret_join->fingerprint));
    ret_join->expires_ms = sqlite3_column_int64(stmt, 2);
    db_done(stmt);
    return 0;
}

/* Found by its digest, so the time that it takes tells nothing of codes that are near. */
int joins_redeem(struct store *self, struct span code, int64_t now_ms, bool *ret_is_found, struct join *ret_join)
{
    unsigned char digest[SECRET_DIGEST];

    *ret_join = (struct join){ .url = "" };
    *ret_is_found = false;
    if (code.len != JOINS_CODE_LEN - 1) {
        return 0;
    }
    int r = secret_fingerprint(code, digest);
    r = r ? r : row_read(self, digest, ret_is_found, ret_join);
    if (r || !*ret_is_found) {
        return r;
    }
    *ret_is_found = ret_join->expires_ms > now_ms;
    sqlite3_stmt *stmt = db_stmt(&self->db, drop_sql);
    db_bind_blob(stmt, 1, digest, sizeof(digest));
    r = db_run(&self->db, stmt);
    return r ? r : token_of(self, code, ret_join->token);
}
