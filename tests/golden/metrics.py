"""Writes metrics.json: random predictions and what scikit-learn 1.9 says of them.

Run with scikit-learn installed: python metrics.py > metrics.json
"""

import json
import warnings

import numpy as np
from sklearn import metrics

warnings.simplefilter("ignore")  # rows that do not sum to one, R2 of one row
rng = np.random.default_rng(20)


def classification(title, labels, probabilities, classes):
    p = np.asarray(probabilities, np.float32)
    wide = p.astype(np.float64)
    predicted = (p[:, 0] >= 0.5).astype(int) if p.shape[1] == 1 else p.argmax(1)
    every = range(classes)
    scores = metrics.precision_recall_fscore_support(labels, predicted, labels=every, zero_division=0)
    average = lambda kind: metrics.precision_recall_fscore_support(
        labels, predicted, labels=every, zero_division=0, average=kind
    )[:3]
    return {
        "title": title,
        "classes": classes,
        "labels": [int(k) for k in labels],
        "probabilities": [[float(str(x)) for x in row] for row in p],
        "accuracy": metrics.accuracy_score(labels, predicted),
        "log_loss": metrics.log_loss(labels, wide, labels=every),
        "confusion_matrix": metrics.confusion_matrix(labels, predicted, labels=every).tolist(),
        "precision": scores[0].tolist(),
        "recall": scores[1].tolist(),
        "f1": scores[2].tolist(),
        "support": scores[3].tolist(),
        "macro_avg": [float(x) for x in average("macro")],
        "weighted_avg": [float(x) for x in average("weighted")],
    }


def softmax(z):
    e = np.exp(z - z.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def regression(title, y, p):
    y, p = np.asarray(y, np.float32), np.asarray(p, np.float32)
    a, b = y.astype(np.float64), p.astype(np.float64)
    scores = {
        "mse": metrics.mean_squared_error,
        "rmse": metrics.root_mean_squared_error,
        "mae": metrics.mean_absolute_error,
        "r2": metrics.r2_score,
    }
    rows = lambda m: [[float(str(x)) for x in row] for row in m]
    case = {"title": title, "targets": rows(y), "predictions": rows(p)}
    for name, score in scores.items():
        raw = score(a, b, multioutput="raw_values")
        case[name] = {"mean": float(score(a, b)), "per_output": [float(x) for x in raw]}
    return case


labels = lambda n, classes: rng.integers(0, classes, n)
z = rng.normal(size=(24, 4))
z[:, 2] -= 9
one_hot = np.eye(3)[labels(20, 3)]
cases = {
    "classification": [
        classification("five classes", labels(30, 5), softmax(rng.normal(size=(30, 5)) * 2), 5),
        classification("a class never predicted", labels(24, 4), softmax(z), 4),
        classification("classes without rows", labels(20, 3) * 2, softmax(rng.normal(size=(20, 6))), 6),
        classification("confidently wrong: zeros and ones", labels(20, 3), one_hot, 3),
        classification("tiny probabilities", labels(20, 3), softmax(rng.normal(size=(20, 3)) * 18), 3),
        classification("ties", labels(20, 3), rng.choice([0.25, 0.5], (20, 3)), 3),
        classification("two columns", labels(20, 2), softmax(rng.normal(size=(20, 2))), 2),
        classification("one column", labels(30, 2), 1 / (1 + np.exp(-4 * rng.normal(size=(30, 1)))), 2),
        classification("one column at the threshold", labels(12, 2), rng.choice([0, 0.5, 1], (12, 1)), 2),
        classification("one row", [1], [[0.2, 0.7, 0.1]], 3),
    ],
    "regression": [
        regression("three outputs", rng.normal(size=(20, 3)) * [1, 100, 1e-3], rng.normal(size=(20, 3)) * [1, 100, 1e-3]),
        regression("a good fit", np.arange(15)[:, None], np.arange(15)[:, None] + rng.normal(size=(15, 1)) / 9),
        regression("constant targets", [[2.5, 2.5]] * 4, [[2.5, 2.0]] * 4),
    ],
}
print("{")
for i, (task, list_of_cases) in enumerate(cases.items()):
    print(f'"{task}": [')
    print(",\n".join(json.dumps(case, separators=(",", ":")) for case in list_of_cases))
    print("]" + ("," if i == 0 else ""))
print("}")
