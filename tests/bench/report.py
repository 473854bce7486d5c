"""Tables, for a terminal or as Markdown; and the line that says where the figures come from."""
import os
import platform
from pathlib import Path


def machine():
    """Processor, number of CPUs, kernel."""
    cpu = platform.processor() or platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            cpu = line.partition(":")[2].strip()
            break
    return f"{cpu}, {len(os.sched_getaffinity(0))} CPUs, Linux {platform.release()}"


def table(head, rows, markdown):
    """Rows of text under a head; the first column is to the left, the rest to the right."""
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    def line(cells):
        padded = [c.rjust(w) if i else c.ljust(w) for i, (c, w) in enumerate(zip(cells, widths))]
        return "| " + " | ".join(padded) + " |" if markdown else "  ".join(padded)
    rule = [("-" * (w - 1) + ":") if markdown and i else "-" * w for i, w in enumerate(widths)]
    return "\n".join([line(head), line(rule), *map(line, rows)])


def ratios(value, names):
    """How bfe compares with the others, by `value(name)`; smaller is better for bfe."""
    others = [name for name in names if name != "bfe"] if "bfe" in names else []
    return [(f"bfe / {name}", value("bfe") / value(name)) for name in others if value(name) > 0]
