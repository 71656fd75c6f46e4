#!/usr/bin/env python3
"""Writes a C file that holds the files of a directory: embed.py OUT.c DIRECTORY FUNCTION"""

import hashlib
import os
import sys

out_path, directory, function = sys.argv[1:]
names = sorted(os.listdir(directory))
lines = [f'/* Made by edge/ui/embed.py from edge/ui/{os.path.basename(directory)}. */', '#include "edge/ui/pages.h"', '', '#include <string.h>', '']
rows = []
for index, name in enumerate(names):
    with open(os.path.join(directory, name), "rb") as file:
        data = file.read()
    lines.append(f"static const uint8_t page_{index}[] = {{")
    lines += ["    " + ",".join(str(byte) for byte in data[at:at + 32]) + "," for at in range(0, len(data), 32)]
    lines += ["};", ""]
    etag = hashlib.sha256(data).hexdigest()[:16]
    rows.append(f'    {{ "{name}", "\\"{etag}\\"", page_{index}, sizeof(page_{index}) }},')
lines += ["static const struct ui_page pages[] = {", *rows, "};", "",
          f"const struct ui_page *{function}(const char *name)", "{",
          "    for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {",
          "        if (strcmp(pages[i].name, name) == 0) {", "            return &pages[i];", "        }", "    }",
          "    return NULL;", "}", ""]
with open(out_path, "w", encoding="ascii") as file:
    file.write("\n".join(lines))
