"""A diff side by side, however narrow the place: nothing of a line is lost."""

from __future__ import annotations

import pytest

from tui.split_diff import BETWEEN, split_diff

COLOURS = {name: "red" for name in ("dim", "live", "strong", "good", "bad", "warn", "border", "added", "removed")}
OLD = "    def forward(self, tokens):  # a comment that is longer than half of eighty columns"
NEW = "    def forward(self, tokens, targets=None):  # another that is longer than that too, by far"
DIFF = f"""diff --git a/train.py b/train.py
--- a/train.py
+++ b/train.py
@@ -10,3 +10,3 @@ class Model:
 same
-{OLD}
+{NEW}
 end
"""


@pytest.mark.parametrize("width", [40, 76, 120, 200])
def test_a_long_line_goes_on_below_itself(width: int) -> None:
    lines = split_diff(DIFF, COLOURS, width).plain.splitlines()
    assert max(map(len, lines)) <= width
    halves = [line.split(BETWEEN) for line in lines if BETWEEN in line]
    begin = next(i for i, (left, _) in enumerate(halves) if "- " in left[:7])
    end = next(i for i, (left, _) in enumerate(halves) if left[7:].strip() == "end")
    for side, whole in ((0, OLD), (1, NEW)):
        parts = [half[side][7:] for half in halves[begin:end]]
        assert "".join(parts).rstrip() == whole
    assert halves[begin][0].startswith("  11 - ") and halves[begin][1].startswith("  11 + ")
    assert all(left[:5] == "     " for left, _ in halves[begin + 1 : end])
