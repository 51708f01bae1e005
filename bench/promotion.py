"""What each rule of promotion makes of the same ideas at equal GPU time: true final score, and false promotions.

    python bench/promotion.py RESULTS.tsv [--runs N] [--labs N] [--seed S] [--pruned-share P] [--pruned-cost C]

RESULTS.tsv is in karpathy/autoresearch's five columns. Its measured differences to the best before are noisy; the pool
of true effects draws each towards the middle of them by what a noise of POOL_NOISE leaves of it (normal shrinkage), so
that large effects stay and small ones shrink. In each simulated lab ideas come from that pool, the true score moves by
the effect of what is merged, and a run shows the true score plus normal noise. A promotion is false when its true
effect is not a gain. Greedy compares with the recorded score of the last promotion, as the original does.

With --pruned-share, early stopping ends that share of the runs of ideas worse than twice the noise, at that cost.
"""

from __future__ import annotations

import argparse
import csv
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from orchestrator.evidence import BASELINE_SEEDS, Action, Noise, Rule, decide

NOISES = (0.0003, 0.001, 0.002)
POOL_NOISE = 0.0005
"""One run's standard deviation in that file: its users estimate 0.0003 to 0.002."""


@dataclass
class Lab:
    """One simulated lab; `left` is GPU time in runs."""

    random: np.random.Generator
    noise: float
    left: float
    pruned_share: float = 0.0
    pruned_cost: float = 1.0
    true: float = 1.0
    promoted: int = 0
    false: int = 0
    squares: float = 0.0
    freedom: int = 0
    baseline: list[float] = field(default_factory=list)

    def run(self, score: float) -> float:
        self.left -= 1
        return score + self.noise * float(self.random.standard_normal())

    def learn(self, scores: list[float]) -> None:
        if len(scores) > 1:
            self.squares += float(np.var(scores)) * len(scores)
            self.freedom += len(scores) - 1

    def known(self) -> Noise:
        return Noise((self.squares / self.freedom) ** 0.5, self.freedom)

    def merge(self, effect: float, scores: list[float]) -> None:
        self.true += effect
        self.promoted += 1
        self.false += effect >= 0
        self.baseline = scores


def play(lab: Lab, rule: Rule, pool: np.ndarray) -> None:
    """Until the time is used up."""
    lab.baseline = [lab.run(lab.true) for _ in range(1 if rule == "greedy" else BASELINE_SEEDS)]
    lab.learn(lab.baseline)
    while lab.left > 0:
        effect = float(lab.random.choice(pool))
        if effect > 2 * lab.noise and lab.random.random() < lab.pruned_share:
            lab.left -= lab.pruned_cost
            continue
        scores = [lab.run(lab.true + effect)]
        while True:
            decision = decide(rule, scores, lab.baseline, lab.known() if lab.freedom else Noise(1.0, 1))
            if decision.action is Action.RUN:
                scores.append(lab.run(lab.true + effect))
            elif decision.action is Action.BASELINE:
                lab.baseline.append(lab.run(lab.true))
            else:
                break
        lab.learn(scores)
        if decision.action is Action.PROMOTE:
            lab.merge(effect, scores)
            while rule == "sequential" and len(lab.baseline) < BASELINE_SEEDS and lab.left > 0:
                lab.baseline.append(lab.run(lab.true))


def pool_of(path: Path) -> np.ndarray:
    """True effects as far as the file tells, negative is better."""
    best, found = None, []
    with path.open(encoding="utf-8") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            score = float(row["val_bpb"])
            if score == 0:
                continue
            if best is not None:
                found.append(score - best)
            if best is None or row["status"] == "keep":
                best = score
    effects = np.array(found)
    centre = float(np.median(effects))
    spread = float(np.mean(np.abs(effects - centre))) ** 2
    kept = spread / (spread + 2 * POOL_NOISE**2)
    small = np.abs(effects - centre) < 5 * POOL_NOISE
    return np.where(small, centre + kept * (effects - centre), effects)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    parser.add_argument("--runs", type=float, default=400, help="GPU time of a lab, in runs")
    parser.add_argument("--labs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--pruned-share", type=float, default=0.9)
    parser.add_argument("--pruned-cost", type=float, default=0.4)
    words = parser.parse_args()
    pool = pool_of(words.results)
    gains = float(np.mean(pool < 0))
    print(f"{len(pool)} effects, {gains:.0%} of them gains, median {np.median(pool):+.5f}; {words.labs} labs of")
    print(f"{words.runs:g} runs. Bits per byte gained in truth; promotions; false ones.")
    print(f"{'noise':>7}  {'rule':<28}{'gained':>9}{'±':>9}{'promoted':>10}{'false':>8}{'of greedy':>11}")
    cases: tuple[tuple[str, Rule, bool], ...] = (
        ("greedy", "greedy", False),
        ("three seeds always", "measured", False),
        ("sequential", "sequential", False),
        ("sequential, early stopping", "sequential", True),
    )
    for noise in NOISES:
        greedy = 0.0
        for name, rule, stopping in cases:
            labs = []
            for number in range(words.labs):
                random = np.random.default_rng((words.seed, number, int(noise * 1e5)))
                share = words.pruned_share if stopping else 0.0
                lab = Lab(random, noise, words.runs, share, words.pruned_cost)
                play(lab, rule, pool)
                labs.append(lab)
            gained = np.array([1.0 - lab.true for lab in labs])
            false = float(np.mean([lab.false for lab in labs]))
            greedy = false if rule == "greedy" else greedy
            promoted = float(np.mean([lab.promoted for lab in labs]))
            error = gained.std() / len(labs) ** 0.5
            share_of = false / greedy if greedy else 0.0
            figures = f"{gained.mean():>9.4f}{error:>9.4f}{promoted:>10.1f}{false:>8.2f}{share_of:>11.0%}"
            print(f"{noise:>7}  {name:<28}{figures}")


if __name__ == "__main__":
    main()
