"""How often a measure that says nothing seems to: ``python -m tests.claims.rival_rates``.

Sweeps are simulated in which outcome and measures are unrelated, a share of their variance between settings. The last
columns are the shares of sweeps with at least one verdict that is not open, and of single 95% intervals that exclude
zero; both should be near 5%. About seven minutes.
"""

import numpy as np
import pandas as pd

from ncjax.claims import OUTCOME, RIVALS, rank_rivals

# Settings, seeds of each, share of the variance that lies between settings, sweeps.
CASES = ((6, 2, 0.8, 100), (12, 2, 0.8, 100), (30, 2, 0.8, 60))


def unrelated(settings: int, seeds: int, share: float, seed: int) -> pd.DataFrame:
    """The table of a sweep in which no measure has anything to do with the outcome."""
    random = np.random.default_rng(seed)

    def draw() -> np.ndarray:
        between = np.repeat(random.normal(size=settings), seeds)
        return np.sqrt(share) * between + np.sqrt(1 - share) * random.normal(size=settings * seeds)

    table = pd.DataFrame(
        {
            "run": range(settings * seeds), "step": 9, "l2": np.repeat(np.arange(settings), seeds),
            "seed": np.tile(np.arange(seeds), settings), "train/error": 0.0, OUTCOME: draw(),
        }
    )  # fmt: skip
    return table.assign(**{column.replace("<shots>", "5"): draw() for column in RIVALS})


def main() -> None:
    """Prints a row for each case."""
    print("settings  seeds  share  sweeps  any verdict  single intervals")
    for settings, seeds, share, sweeps in CASES:
        found = [rank_rivals(unrelated(settings, seeds, share, seed)).standings for seed in range(sweeps)]
        verdicts = np.mean([any(each.verdict != "open" for each in standings) for standings in found])
        single = np.mean([each.low > 0 or each.high < 0 for standings in found for each in standings])
        print(f"{settings:8} {seeds:6} {share:6} {sweeps:7} {verdicts:12.2f} {single:17.3f}", flush=True)


if __name__ == "__main__":
    main()
