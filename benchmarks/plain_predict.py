"""The script that people write to ask a network in torch about one picture; a peer of cold_start.py.

python benchmarks/plain_predict.py WEIGHTS PICTURE
"""

from __future__ import annotations

import sys

import numpy as np
import torch
from PIL import Image, ImageOps
from report_networks import advancednet

_, weights, path = sys.argv
network = advancednet(classes=27)
network.load_state_dict(torch.load(weights, weights_only=True))
network.eval()

ink = ImageOps.invert(Image.open(path).convert("L"))
character = ImageOps.pad(ink.crop(ink.getbbox()), (28, 28))
pixels = torch.from_numpy(np.array(character)).float().div(255).sub(0.5).div(0.5)
with torch.no_grad():
    print(int(network(pixels[None, None]).argmax()))
