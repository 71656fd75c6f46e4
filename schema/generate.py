#!/usr/bin/env python3
"""Turns the data in schema/ into schema_gen.h, schema_gen.c and the reference page.

Usage: generate.py --schema DIR --out DIR [--docs FILE]

Data that is malformed, ambiguous or without limits is refused: every complaint names the
file and the entry, all of them are printed, nothing is written, and the exit code is 1.
"""
import argparse
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from generator import emit_docs, emit_header, emit_source, read  # noqa: E402


def write_if_changed(path, text):
    """An unchanged header keeps its time, so nothing that includes it is compiled again."""
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
    parser.add_argument("--schema", required=True, help="folder with errors.json, types/, methods/, events/, bus/")
    parser.add_argument("--out", required=True, help="folder for schema_gen.h and schema_gen.c")
    parser.add_argument("--docs", help="file for the reference page (Markdown)")
    args = parser.parse_args()

    schema, complaints = read.schema_read(args.schema)
    if complaints:
        for line in complaints:
            print(f"schema: {line}", file=sys.stderr)
        return 1
    os.makedirs(args.out, exist_ok=True)
    write_if_changed(os.path.join(args.out, "schema_gen.h"), emit_header.header_text(schema))
    write_if_changed(os.path.join(args.out, "schema_gen.c"), emit_source.source_text(schema))
    if args.docs:
        os.makedirs(os.path.dirname(os.path.abspath(args.docs)), exist_ok=True)
        write_if_changed(args.docs, emit_docs.docs_text(schema))
    return 0


if __name__ == "__main__":
    sys.exit(main())
