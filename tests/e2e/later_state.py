"""The database in which the later generation of the original keeps who is paired, as far as pairings go."""

import json
import os
import sqlite3

# Its own words for its tables (2026.9.6), without those that are of no matter here.
TABLES = """
CREATE TABLE device_pairing_pending (request_id TEXT NOT NULL PRIMARY KEY, device_id TEXT NOT NULL, public_key TEXT NOT NULL,
  display_name TEXT, platform TEXT, device_family TEXT, client_id TEXT, client_mode TEXT, browser_origin TEXT, role TEXT,
  roles_json TEXT, scopes_json TEXT, remote_ip TEXT, silent INTEGER, is_repair INTEGER, ts INTEGER NOT NULL,
  refreshed_at_ms INTEGER) STRICT;
CREATE TABLE device_pairing_paired (device_id TEXT NOT NULL PRIMARY KEY, public_key TEXT NOT NULL, display_name TEXT,
  operator_label TEXT, platform TEXT, device_family TEXT, client_id TEXT, client_mode TEXT, browser_origin TEXT, role TEXT,
  roles_json TEXT, scopes_json TEXT, approved_scopes_json TEXT, remote_ip TEXT, tokens_json TEXT, approved_via TEXT,
  node_surface_json TEXT, pending_node_surface_json TEXT, created_at_ms INTEGER NOT NULL, approved_at_ms INTEGER NOT NULL,
  last_seen_at_ms INTEGER, last_seen_reason TEXT) STRICT;
"""


class LaterState:
    def __init__(self, state_dir):
        folder = os.path.join(state_dir, "state")
        os.makedirs(folder)
        self.path = os.path.join(folder, "openclaw.sqlite")
        self.db = sqlite3.connect(self.path)
        self.db.execute("PRAGMA journal_mode = WAL")
        self.db.executescript(TABLES)

    def put(self, table, **row):
        row = {key: json.dumps(value) if key.endswith("_json") else value for key, value in row.items()}
        names, marks = ", ".join(row), ", ".join("?" * len(row))
        self.db.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", list(row.values()))
        self.db.commit()

    def paired(self, device, public_key, role, token, scopes=(), **more):
        self.put("device_pairing_paired", device_id=device.id, public_key=public_key, platform="linux", role=role,
                 roles_json=[role], scopes_json=list(scopes), approved_scopes_json=list(scopes),
                 tokens_json={role: {"token": token, "role": role, "scopes": list(scopes), "createdAtMs": 1}},
                 **{"created_at_ms": 1, "approved_at_ms": 2, **more})
