"""Writes legacy_random.json: what NumPy's RandomState gives. Run with NumPy (2.4.6 was used), no network."""

import json
import os

import numpy as np


def digest(words):
    """FNV-1a over whole words of 64 bits."""
    h = 0xCBF29CE484222325
    for word in words.tolist():
        h = ((h ^ word) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return f"{h:016x}"


def bits(values):
    return np.ascontiguousarray(values, dtype=np.float64).view(np.uint64)


def hexes(values):
    return [f"{word:016x}" for word in bits(values).tolist()]


MILLION = 1_000_000
streams = {}
for seed in [0, 1, 3, 138, 2**32 - 1]:
    r = np.random.RandomState
    mixed = r(seed)
    streams[str(seed)] = {
        "random_sample": hexes(r(seed).random_sample(5)),
        "million_samples": digest(bits(r(seed).random_sample(MILLION))),
        "uniform": hexes(r(seed).uniform(-0.1, 0.1, 5)),
        "randn": [float(x) for x in r(seed).randn(6)],
        "million_randn_as_f32": digest(r(seed).randn(MILLION).astype(np.float32).view(np.uint32)),
        "randint_2": r(seed).randint(2, size=40).tolist(),
        "randint_7": r(seed).randint(-3, 4, size=20).tolist(),
        "randint_1": r(seed).randint(5, 6, size=3).tolist(),
        "randint_2_32": r(seed).randint(0, 2**32, size=4).tolist(),
        "randint_10_10": r(seed).randint(0, 10**10, size=6).tolist(),
        "randint_widest": r(seed).randint(-(2**63), 2**63 - 1, size=4).tolist(),
        "million_randint_10": digest(r(seed).randint(0, 10, size=MILLION).astype(np.uint64)),
        "permutation": r(seed).permutation(10).tolist(),
        "permutation_60000": digest(r(seed).permutation(60000).astype(np.uint64)),
        # One after the other from one stream, the kept half of a pair left lying between two uses.
        "mixed": {
            "randn": float(mixed.randn()),
            "randint": mixed.randint(0, 100, size=3).tolist(),
            "random_sample": hexes(mixed.random_sample(2)),
            "shuffle": mixed.permutation(7).tolist(),
            "kept": float(mixed.randn()),
            "position": int(mixed.get_state()[2]),
            "last": hexes([mixed.random_sample()]),
        },
    }

here = os.path.dirname(os.path.abspath(__file__))
with open(os.path.join(here, "legacy_random.json"), "w") as file:
    lines = [f"{json.dumps(seed)}: {json.dumps(values)}" for seed, values in streams.items()]
    file.write("{\n" + ",\n".join(lines) + "\n}\n")
