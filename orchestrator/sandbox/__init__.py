"""What code that agents wrote may see and touch while it runs: a `View`, and the walls that enforce it.

`walls()` finds what this machine offers: bubblewrap, else Landlock with namespaces; `enclose()` makes a command line
that runs a program inside. The engine builds views; nothing here knows what a lab or a run is.
"""

from orchestrator.sandbox.system import search_path
from orchestrator.sandbox.view import Mount, View
from orchestrator.sandbox.walls import Walls, enclose, needed_walls, walls

__all__ = ["Mount", "View", "Walls", "enclose", "needed_walls", "search_path", "walls"]
