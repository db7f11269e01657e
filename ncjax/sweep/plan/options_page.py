"""Every option of a sweep's config as a page: ``python -m ncjax.sweep.plan.options_page docs/options.md`` writes it."""

import sys
from pathlib import Path

from ncjax.options import Option
from ncjax.sweep.plan.options import OPTIONS

_HEAD = """# Options of a sweep

Every key of a config, as `ncjax.sweep.default_config()` makes it; on the command line `--config.KEY=VALUE`. An option
with a mark under *axis* can be swept: `config.sweep.NAME = (…)`. Runs that differ in a *traced* axis alone share one
compiled program; every value of a *static* one has a program of its own. This page is made from the definitions of the
options: `python -m ncjax.sweep.plan.options_page docs/options.md`.
"""


def options_page() -> str:
    """The page in Markdown, a table for each section of a config."""
    sections: dict[str, list[Option]] = {}
    for key, about in OPTIONS.items():
        sections.setdefault(key.rpartition(".")[0], []).append(about)
    parts = [_HEAD]
    for section, options in sections.items():
        title = f"`{section}`" if section else "Without a section"
        rows = "\n".join(_row(about) for about in options)
        parts.append(f"## {title}\n\n| key | default | values | axis | what it is |\n|---|---|---|---|---|\n{rows}\n")
    return "\n".join(parts)


def _row(about: Option) -> str:
    axis = ""
    if about.axis:
        program = "traced" if about.traced else "static"
        axis = f"`{about.axis}`, {program}{', 0 left out' if about.left_out_at_zero else ''}"
    use = f" (optimizer {' or '.join(about.used_by)})" if about.used_by else ""
    return f"| `{about.key}` | `{about.default!r}` | {about.expected} | {axis} | {about.doc}{use} |"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(options_page(), encoding="utf-8")
