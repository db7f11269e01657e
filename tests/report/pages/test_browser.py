"""The page in a real browser; skipped where none is installed."""

import html
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from ncjax.report import FIGURES, write_report
from tests.claims.synthetic import sweep_table, with_diverged

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

# Clicks a heading, reads the column, and measures whether anything sticks out of a phone's width.
SCRIPT = """
<script>
const problems = [];
window.addEventListener("error", (event) => problems.push(event.message));
window.addEventListener("load", () => {
  const headings = [...document.querySelectorAll("#run-table th")];
  const place = headings.findIndex((heading) => heading.textContent === "GC");
  const rows = () => [...document.querySelectorAll("#run-table tbody tr")];
  const column = () => rows().map((row) => row.cells[place].dataset.value);
  const answers = {};
  for (const direction of ["ascending", "descending"]) {
    headings[place].querySelector("button").click();
    answers[direction] = column();
    answers[direction + "_said"] = headings[place].getAttribute("aria-sort");
  }
  const filter = document.querySelector("#filter");
  const shown = () => rows().filter((row) => !row.hidden).map((row) => row.cells[0].textContent);
  answers.filtered = {};
  for (const text of ["learning rate < 0.1, seed=1", "diverged", "train cdnv > 1e9", ""]) {
    filter.value = text;
    filter.dispatchEvent(new Event("input"));
    answers.filtered[text] = shown().map(Number).sort((a, b) => a - b);
  }
  document.body.style.width = "360px";
  const edge = document.body.getBoundingClientRect().right;
  const inside = (node) => node.closest(".scroll, .card") && !node.matches(".scroll, .card");
  const sticksOut = (node) => !inside(node) && node.getBoundingClientRect().right > edge + 1;
  answers.sticking_out = [...document.body.querySelectorAll("*")].filter(sticksOut).map((node) => node.outerHTML);
  answers.problems = problems;
  const result = document.createElement("pre");
  result.id = "answers";
  result.textContent = JSON.stringify(answers);
  document.body.append(result);
});
</script>
"""


@pytest.mark.extras
@pytest.mark.skipif(BROWSER is None, reason="no Chromium here")
def test_sorting_works_and_nothing_sticks_out_of_a_phone(tmp_path: Path) -> None:
    table = with_diverged(sweep_table(), 3)
    page = write_report(table, tmp_path, command="report " + "x" * 200, figures=FIGURES[:1]).page
    page.write_text(page.read_text().replace("<head>", "<head>" + SCRIPT))
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
    flags += [
        "--disable-background-networking",
        "--disable-component-update",
        f"--user-data-dir={tmp_path / 'profile'}",
    ]
    done = subprocess.run(
        [str(BROWSER), *flags, "--dump-dom", page.as_uri()], capture_output=True, text=True, timeout=90, check=True
    )
    found = re.search(r'<pre id="answers">(.*?)</pre>', done.stdout, re.DOTALL)
    assert found
    answers = json.loads(html.unescape(found.group(1)))
    assert answers["problems"] == []
    assert answers["sticking_out"] == []
    assert (answers["ascending_said"], answers["descending_said"]) == ("ascending", "descending")
    assert answers["filtered"]["learning rate < 0.1, seed=1"] == [1, 3, 5, 7]
    assert answers["filtered"]["diverged"] == [3]
    assert answers["filtered"]["train cdnv > 1e9"] == []
    assert answers["filtered"][""] == list(range(12))
    numbers = [float(value) for value in answers["ascending"] if value]
    assert numbers == sorted(numbers)
    assert answers["descending"][:-1] == answers["ascending"][-2::-1]
    # The diverged run has no value and stays last both ways.
    assert answers["ascending"][-1] == answers["descending"][-1] == ""
