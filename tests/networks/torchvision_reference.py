"""Run by the system's Python, which has torchvision: a network with random weights, and what it answers.

    python3 torchvision_reference.py NETWORK FOLDER PICTURE...

Writes weights.pth, as torchvision's own files are, and answers.pth: the prepared pictures and the logits.
"""

import sys

import torch
import torchvision
from PIL import Image
from torch import nn
from torchvision import transforms

network_name, folder, pictures = sys.argv[1], sys.argv[2], sys.argv[3:]
torch.manual_seed(3)
network = getattr(torchvision.models, network_name)(weights=None).eval()
for layer in network.modules():
    if isinstance(layer, nn.BatchNorm2d):  # untouched statistics would hide a mistake
        layer.running_mean.normal_(0, 0.1)
        layer.running_var.uniform_(0.5, 2)
        layer.weight.data.uniform_(0.3, 0.8)
        layer.bias.data.normal_(0, 0.1)
    elif isinstance(layer, (nn.Conv2d, nn.Linear)):
        nn.init.kaiming_normal_(layer.weight)
torch.save(network.state_dict(), f"{folder}/weights.pth")

prepare = transforms.Compose(
    [
        transforms.Resize(256),
        transforms.CenterCrop(224),
        transforms.ToTensor(),
        transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
    ]
)
images = torch.stack([prepare(Image.open(path).convert("RGB")) for path in pictures])
with torch.no_grad():
    torch.save({"images": images, "logits": network(images)}, f"{folder}/answers.pth")
