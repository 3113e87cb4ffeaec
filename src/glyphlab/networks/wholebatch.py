"""Layers that look at the whole batch, for networks that are trained by several processes, each on a part of it.

Two kinds of layers treat an image differently for the company it is in: batch norm takes mean and variance over the
batch, and dropout draws one mask for all of it. Here both go by the whole batch although they see a part, so that the
training is the one of a single process. Torch's own SyncBatchNorm does the former on CUDA only.
"""

from __future__ import annotations

from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Peers(Protocol):
    """The processes that share a batch.

    total: images in the present batch. part: which of them are this process's.
    """

    total: int
    part: slice

    def sum(self, tensor: Tensor) -> None:
        """Replace a tensor by its sum over all processes."""


def see_whole_batches(network: nn.Module, peers: Peers) -> None:
    """Let the layers of `network` go by the whole batch, of which this process sees a part. In place.

    Parameters, buffers and their names stay, and so do the layers themselves: whoever holds one still holds it.
    """
    for name, layer in network.named_modules():
        kind = _KINDS.get(type(layer))
        if kind is not None:
            # Another class for the same object: a new layer in its place would be strange to the optimiser's groups,
            # to frozen networks and to whatever else has kept the old one.
            layer.__class__ = kind
            layer.peers = peers
        else:
            shares = isinstance(layer, nn.modules.batchnorm._NormBase | nn.modules.dropout._DropoutNd)
            assert not shares, f"layer {name} ({type(layer).__name__}) cannot go by a batch that it sees a part of"


class WholeBatchDropout(nn.Dropout):
    """Dropout with this process's rows of the mask that one process alone would draw."""

    peers: Peers

    def forward(self, values: Tensor) -> Tensor:
        """[B, ...] -> the same shape."""
        if not self.training or self.p == 0:
            return values
        # The mask of all rows costs little, and drawing it keeps the random numbers in step everywhere.
        mask = F.dropout(values.new_ones(self.peers.total, *values.shape[1:]), self.p)
        return values * mask[self.peers.part]


class WholeBatchDropout2d(nn.Dropout2d):
    """Dropout of whole feature maps, with this process's rows of the mask that one process alone would draw."""

    peers: Peers

    def forward(self, maps: Tensor) -> Tensor:
        """[B, C, H, W] -> the same shape."""
        if not self.training or self.p == 0:
            return maps
        mask = F.dropout2d(maps.new_ones(self.peers.total, maps.shape[1], 1, 1), self.p)
        return maps * mask[self.peers.part]


class _WholeBatchNorm(nn.modules.batchnorm._BatchNorm):
    """Batch norm with mean and variance of the whole batch."""

    peers: Peers

    def forward(self, maps: Tensor) -> Tensor:
        """[B, C, ...] -> the same shape."""
        if not self.training:
            return super().forward(maps)
        assert self.running_mean is not None and self.running_var is not None and self.momentum is not None, self
        weight = self.weight if self.affine else torch.ones_like(self.running_mean)
        bias = self.bias if self.affine else torch.zeros_like(self.running_mean)
        normalised, mean, variance, count = _Normalise.apply(  # type: ignore[no-untyped-call]
            maps, weight, bias, self.peers, self.eps
        )
        with torch.no_grad():
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * (count / (count - 1)), self.momentum)
            if self.num_batches_tracked is not None:
                self.num_batches_tracked.add_(1)
        return normalised  # type: ignore[no-any-return]


class WholeBatchNorm1d(_WholeBatchNorm, nn.BatchNorm1d):
    """See `_WholeBatchNorm`; maps: [B, C] or [B, C, L]."""


class WholeBatchNorm2d(_WholeBatchNorm, nn.BatchNorm2d):
    """See `_WholeBatchNorm`; maps: [B, C, H, W]."""


class _Normalise(torch.autograd.Function):
    """Batch norm's arithmetic over all processes, by torch's own kernels for one process.

    Each way there is one message: forward the sums behind mean and variance, backward the two sums in the gradient
    (Ioffe and Szegedy 2015). Both are added up in float64.
    """

    @staticmethod
    def forward(  # the signature is the function's own
        ctx: Any, maps: Tensor, weight: Tensor, bias: Tensor, peers: Peers, eps: float
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Returns the normalised maps, mean and variance (biased; [C]) and values a channel ([1])."""
        mean, variance = _moments(maps)
        count = mean.new_full((1,), maps.numel() // maps.shape[1])
        # Each part's variance is about its own mean. In float64 nothing is lost by going over the raw moments.
        sums = torch.cat([count * mean, count * (variance + mean.square()), count])
        peers.sum(sums)
        total, total_square, count = torch.split(sums, [len(mean), len(mean), 1])
        exact_mean = total / count
        variance = (total_square / count - exact_mean.square()).clamp_(min=0).to(weight.dtype)
        mean, count = exact_mean.to(weight.dtype), count.to(weight.dtype)
        ctx.save_for_backward(maps, weight, mean, variance, count)
        ctx.peers, ctx.eps = peers, eps
        ctx.mark_non_differentiable(mean, variance, count)
        return F.batch_norm(maps, mean, variance, weight, bias, training=False, eps=eps), mean, variance, count

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, *_: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None]:
        """Gradients of the maps, and of weight and bias as far as this part of the batch makes them."""
        maps, weight, mean, variance, count = ctx.saved_tensors
        if len(maps):
            # As if mean and variance were constants; what they add follows.
            direct, of_weight, of_bias = torch.ops.aten.native_batch_norm_backward(
                gradient, maps, weight, mean, variance, None, None, False, ctx.eps, [True, True, True]
            )
        else:
            direct, of_weight, of_bias = torch.zeros_like(maps), torch.zeros_like(mean), torch.zeros_like(mean)
        sums = torch.cat([of_weight, of_bias]).double()
        ctx.peers.sum(sums)
        scale = weight / torch.sqrt(variance + ctx.eps)
        slope, offset = (-(sums / count).to(scale.dtype) * scale.repeat(2)).chunk(2)
        through_moments = F.batch_norm(maps, mean, variance, slope, offset, training=False, eps=ctx.eps)
        return direct + through_moments, of_weight, of_bias, None, None


def _moments(maps: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance (biased) of each channel, float64 [C]; zeros where there are no images."""
    channels = maps.shape[1]
    if not len(maps):
        return maps.new_zeros(channels, dtype=torch.float64), maps.new_zeros(channels, dtype=torch.float64)
    # Torch's kernel answers in the precision of the running statistics, which are not wanted here.
    precise = torch.promote_types(maps.dtype, torch.float32)
    unused = maps.new_zeros(channels, dtype=precise), maps.new_ones(channels, dtype=precise)
    mean, variance = torch.batch_norm_update_stats(maps, *unused, 0.0)
    return mean.double(), variance.double()


_KINDS: dict[type[nn.Module], type[nn.Module]] = {
    nn.BatchNorm1d: WholeBatchNorm1d,
    nn.BatchNorm2d: WholeBatchNorm2d,
    nn.Dropout: WholeBatchDropout,
    nn.Dropout2d: WholeBatchDropout2d,
}
