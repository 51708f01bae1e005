"""Ideas on depth, width, heads, sequence and batch: what the fixed budget is spent on."""

from __future__ import annotations

from roles.offline.constants import scaled, shifted
from roles.offline.idea import Idea

IDEAS = (
    Idea(
        "Half the batch",
        "Below the critical batch size, twice as many steps beat steps of half the noise.",
        "McCandlish et al. 2018, arXiv:1812.06162",
        "batch",
        0.10,
        (scaled("BATCH", 0.5),),
    ),
    Idea(
        "Twice the batch",
        "Above the critical batch size no more, but larger steps use the hardware better.",
        "McCandlish et al. 2018, arXiv:1812.06162",
        "batch",
        -0.18,
        (scaled("BATCH", 2),),
    ),
    Idea(
        "Half the sequence",
        "Shorter samples make more steps, and most of a token's information stands close by.",
        "Press et al. 2020, Shortformer, arXiv:2012.15832",
        "sequence",
        0.15,
        (scaled("SEQUENCE", 0.5),),
    ),
    Idea(
        "One block less",
        "At this budget more steps of a smaller model beat fewer steps of a larger one.",
        "Hoffmann et al. 2022, arXiv:2203.15556; Levine et al. 2020, arXiv:2006.12467",
        "depth",
        0.15,
        (shifted("DEPTH", -1, 1),),
    ),
    Idea(
        "One block more",
        "Depth composes features that width cannot.",
        "Levine et al. 2020, arXiv:2006.12467",
        "depth",
        -0.1,
        (shifted("DEPTH", 1, 1),),
    ),
    Idea(
        "Half as wide again",
        "Narrow layers are the bottleneck of a model this small.",
        "Kaplan et al. 2020, arXiv:2001.08361",
        "width",
        0.0,
        (scaled("WIDTH", 1.5),),
    ),
    Idea(
        "Half the heads",
        "Wider heads tell more tokens apart; many narrow ones compete.",
        "Bhojanapalli et al. 2020, arXiv:2002.07028",
        "heads",
        0.0,
        (scaled("HEADS", 0.5),),
    ),
    Idea(
        "MLP of twice the width",
        "The MLP is the model's memory; a narrower one saves steps.",
        "Geva et al. 2020, arXiv:2012.14913",
        "MLP width",
        0.0,
        (scaled("HIDDEN", 0.5),),
    ),
)
