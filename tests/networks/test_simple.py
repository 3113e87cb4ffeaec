from __future__ import annotations

import numpy as np
import torch
from sklearn.neural_network import MLPClassifier

from glyphlab.networks import registry


def test_linear_is_one_matrix_product() -> None:
    torch.manual_seed(0)
    network = registry.create("linear", (2, 5, 4), 3)
    images = torch.randn(6, 2, 5, 4)
    weight, bias = network.get_parameter("output.weight"), network.get_parameter("output.bias")
    torch.testing.assert_close(network(images), images.reshape(6, 40) @ weight.T + bias)


def test_mlp_computes_what_scikit_learn_computes() -> None:
    torch.manual_seed(0)
    network = registry.create("mlp", (1, 4, 4), 3, hidden=[7, 5]).eval()
    images = torch.randn(20, 1, 4, 4)
    pixels = images.reshape(20, 16).numpy()

    reference = MLPClassifier((7, 5), activation="relu", max_iter=1, solver="sgd")
    reference.partial_fit(pixels, np.arange(20) % 3, classes=[0, 1, 2])
    layers = ["hidden1", "hidden2", "output"]
    reference.coefs_ = [network.get_parameter(f"{name}.weight").detach().numpy().T for name in layers]
    reference.intercepts_ = [network.get_parameter(f"{name}.bias").detach().numpy() for name in layers]

    probs = network(images).softmax(dim=1).detach().numpy()
    np.testing.assert_allclose(probs, reference.predict_proba(pixels), rtol=1e-4, atol=1e-6)


def test_mlp_has_as_many_hidden_layers_as_asked_for() -> None:
    network = registry.create("mlp", (1, 28, 28), 10, hidden=[30, 20, 10])
    assert [name for name, _ in network.named_children()] == [
        "flatten",
        *("hidden1", "act1", "dropout1"),
        *("hidden2", "act2", "dropout2"),
        *("hidden3", "act3", "dropout3"),
        "output",
    ]
