"""ResNet-50, with the names that torchvision gives its parameters, so that files of its weights load as they are.

He, Zhang, Ren & Sun, "Deep Residual Learning for Image Recognition", CVPR 2016. As in torchvision, a block that halves
its maps does so in its 3x3 convolution, not in the 1x1 before it ("ResNet v1.5").
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from torch import Tensor, nn

_STEM_MAPS = 64
_EXPANSION = 4  # a block puts out so many times the maps of its 3x3 convolution


class Bottleneck(nn.Module):
    """relu(x + f(x)), where f is 1x1, 3x3 and 1x1 convolutions, each with batch norm.

    Where f changes the shape, `downsample` brings x into the new one. ReLU never works in place here: what looks
    into the network would otherwise find its layers' outputs overwritten.
    """

    def __init__(self, maps_in: int, width: int, stride: int) -> None:
        super().__init__()
        maps_out = _EXPANSION * width
        self.conv1 = nn.Conv2d(maps_in, width, kernel_size=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, kernel_size=3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, maps_out, kernel_size=1, bias=False)
        self.bn3 = nn.BatchNorm2d(maps_out)
        self.relu = nn.ReLU()
        self.downsample: nn.Sequential | None = None
        if stride != 1 or maps_in != maps_out:
            self.downsample = nn.Sequential(
                nn.Conv2d(maps_in, maps_out, kernel_size=1, stride=stride, bias=False), nn.BatchNorm2d(maps_out)
            )

    def forward(self, maps: Tensor) -> Tensor:
        """float32 [B, maps_in, H, W] -> [B, 4 * width, H / stride, W / stride], rounded up."""
        change = self.relu(self.bn1(self.conv1(maps)))
        change = self.relu(self.bn2(self.conv2(change)))
        change = self.bn3(self.conv3(change))
        shortcut = maps if self.downsample is None else self.downsample(maps)
        activated: Tensor = self.relu(change + shortcut)
        return activated


def resnet50(image_shape: tuple[int, int, int], classes: int) -> nn.Sequential:
    """Stages of 3, 4, 6 and 3 blocks; 25,557,032 parameters for 3x224x224 images and 1,000 classes."""
    return _resnet(image_shape[0], classes, blocks=(3, 4, 6, 3))


def _resnet(channels: int, classes: int, blocks: Sequence[int]) -> nn.Sequential:
    """A stem that quarters the image's side, stages that each halve it but for the first, and the mean of each map."""
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        conv1=nn.Conv2d(channels, _STEM_MAPS, kernel_size=7, stride=2, padding=3, bias=False),
        bn1=nn.BatchNorm2d(_STEM_MAPS),
        relu=nn.ReLU(),
        maxpool=nn.MaxPool2d(kernel_size=3, stride=2, padding=1),
    )
    maps = _STEM_MAPS
    for stage, count in enumerate(blocks, start=1):
        width = _STEM_MAPS << (stage - 1)
        first = Bottleneck(maps, width, stride=1 if stage == 1 else 2)
        maps = _EXPANSION * width
        layers[f"layer{stage}"] = nn.Sequential(first, *(Bottleneck(maps, width, stride=1) for _ in range(1, count)))
    layers["avgpool"] = nn.AdaptiveAvgPool2d(1)
    layers["flatten"] = nn.Flatten()
    layers["fc"] = nn.Linear(maps, classes)
    network = nn.Sequential(layers)
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):  # He, Zhang, Ren & Sun 2015, which lets so deep a network learn
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
    return network
