-- db/auth.sqlite as the first format had it.
CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE device (id TEXT PRIMARY KEY, public_key TEXT NOT NULL, platform TEXT NOT NULL, device_family TEXT NOT NULL,
  client_id TEXT NOT NULL, client_mode TEXT NOT NULL, display_name TEXT NOT NULL, created_ms INTEGER NOT NULL,
  approved_ms INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE device_role (device_id TEXT NOT NULL REFERENCES device(id) ON DELETE CASCADE, role TEXT NOT NULL,
  scopes TEXT NOT NULL, token TEXT NOT NULL, issued_ms INTEGER NOT NULL, PRIMARY KEY (device_id, role)) WITHOUT ROWID;
CREATE TABLE pending (request_id TEXT PRIMARY KEY);
PRAGMA user_version = 1;
