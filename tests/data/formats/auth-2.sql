-- db/auth.sqlite as the second format began, before tables were added to it.
CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE paired (id TEXT PRIMARY KEY, public_key TEXT NOT NULL, display_name TEXT NOT NULL, platform TEXT NOT NULL,
  device_family TEXT NOT NULL, client_id TEXT NOT NULL, client_mode TEXT NOT NULL, remote_ip TEXT NOT NULL,
  role TEXT NOT NULL, scopes TEXT NOT NULL, created_ms INTEGER NOT NULL, approved_ms INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE token (device_id TEXT NOT NULL REFERENCES paired(id) ON DELETE CASCADE, role TEXT NOT NULL,
  scopes TEXT NOT NULL, serial INTEGER NOT NULL, digest BLOB, older_digest BLOB, created_ms INTEGER NOT NULL,
  rotated_ms INTEGER, revoked_ms INTEGER, PRIMARY KEY (device_id, role)) WITHOUT ROWID;
CREATE TABLE request (id TEXT PRIMARY KEY, device_id TEXT NOT NULL UNIQUE, public_key TEXT NOT NULL,
  display_name TEXT NOT NULL, platform TEXT NOT NULL, device_family TEXT NOT NULL, client_id TEXT NOT NULL,
  client_mode TEXT NOT NULL, remote_ip TEXT NOT NULL, role TEXT NOT NULL, roles TEXT NOT NULL, scopes TEXT NOT NULL,
  is_repair INTEGER NOT NULL, created_ms INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE bootstrap (digest BLOB PRIMARY KEY, roles TEXT NOT NULL, scopes TEXT NOT NULL, issued_ms INTEGER NOT NULL,
  device_id TEXT, used_ms INTEGER) WITHOUT ROWID;
PRAGMA user_version = 2;
