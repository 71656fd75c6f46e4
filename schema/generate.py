#!/usr/bin/env python3
"""Turns the data in schema/ into schema_gen.h, schema_gen.c, config_gen.c, the reference pages and a dissector.

Usage: generate.py [--schema DIR] [--out DIR] [--docs FILE] [--messages FILE] [--lua FILE]

Data that is malformed, ambiguous or without limits is refused: every complaint names the
file and the entry, all of them are printed, nothing is written, and the exit code is 1.
"""
import argparse
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from generator import config_shapes, emit_docs, emit_header, emit_lua, emit_messages, emit_source, read  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))


def write_if_changed(path, text):
    """An unchanged header keeps its time, so nothing that includes it is compiled again."""
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    try:
        with open(path, encoding="utf-8") as old:
            if old.read() == text:
                return
    except FileNotFoundError:
        pass
    with open(path, "w", encoding="utf-8") as new:
        new.write(text)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--schema", default=HERE, help="folder with errors.json, types/, methods/, events/, bus/, config/")
    parser.add_argument("--out", help="folder for schema_gen.h, schema_gen.c and config_gen.c")
    parser.add_argument("--docs", help="file for the reference page of the protocol (Markdown)")
    parser.add_argument("--messages", help="file for the reference page of messages between actors (Markdown)")
    parser.add_argument("--lua", help="file for the dissector of the bus (Wireshark)")
    args = parser.parse_args()

    schema, complaints = read.schema_read(args.schema)
    config = config_shapes.config_read(args.schema)
    complaints += config.complaints
    if complaints:
        for line in complaints:
            print(f"schema: {line}", file=sys.stderr)
        return 1
    if args.out:
        write_if_changed(os.path.join(args.out, "schema_gen.h"), emit_header.header_text(schema))
        write_if_changed(os.path.join(args.out, "schema_gen.c"), emit_source.source_text(schema))
        write_if_changed(os.path.join(args.out, "config_gen.c"), config_shapes.config_text(config))
    if args.docs:
        with open(os.path.join(HERE, "generator", "intro.md"), encoding="utf-8") as intro:
            write_if_changed(args.docs, emit_docs.docs_text(schema, intro.read()))
    if args.messages:
        write_if_changed(args.messages, emit_messages.messages_text(schema))
    if args.lua:
        write_if_changed(args.lua, emit_lua.lua_text(schema))
    return 0


if __name__ == "__main__":
    sys.exit(main())
