from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import NearestCentroid
from sklearn.preprocessing import normalize

from glyphlab.data.glyphset import GlyphSet
from glyphlab.errors import DataError
from glyphlab.networks.classifier import Classifier, ClassifierSpec
from glyphlab.training.transfer.adding import added_columns, refuse_clashes, rehearsal, restrained
from glyphlab.training.transfer.heads import Head, Tuning, certainty, class_means, logistic_probe

Arrays = tuple[np.ndarray, np.ndarray]


@pytest.fixture
def clouds(rng: np.random.Generator) -> Arrays:
    """Overlapping clouds of four classes in 12 dimensions, positive as features behind a ReLU are."""
    targets = np.repeat(np.arange(4), 30)
    centres = rng.uniform(0, 3, size=(4, 12))
    return np.abs(centres[targets] + rng.normal(0, 1.5, size=(120, 12))).astype(np.float32), targets


def test_class_means_answer_as_nearest_centroid_of_unit_features_does(clouds: Arrays) -> None:
    features, targets = clouds
    head = class_means(features, targets, 4, bias=False)
    np.testing.assert_allclose(np.linalg.norm(head.weight, axis=1), 1, rtol=1e-6)
    unit = normalize(features)
    centroids = normalize(NearestCentroid().fit(unit, targets).centroids_)
    distances = ((unit[:, None] - centroids[None]) ** 2).sum(axis=2)
    np.testing.assert_array_equal(head.logits(features).argmax(axis=1), distances.argmin(axis=1))


def test_class_means_do_not_mind_the_length_of_features(clouds: Arrays) -> None:
    features, targets = clouds
    head = class_means(features, targets, 4, bias=True)
    np.testing.assert_array_equal(head.logits(features).argmax(1), head.logits(7 * features).argmax(1))
    assert head.bias is not None and not head.bias.any()


@pytest.mark.parametrize("bias", [True, False])
def test_probe_is_logistic_regression(clouds: Arrays, bias: bool) -> None:
    features, targets = clouds
    head = logistic_probe(features, targets, 4, bias=bias, strength=1.0)
    spread = np.sqrt((features.astype(np.float64) ** 2).mean())
    model = LogisticRegression(C=1.0, fit_intercept=bias, tol=1e-8, max_iter=5000).fit(features / spread, targets)
    logits = head.logits(features)
    probs = np.exp(logits - logits.max(1, keepdims=True))
    np.testing.assert_allclose(probs / probs.sum(1, keepdims=True), model.predict_proba(features / spread), atol=0.02)
    assert (head.bias is None) is (not bias)


def test_probe_of_two_classes_has_two_rows_with_the_same_probabilities(clouds: Arrays) -> None:
    features, targets = clouds[0][:60], clouds[1][:60]
    head = logistic_probe(features, targets, 2, bias=True)
    spread = np.sqrt((features.astype(np.float64) ** 2).mean())
    model = LogisticRegression(C=1.0, tol=1e-8, max_iter=5000).fit(features / spread, targets)
    logits = head.logits(features)
    ours = 1 / (1 + np.exp(logits[:, 0] - logits[:, 1]))
    np.testing.assert_allclose(ours, model.predict_proba(features / spread)[:, 1], atol=0.02)


def test_certainty_finds_the_factor_that_was_taken_out(rng: np.random.Generator) -> None:
    logits = rng.normal(0, 2, size=(20_000, 5))
    noise = rng.gumbel(size=logits.shape)
    targets = (logits + noise).argmax(axis=1)  # drawn from softmax(logits)
    assert certainty((logits / 4).astype(np.float32), targets) == pytest.approx(4, rel=0.03)
    assert certainty((logits * 10).astype(np.float32), targets) == pytest.approx(0.1, rel=0.03)


def test_certainty_stays_finite_where_all_is_right_and_grows_with_the_evidence() -> None:
    few = certainty(np.eye(3, dtype=np.float32)[np.arange(6) % 3], np.arange(6) % 3)
    many = certainty(np.eye(3, dtype=np.float32)[np.arange(600) % 3], np.arange(600) % 3)
    assert 1 < few < many < 50
    # Platt: the probability of the right answer is 1 - 1 / (N + 2).
    assert np.exp(few) / (np.exp(few) + 2) == pytest.approx(1 - 1 / 8, abs=1e-6)


def test_added_columns_leave_the_old_ones_as_they_are_and_find_the_new(clouds: Arrays) -> None:
    features, targets = clouds
    old = logistic_probe(features[:60], targets[:60], 2, bias=False)
    head = added_columns(old, features, targets, old.logits(features), 4, tuning=Tuning(10.0))
    np.testing.assert_array_equal(head.weight[:2], old.weight)
    assert head.weight.shape == (4, 12)
    assert (head.logits(features).argmax(1) == targets).mean() > 0.8


def test_a_heavier_weight_of_the_own_classes_costs_them_less(clouds: Arrays) -> None:
    features, targets = clouds
    old = logistic_probe(features[:60], targets[:60], 2, bias=True)

    def right_of_own(weight: float) -> float:
        tuning = Tuning(1.0, own_weight=weight)
        head = added_columns(old, features, targets, old.logits(features), 4, tuning=tuning)
        return float((head.logits(features[:60]).argmax(1) == targets[:60]).mean())

    assert right_of_own(1000.0) >= right_of_own(1.0)
    assert right_of_own(1000.0) >= (old.logits(features[:60]).argmax(1) == targets[:60]).mean() - 0.02


@pytest.mark.parametrize("bias", [True, False])
def test_restrained_columns_give_way_by_the_surplus(clouds: Arrays, bias: bool) -> None:
    features = clouds[0]
    head = Head(np.ones((3, 12), np.float32), np.zeros(3, np.float32) if bias else None)
    lowered = restrained(head, 1, features, surplus=2.0)
    change = lowered.logits(features) - head.logits(features)
    np.testing.assert_array_equal(change[:, 0], 0)
    assert change[:, 1:].mean() == pytest.approx(-2.0, abs=0.1)


def test_a_class_that_is_there_already_is_refused_by_name() -> None:
    with pytest.raises(DataError, match=r"knows a class of that name already: 'b'; rename .* leave out --add"):
        refuse_clashes(("a", "b"), ("b", "c"))
    refuse_clashes(("a", "b"), ("c", "d"))


def test_a_rehearsal_is_the_same_for_the_same_seed() -> None:
    rng = np.random.default_rng(3)
    targets = np.repeat(np.arange(2), 700)
    old = GlyphSet(rng.integers(0, 255, (1400, 8, 8), dtype=np.uint8), targets, ("a", "b"))
    first, again, other = rehearsal(old, 1), rehearsal(old, 1), rehearsal(old, 2)
    assert first.counts().tolist() == [500, 500]
    assert first.digest() == again.digest() != other.digest()


def test_a_head_goes_into_a_network_and_comes_back() -> None:
    torch.manual_seed(0)
    classifier = Classifier(ClassifierSpec("mnist-net", (1, 28, 28), tuple("abc"), (0.1,), (0.3,)))
    head = Head.of(classifier).scaled(2.0)
    head.put_into(classifier)
    again = Head.of(classifier)
    np.testing.assert_array_equal(again.weight, head.weight)
    assert again.bias is not None and head.bias is not None
    np.testing.assert_array_equal(again.bias, head.bias)
