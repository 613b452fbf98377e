"""How often nominal 95 % intervals hold the truth, and how wide they are: ours, the former ones, and references.

    python benchmarks/coverage.py [--repeats 2000] [--only token_means]

Seeded. A row per simulated cell and method: the share of repeats that cover the truth, the mean width, and that width
over ours. "former" is what stood in every table before: percentiles of a bootstrap over problems (and runs).
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from scipy.stats import beta, norm, t

from harness.analysis.bootstrap import Resampler, studentised
from harness.analysis.intervals import difference_interval, share_interval
from harness.analysis.metrics import pairwise_slopes
from harness.analysis.paired_shares import bonett_price, tango
from harness.analysis.significance import holm, mcnemar_exact, minimum_detectable_difference
from harness.analysis.sweeps import best_of, slope_interval
from harness.analysis.variance import mean_squares, pooled

Floats = NDArray[np.float64]
Bounds = list[tuple[float, float]]
Z = float(norm.ppf(0.975))
RESAMPLES = 1_000


def show(cell: str, truth: float, methods: dict[str, Bounds]) -> None:
    """Print a cell's rows; the first method is ours."""
    ours = 0.0
    for name, bounds in methods.items():
        low, high = np.array(bounds).T
        width = float(np.mean(high - low))
        ours = ours or width
        covered = float(np.mean((low <= truth) & (truth <= high)))
        print(f"| {cell} | {name} | {covered:.3f} | {width:.4f} | {width / ours:.2f} |", flush=True)


def percentiles(draws: Floats) -> tuple[float, float]:
    low, high = np.percentile(draws, [2.5, 97.5])
    return float(low), float(high)


def weights(num: int, rng: np.random.Generator) -> Floats:
    drawn: Floats = rng.multinomial(num, [1 / num] * num, RESAMPLES) / num
    return drawn


def wilson(share: float, num: int) -> tuple[float, float]:
    centre, size = (share + Z * Z / (2 * num)), 1 + Z * Z / num
    half = Z * np.sqrt(share * (1 - share) / num + Z * Z / (4 * num * num))
    return (centre - half) / size, (centre + half) / size


def clopper_pearson(right: float, num: float) -> tuple[float, float]:
    low = float(beta.ppf(0.025, right, num - right + 1)) if right > 0 else 0.0
    return low, float(beta.ppf(0.975, right + 1, num - right)) if right < num else 1.0


def student(values: Floats) -> tuple[float, float]:
    half = t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return float(values.mean() - half), float(values.mean() + half)


def korn_graubard(values: Floats) -> tuple[float, float]:
    mean, n = values.mean(), len(values)
    spread = values.var(ddof=1)
    effective = mean * (1 - mean) / (spread / n) if spread else float(n)
    effective *= (Z / t.ppf(0.975, n - 1)) ** 2
    return clopper_pearson(mean * effective, effective)


def former_share(values: Floats, w: Floats) -> tuple[float, float]:
    mean = values.mean()
    return clopper_pearson(mean * len(values), len(values)) if mean in (0, 1) else percentiles(w @ values)


def accuracies(repeats: int, rng: np.random.Generator) -> None:
    for share, num in ((0.02, 198), (0.05, 30), (0.5, 30), (0.98, 500)):
        w, found = weights(num, rng), dict[str, Bounds]()
        for right in rng.binomial(num, share, repeats):
            scores = (np.arange(num) < right).astype(float)
            ours = share_interval(scores)
            for name, bounds in (
                ("ours: Blaker", (ours.low, ours.high)),
                ("former", former_share(scores, w)),
                ("Wilson", wilson(right / num, num)),
                ("Clopper-Pearson", clopper_pearson(right, num)),
            ):
                found.setdefault(name, []).append(bounds)
        show(f"accuracy {share}, n={num}", share, found)
    for share, num, samples, concentration in ((0.05, 30, 8, 0.5), (0.05, 30, 8, 20), (0.9, 30, 4, 1), (0.5, 30, 8, 1)):
        w, found = weights(num, rng), {}
        ability = rng.beta(share * concentration, (1 - share) * concentration, (repeats, num))
        for scores in rng.binomial(samples, ability) / samples:
            ours = share_interval(scores)
            for name, bounds in (
                ("ours: effective number", (ours.low, ours.high)),
                ("former", former_share(scores, w)),
                ("Student", student(scores)),
                ("Korn-Graubard", korn_graubard(scores)),
            ):
                found.setdefault(name, []).append(bounds)
        within = 1 / (1 + concentration)
        show(f"accuracy {share}, n={num}, {samples} samples, correlation {within:.2f}", share, found)


def differences(repeats: int, rng: np.random.Generator) -> None:
    cells = (0.04, 0.02, 30), (0.07, 0.0, 30), (0.14, 0.0, 30), (0.05, 0.01, 50), (0.03, 0.0, 198), (0.2, 0.1, 30)
    for a, b, num in cells:
        w, found = weights(num, rng), dict[str, Bounds]()
        for only_a, only_b, _ in rng.multinomial(num, [a, b, 1 - a - b], repeats):
            gaps = np.zeros(num)
            gaps[:only_a], gaps[only_a : only_a + only_b] = 1, -1
            ours = difference_interval(np.maximum(gaps, 0), np.maximum(-gaps, 0))
            p, q, size = (only_a + 0.5) / (num + 2), (only_b + 0.5) / (num + 2), num + 2
            counts = int(only_a), int(only_b), num, Z
            half = Z * np.sqrt((p + q - (p - q) ** 2) / size)
            for name, bounds in (
                ("ours: between the last two", (ours.low, ours.high)),
                ("former", percentiles(w @ gaps)),
                ("Agresti-Min", (p - q - half, p - q + half)),
                ("Bonett-Price", bonett_price(*counts)),
                ("Tango", tango(*counts)),
            ):
                found.setdefault(name, []).append(bounds)
        show(f"difference {100 * (a - b):.0f} points, {100 * (a + b):.0f}% differ, n={num}", a - b, found)
    for share, num, samples in ((0.5, 30, 8), (0.9, 30, 8), (0.95, 30, 8), (0.95, 30, 64), (0.98, 198, 8)):
        ability = rng.beta(share, 1 - share, 200_000)
        truth, found, w = float((0.8 * ability * (1 - ability)).mean()), {}, weights(num, rng)
        for _ in range(repeats):
            x = rng.beta(share, 1 - share, num)
            first = rng.binomial(samples, np.clip(x + 0.8 * x * (1 - x), 0, 1)) / samples
            second = rng.binomial(samples, x) / samples
            ours = difference_interval(first, second)
            found.setdefault("ours", []).append((ours.low, ours.high))
            found.setdefault("former", []).append(percentiles(w @ (first - second)))
            found.setdefault("Student", []).append(student(first - second))
        show(f"difference at {share}, n={num}, {samples} samples", truth, found)


def token_means(repeats: int, rng: np.random.Generator) -> None:
    """Ten thousand repeats for two thousand: the bounds of many samples come from one matrix product."""

    def capped(size: tuple[int, ...]) -> Floats:
        return np.minimum(rng.lognormal(0, 1.0, size), 3)

    def zeros(size: tuple[int, ...]) -> Floats:
        return rng.lognormal(0, 0.7, size) * (rng.random(size) < 0.15)

    def gap(size: tuple[int, ...]) -> Floats:
        both = rng.lognormal(0, 0.7, size)
        return both * (rng.lognormal(0, 0.7, size) - rng.lognormal(0, 0.5, size))

    draws: dict[str, tuple[Callable[[tuple[int, ...]], Floats], float, tuple[int, ...]]] = {
        "mean tokens, symmetric": (lambda size: rng.normal(5, 1, size), 5.0, (10, 30, 100)),
        "mean tokens, log-normal, sigma 0.5": (lambda size: rng.lognormal(0, 0.5, size), np.exp(0.125), (10, 30, 100)),
        "mean tokens, log-normal, sigma 0.7": (lambda size: rng.lognormal(0, 0.7, size), np.exp(0.245), (30,)),
        "mean tokens, log-normal, sigma 1": (
            lambda size: rng.lognormal(0, 1.0, size),
            np.exp(0.5),
            (10, 20, 30, 100, 198, 500),
        ),
        "mean tokens, sigma 1 capped at 3": (capped, float(capped((4_000_000,)).mean()), (30,)),
        "mean tokens, 85% zeros": (zeros, 0.15 * np.exp(0.245), (10, 20, 30, 100, 198, 500)),
        "difference of tokens": (gap, np.exp(0.245) * (np.exp(0.245) - np.exp(0.125)), (30,)),
    }
    for name, (draw, truth, numbers) in draws.items():
        for num in numbers:
            found = dict[str, Bounds]()
            w = weights(num, rng)
            for block in range(repeats // 100):
                values = draw((num, 500))
                values = values[:, np.ptp(values, axis=0) > 0]  # others have no interval
                ours = studentised(values, Resampler(num, 4_000, seed=block))
                found.setdefault("ours: studentised", []).extend((one.low, one.high) for one in ours)
                found.setdefault("former", []).extend(zip(*np.percentile(w @ values, [2.5, 97.5], axis=0), strict=True))
                half = t.ppf(0.975, num - 1) * values.std(axis=0, ddof=1) / np.sqrt(num)
                mean = values.mean(axis=0)
                found.setdefault("Student", []).extend(zip(mean - half, mean + half, strict=True))
            show(f"{name}, n={num}", truth, found)


def seeds(repeats: int, rng: np.random.Generator) -> None:
    """Two runs of each of four recipes; each run has its own ability."""
    for num, deviation in ((198, 0.0), (198, 0.05), (500, 0.05), (500, 0.1)):
        found = dict[str, Bounds]()
        w = weights(num, rng)
        for _ in range(repeats // 2):
            shift = rng.normal(0, deviation, (1, 4, 2))
            scores = (rng.random((num, 4, 2)) < np.clip(rng.beta(2, 2, (num, 1, 1)) + shift, 0, 1)).astype(float)
            layouts = [layout for k in range(4) if (layout := mean_squares(scores[:, k]))]
            one = scores[:, 0]
            together, alone = share_interval(one, pooled(layouts)), share_interval(one, pooled(layouts[:1]))
            drawn = (w @ one)[np.arange(RESAMPLES)[:, None], rng.integers(0, 2, (RESAMPLES, 2))].mean(axis=1)
            means = one.mean(axis=0)
            for name, bounds in (
                ("ours: pooled over 4 recipes", (together.low, together.high)),
                ("ours: one recipe alone", (alone.low, alone.high)),
                ("former", percentiles(drawn)),
                ("Student over the 2 seeds", student(means)),
            ):
                found.setdefault(name, []).append(bounds)
        show(f"two seeds, sd {100 * deviation:.0f} points, n={num}", 0.5, found)


SHAPES = {"flat": [0.0] * 8, "rising": [-2, -1.2, -0.6, -0.2, 0, 0.1, 0.15, 0.2], "flat, high": [3.0] * 5}


def scored(levels: list[float], num: int, rng: np.random.Generator) -> Floats:
    """(problems, settings) 0/1 scores: half of a setting's luck is shared with the other settings."""
    chance = expit(rng.normal(0, 1.5, (num, 1)) + np.array(levels))
    own, shared = rng.random((num, len(levels))), rng.random((num, 1))
    right: Floats = (np.where(rng.random(own.shape) < 0.5, own, shared) < chance).astype(float)
    return right


def performances(repeats: int, rng: np.random.Generator) -> None:
    for (shape, levels), num in [(item, num) for num in (30, 198) for item in SHAPES.items()]:
        truth = float(expit(rng.normal(0, 1.5, (400_000, 1)) + np.array(levels)).mean(axis=0).max())
        w, found, best, corrected = weights(num, rng), dict[str, Bounds](), [], []
        for _ in range(repeats // 2):
            right = scored(levels, num, rng)
            drawn = w @ right
            value, low, high = best_of(right, drawn)
            best.append(right.mean(axis=0).max())
            corrected.append(value)
            found.setdefault("ours", []).append((low, high))
            found.setdefault("former", []).append(percentiles(drawn.max(axis=1)))
        bias, left = 100 * (np.mean(best) - truth), 100 * (np.mean(corrected) - truth)
        show(f"Performance, {shape}, n={num} (bias {bias:+.1f}, corrected {left:+.1f} points)", truth, found)


def slopes(repeats: int, rng: np.random.Generator) -> None:
    shapes = {
        "flat": ([0.0] * 6, [64, 128, 256, 512, 1024, 1e9]),
        "rising": ([-3, -2, -1, -0.3, 0, 0.1], [64, 128, 256, 512, 1024, 1e9]),
        "near ties": ([0, 0, 0, 0.1, 0.1], [300, 310, 900, 2000, 1e9]),
        "near the ceiling": ([3, 3.2, 3.5, 3.6, 3.7, 3.8], [64, 128, 256, 512, 1024, 1e9]),
    }

    def sweep(levels: list[float], caps: list[float], num: int) -> tuple[Floats, Floats]:
        return np.minimum(caps, rng.lognormal(6.5, 0.6, (num, 1)).round() + 1), scored(levels, num, rng)

    def fitted(tokens: Floats, right: Floats) -> Floats:
        x = np.log2(tokens) - np.log2(tokens).mean(axis=-1, keepdims=True)
        found: Floats = (x * right).sum(axis=-1) / (x * x).sum(axis=-1)
        return found

    for name, (levels, caps) in shapes.items():
        many = sweep(levels, caps, 300_000)
        tokens, right = many[0].mean(axis=0), many[1].mean(axis=0)
        truth, pairs = float(fitted(tokens, right)), float(pairwise_slopes(tokens[None], right[None]).mean())
        w, found, papers = weights(30, rng), dict[str, Bounds](), []
        for _ in range(repeats // 2):
            tokens, right = sweep(levels, caps, 30)
            ours = slope_interval(tokens, right, "doubling")
            found.setdefault("ours: least squares", []).append((ours.low, ours.high))
            found.setdefault("former: least squares", []).append(percentiles(fitted(w @ tokens, w @ right)))
            papers.append(percentiles(np.nanmean(pairwise_slopes(w @ tokens, w @ right), axis=1)))
        show(f"slope per doubling, {name}, n=30", truth, found)
        show(f"the paper's Scaling, {name}, n=30", pairs, {"percentiles": papers})


def powers(repeats: int, rng: np.random.Generator) -> Iterator[str]:
    """The share of experiments that see the detectable difference, one true difference in a family of five."""
    for num, deviation in ((30, 0.5), (198, 0.45), (500, 0.3)):
        row = [f"n={num}, sd {deviation}"]
        for comparisons in (1, 5):
            least = minimum_detectable_difference(num, deviation, num_comparisons=comparisons)
            discordant, seen = max(deviation**2 + least**2, least), 0
            for _ in range(repeats):
                better = (discordant + least) / 2
                counts = [rng.multinomial(num, [better, discordant - better, 1 - discordant])]
                chance = deviation**2 / 2
                counts += list(rng.multinomial(num, [chance, chance, 1 - 2 * chance], 4))
                seen += holm([mcnemar_exact(int(c[0]), int(c[1])) for c in counts])[0] < 0.05
            row.append(f"{100 * least:.1f} points: {seen / repeats:.2f}")
        yield " | ".join(row)


def main() -> None:
    parts = (accuracies, differences, token_means, seeds, performances, slopes)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=2_000)
    parser.add_argument("--only", choices=[part.__name__ for part in parts], help="the rows of one part alone")
    asked = parser.parse_args()
    print("| cell | method | coverage | mean width | over ours |\n|---|---|---:|---:|---:|")
    for number, part in enumerate(parts):
        if asked.only in (None, part.__name__):
            part(asked.repeats, np.random.default_rng(number))
    if asked.only:
        return
    print("\n| detectable difference | as for one comparison: power | for Holm over 5: power |\n|---|---|---|")
    for line in powers(asked.repeats, np.random.default_rng(9)):
        print(f"| {line} |")


if __name__ == "__main__":
    main()
