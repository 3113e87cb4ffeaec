"""AlexNet, with the names that torchvision gives its parameters, so that files of its weights load as they are.

Krizhevsky, "One weird trick for parallelizing convolutional neural networks", 2014, arXiv:1404.5997: the network of
Krizhevsky, Sutskever & Hinton 2012 made for one device, with fewer maps and without local response normalisation.
"""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

_MAPS_SIDE = 6  # what 224x224 images leave behind the last pooling; other sizes are averaged to it


def alexnet(image_shape: tuple[int, int, int], classes: int, *, dropout: float) -> nn.Sequential:
    """Five convolutions and three linear layers; 61,100,840 parameters for 3x224x224 images and 1,000 classes."""
    features = nn.Sequential(
        nn.Conv2d(image_shape[0], 64, kernel_size=11, stride=4, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(kernel_size=3, stride=2),
        nn.Conv2d(64, 192, kernel_size=5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(kernel_size=3, stride=2),
        nn.Conv2d(192, 384, kernel_size=3, padding=1),
        nn.ReLU(),
        nn.Conv2d(384, 256, kernel_size=3, padding=1),
        nn.ReLU(),
        nn.Conv2d(256, 256, kernel_size=3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(kernel_size=3, stride=2),
    )
    classifier = nn.Sequential(
        nn.Dropout(dropout),
        nn.Linear(256 * _MAPS_SIDE**2, 4096),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Linear(4096, 4096),
        nn.ReLU(),
        nn.Linear(4096, classes),
    )
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        features=features, avgpool=nn.AdaptiveAvgPool2d(_MAPS_SIDE), flatten=nn.Flatten(), classifier=classifier
    )
    return nn.Sequential(layers)
