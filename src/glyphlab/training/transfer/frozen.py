"""A classifier with a new last layer and some of its other layers frozen."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, TypeAlias

from torch import Tensor, nn

from glyphlab.errors import ModelError
from glyphlab.networks.classifier import Classifier, ClassifierSpec
from glyphlab.networks.features import output_layer

Freeze: TypeAlias = Literal["all", "none"] | int

_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)
_DROPOUTS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout)


class PartlyFrozen(Classifier):
    """A classifier whose first layers do not learn, and whose batch norms keep the statistics they have.

    A handful of pictures says less about the mean of a feature than the thousands that the network was trained on.
    Apart from that it is trained, saved and used as any other.

    begin: while it is above 0, `forward` takes what the body's first `begin` layers make of the images.
    """

    begin: int = 0

    def __init__(self, spec: ClassifierSpec) -> None:
        super().__init__(spec)
        self.train(self.training)

    def forward(self, images: Tensor) -> Tensor:
        """As any classifier's; or from the layer `begin` on."""
        if not self.begin:
            return super().forward(images)
        logits: Tensor = self.body[self.begin :](images)  # type: ignore[index]
        return logits

    def train(self, mode: bool = True) -> PartlyFrozen:
        """Training mode for all but the batch norms."""
        super().train(mode)
        for layer in self.modules():
            if isinstance(layer, _NORMS):
                layer.eval()
        return self

    def freeze(self, layers: int) -> None:
        """Let the first `layers` of `lower_layers`, and all that lies between them, keep their values."""
        thawed = [*lower_layers(self)[layers:], output_layer(self)[0]]
        frozen = True
        for name, module in self.body.named_modules(prefix="body"):
            frozen = frozen and name != thawed[0]
            for parameter in module.parameters(recurse=False):
                parameter.requires_grad_(not frozen)


def with_classes(base: Classifier, class_names: tuple[str, ...]) -> PartlyFrozen:
    """The base's network for other classes: its layers copied, the last one new.

    The last layer's values are torch's own random ones, drawn from its global generator. Nothing is frozen.
    """
    classifier = PartlyFrozen(replace(base.spec, class_names=class_names))
    last, _ = output_layer(base)
    lower = {name: values for name, values in base.state_dict().items() if not name.startswith(f"{last}.")}
    missing, unexpected = classifier.load_state_dict(lower, strict=False)
    assert not unexpected and all(name.startswith(f"{last}.") for name in missing), (missing, unexpected)
    return classifier.to(base.mean.device)


def lower_layers(classifier: Classifier) -> list[str]:
    """Dotted names of the layers with weights (convolutions and linear ones) below the last, from the image upwards."""
    weighted = [name for name, module in classifier.named_modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    weighted.remove(output_layer(classifier)[0])
    return weighted


def constant_layers(classifier: Classifier) -> int:
    """How many of the body's first layers give the same for the same image while all below the last are frozen.

    They end where dropout sets in, and before the last layer. 0 for a body that is no sequence of layers.
    """
    if not isinstance(classifier.body, nn.Sequential):
        return 0
    last = output_layer(classifier)[1]
    for place, layer in enumerate(classifier.body):
        parts = list(layer.modules())
        if last in parts or any(isinstance(part, _DROPOUTS) and part.p > 0 for part in parts):
            return place
    return 0


def frozen_layers(classifier: Classifier, freeze: Freeze) -> int:
    """How many of `lower_layers` to freeze. Raises `ModelError` for more than there are."""
    layers = lower_layers(classifier)
    if freeze == "none":
        return 0
    if freeze == "all":
        return len(layers)
    if freeze > len(layers):
        names = ", ".join(name.removeprefix("body.") for name in layers[:8]) + (", ..." if len(layers) > 8 else "")
        raise ModelError(
            f"cannot freeze {freeze} layers: network '{classifier.spec.network}' has {len(layers)} below its last one"
            f"{f' ({names})' if names else ''}; expected 0 to {len(layers)}, 'all' or 'none'"
        )
    return freeze
