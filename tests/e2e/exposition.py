"""Reads Prometheus' text format 0.0.4, and accepts nothing that the format does not allow."""

import math
import re

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
HELP = re.compile(rf"# HELP ({NAME}) ((?:[^\\\n]|\\\\|\\n)*)")
TYPE = re.compile(rf"# TYPE ({NAME}) (counter|gauge|histogram|summary|untyped)")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\\\|\\"|\\n)*)"')
SAMPLE = re.compile(rf"({NAME})(?:\{{(.*)\}})? ([^ ]+)")
NUMBER = re.compile(r"[-+]?(\d+\.?\d*([eE][-+]?\d+)?|\.\d+|Inf|NaN)")


class Bad(Exception):
    pass


def expect(holds, line, why):
    if not holds:
        raise Bad(f"{why}: {line!r}")


def labels_read(text, line):
    labels, at = {}, 0
    while at < len(text):
        found = LABEL.match(text, at)
        expect(found, line, "no label")
        expect(found[1] not in labels, line, "a label twice")
        labels[found[1]] = found[2].replace('\\"', '"').replace("\\n", "\n").replace("\\\\", "\\")
        at = found.end()
        expect(at == len(text) or (text[at] == "," and at + 1 < len(text)), line, "no comma between labels")
        at += 1
    return labels


class Family:
    def __init__(self, name, kind, text):
        self.name, self.kind, self.text = name, kind, text
        self.samples = {}  # (name, labels) -> number

    def owns(self, name):
        ends = {"histogram": ("_bucket", "_sum", "_count"), "summary": ("", "_sum", "_count")}.get(self.kind, ("",))
        return any(name == self.name + end for end in ends)

    def check(self):
        if self.kind == "counter":
            for key, number in self.samples.items():
                expect(number >= 0 and number == number, key, "a counter below zero")
        if self.kind == "histogram":
            self.check_histogram()

    def check_histogram(self):
        series = {}
        for (name, labels), number in self.samples.items():
            rest = tuple(pair for pair in labels if pair[0] != "le")
            one = series.setdefault(rest, {"buckets": []})
            if name.endswith("_bucket"):
                one["buckets"].append((float(dict(labels)["le"]), number))
            else:
                one[name[len(self.name):]] = number
        for rest, one in series.items():
            bounds = [bound for bound, _ in one["buckets"]]
            counts = [count for _, count in one["buckets"]]
            expect(bounds == sorted(set(bounds)) and bounds[-1] == math.inf, rest, "bounds that do not rise to +Inf")
            expect(counts == sorted(counts), rest, "counts that fall")
            expect(one["_count"] == counts[-1] and one["_sum"] >= 0, rest, "a count that is not that of +Inf")


def parse(text):
    """Families by name. Raises Bad."""
    expect(text.endswith("\n"), text[-40:], "no line feed at the end")
    families, current, told = {}, None, {}
    for line in text[:-1].split("\n"):
        if line.startswith("# HELP "):
            found = HELP.fullmatch(line)
            expect(found and found[1] not in told, line, "a bad or second HELP")
            told[found[1]] = found[2]
        elif line.startswith("#"):
            found = TYPE.fullmatch(line)
            expect(found and found[1] not in families and found[1] in told, line, "a bad, second or unexplained TYPE")
            current = families[found[1]] = Family(found[1], found[2], told[found[1]])
        else:
            sample_read(line, current)
    for family in families.values():
        expect(family.samples, family.name, "a family without a sample")
        family.check()
    return families


def sample_read(line, family):
    found = SAMPLE.fullmatch(line)
    expect(found and family, line, "no sample")
    expect(family.owns(found[1]), line, f"not of the family {family.name} it stands in")
    expect(NUMBER.fullmatch(found[3]), line, "no number")
    labels = labels_read(found[2], line) if found[2] is not None else {}
    expect("le" in labels if found[1].endswith("_bucket") and family.kind == "histogram" else "le" not in labels, line,
           "le where it does not belong")
    key = (found[1], tuple(sorted(labels.items())))
    expect(key not in family.samples, line, "a sample twice")
    family.samples[key] = float(found[3])
