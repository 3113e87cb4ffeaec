"""The training loop: one function, read from top to bottom.

Step n of a run depends on the recipe, the data and n alone (see `seeds`), and everything that steps change lies in
`TrainingState`. So a run may be stopped after any step, by a key, a time budget or a crash, and continued later to
the same bits.

Several processes (see `distributed`) run this loop side by side, each on its part of every batch. What they add up, the
gradients and the sums, is then the same in all, and so is every decision.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

import torch
import torch.nn.functional as F
from torch import Tensor

from glyphlab.errors import RunError
from glyphlab.networks.classifier import predict, to_pixels
from glyphlab.training.augment import augment, sent
from glyphlab.training.checkpoint import Best, TrainingState
from glyphlab.training.distill import Teachers, distillation_loss
from glyphlab.training.distributed import World
from glyphlab.training.engine import Engine
from glyphlab.training.history import EpochMetrics
from glyphlab.training.keeper import Keeper
from glyphlab.training.optimizer import set_lr, update_average
from glyphlab.training.progress import Plan, Reporter, StepNews
from glyphlab.training.recipe import Recipe
from glyphlab.training.schedule import lr_factor
from glyphlab.training.seeds import Purpose, derived_seed, generator, seed_device

_CHECKPOINT_EVERY_SECONDS = 60.0
# Sums are read from the device every so many steps, which shows progress and finds a loss gone astray.
_LOOK_EVERY_STEPS = 10
_MOST_SMOOTHED = 0.2  # of a class's share of the training images
_LOSSES_AT_ONCE = 8192


@dataclass(frozen=True)
class Job:
    """What is trained on.

    images: uint8 [N, H, W] or [N, H, W, 3]; targets: int64 [N]; both on the engine's device. train, validation:
    int64 indices into them. teachers: whose answers are learnt beside the targets. world: the processes that share the
    work. redrawn: uint8 [N, H, W], the images as other pens would have drawn them, where the recipe asks for them.
    """

    recipe: Recipe
    engine: Engine
    images: Tensor
    targets: Tensor
    train: Tensor
    validation: Tensor
    teachers: Teachers | None = None
    world: World = field(default_factory=World.alone)
    redrawn: Tensor | None = None

    @property
    def batch_size(self) -> int:
        """Images per step, of all processes; all of them where the set is smaller than the recipe's batch."""
        return min(self.recipe.training.batch_size, len(self.train))

    @property
    def steps_per_epoch(self) -> int:
        """Steps for all training images, an incomplete batch at the end included unless the recipe drops it.

        A rest of a single image is always left out: batch norm has no variance to learn from it.
        """
        full, rest = divmod(len(self.train), self.batch_size)
        return full if self.recipe.training.drop_last or rest <= 1 else full + 1

    @property
    def images_per_epoch(self) -> int:
        """How many training images the steps of an epoch use."""
        return min(len(self.train), self.steps_per_epoch * self.batch_size)

    def chosen(self, step: int, order: Tensor) -> Tensor:
        """Which images make the batch of a step, of all processes."""
        place = step % self.steps_per_epoch * self.batch_size
        return order[place : place + self.batch_size]

    def batch(self, step: int, order: Tensor) -> tuple[Tensor, Tensor]:
        """Augmented pixels, float32 [B, C, H, W] in 0..1, and targets [B] of this process's part of a step's batch."""
        chosen = self.chosen(step, order)
        part = self.world.begin_batch(len(chosen))
        stream = generator(self.recipe.training.seed, Purpose.AUGMENT, step)
        pixels = augment(to_pixels(self._drawn(chosen, stream)), self.recipe.augment, stream)
        return pixels[part], self.targets[chosen[part]]

    def _drawn(self, chosen: Tensor, stream: torch.Generator) -> Tensor:
        """The chosen images, some of them drawn anew; uint8 [B, H, W] or [B, H, W, 3]."""
        images = self.images[chosen]
        if self.redrawn is None:
            return images
        anew = torch.rand(len(images), 1, 1, generator=stream) < self.recipe.augment.redraw
        return torch.where(sent(anew, images.device), self.redrawn[chosen], images)

    def share(self, step: int, order: Tensor, class_weights: Tensor | None) -> Tensor | float:
        """How much of the whole batch's mean this process's part makes, 0 to 1."""
        if self.world.is_alone:
            return 1.0
        chosen = self.chosen(step, order)
        part = chosen[self.world.share_of(len(chosen))]
        if class_weights is None:
            return len(part) / len(chosen)
        return class_weights[self.targets[part]].sum() / class_weights[self.targets[chosen]].sum()

    def epoch_order(self, epoch: int) -> Tensor:
        """The order of the training images in an epoch (counted from 0): shuffled, or drawn evenly by class. Pure."""
        stream = generator(self.recipe.training.seed, Purpose.SHUFFLE, epoch)
        if self.recipe.training.class_balance == "sampling":
            targets = self.targets[self.train].cpu()
            weights = 1.0 / torch.bincount(targets).clamp(min=1)[targets]
            drawn = torch.multinomial(weights, len(self.train), replacement=True, generator=stream)
            return self.train[drawn.to(self.train.device)]
        return self.train[torch.randperm(len(self.train), generator=stream).to(self.train.device)]

    def class_weights(self, classes: int) -> Tensor | None:
        """Weights of the classes' images in the loss, by how rare they are; None without class balance by loss."""
        if self.recipe.training.class_balance != "loss":
            return None
        counts = self._class_counts(classes)
        return len(self.train) / (len(counts) * counts)

    def log_priors(self, classes: int) -> Tensor | None:
        """Logarithm of each class's share of the training images; None without class balance by logits.

        Added to the logits while the network learns, they take upon them how common a class is; the logits themselves
        then answer for classes that are equally common (Menon et al. 2021, "Long-tail learning via logit adjustment").
        """
        if self.recipe.training.class_balance != "logits":
            return None
        return (self._class_counts(classes) / len(self.train)).log()

    def smoothing(self, classes: int) -> Tensor | None:
        """What label smoothing gives each class, float32 [classes], where that is not the same for all; None: it is.

        With class balance by logits a class that is given s of every image, and has the share p of them, is answered
        with s/p to images of the others. So none is given more than a fifth of its own share.
        """
        settings = self.recipe.training
        if settings.class_balance != "logits" or not settings.label_smoothing:
            return None
        even = settings.label_smoothing / classes
        most = _MOST_SMOOTHED * self._class_counts(classes) / len(self.train)
        return None if bool((most >= even).all()) else most.clamp(max=even)

    def _class_counts(self, classes: int) -> Tensor:
        """Training images of each class, counted as one where there is none, float32 [classes]."""
        return torch.bincount(self.targets[self.train], minlength=classes).clamp(min=1).float()


class Ending(Enum):
    """Why training stopped."""

    FINISHED = "finished"
    EARLY = "stopped early: no progress on the validation images"
    INTERRUPTED = "interrupted"
    TIME_BUDGET = "time budget used up"


class DivergedError(RunError):
    """The loss is no longer finite, which the settings are the cause of."""


def fit(
    job: Job, state: TrainingState, keeper: Keeper, reporter: Reporter, stop_requested: Callable[[], bool]
) -> Ending:
    """Train until the planned steps are done, progress ends, the time is up, or a stop is requested.

    State and files are consistent whenever this returns or raises; `RunError` when the loss is no longer finite.
    """
    settings, steps_per_epoch = job.recipe.training, job.steps_per_epoch
    began = last_checkpoint = time.perf_counter()
    spent_before = state.time_seconds
    forward, optimizer = job.engine.forward(state.classifier, job.batch_size), state.optimizer
    assert optimizer is not None
    classes = len(state.classifier.spec.class_names)
    class_weights, log_priors, smoothing = (
        job.class_weights(classes), job.log_priors(classes), job.smoothing(classes),
    )  # fmt: skip
    total_epochs = math.ceil(state.total_steps / steps_per_epoch)
    reporter.start(Plan(keeper.name, total_epochs, steps_per_epoch, state.total_steps, state.step))
    halt = _Halt(job.world, stop_requested, began + (settings.time_budget_seconds or math.inf))

    while state.step < state.total_steps:
        epoch = state.step // steps_per_epoch
        epoch_end = min((epoch + 1) * steps_per_epoch, state.total_steps)
        epoch_first_step, epoch_began = state.step, time.perf_counter()
        order = job.epoch_order(epoch)
        state.classifier.train()
        while state.step < epoch_end and not halt.asked() and not halt.late():
            pixels, targets = job.batch(state.step, order)
            lr = settings.lr * lr_factor(settings, state.step, state.total_steps, steps_per_epoch)
            lr *= state.plateau.factor if state.plateau else 1.0
            set_lr(optimizer, lr)
            seed_device(job.engine.device, derived_seed(settings.seed, Purpose.DROPOUT, state.step))

            logits = forward(pixels)
            loss = _loss(job, logits, pixels, targets, class_weights, log_priors, smoothing)
            loss = loss * job.share(state.step, order, class_weights)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            correct = (logits.detach().argmax(1) == targets).sum()
            seen = torch.stack([loss.detach(), correct, torch.full_like(loss, len(targets))])
            if not job.world.is_alone:
                votes = halt.votes(seen)
                gradients = [p.grad for p in state.classifier.parameters() if p.grad is not None]
                job.world.sum_all([*gradients, seen, votes])
                halt.count(votes, state.step)
            if settings.clip_norm is not None:
                torch.nn.utils.clip_grad_norm_(state.classifier.parameters(), settings.clip_norm)
            optimizer.step()
            if state.average is not None and settings.ema_decay is not None:
                update_average(state.average, state.classifier, settings.ema_decay, state.step)
            state.step += 1

            state.sums += torch.stack([seen[0] * seen[2], seen[1], seen[2]])
            if state.step % _LOOK_EVERY_STEPS == 0 or state.step == epoch_end:
                _require_finite(state, job, keeper)
                now = time.perf_counter()
                state.time_seconds = spent_before + now - began
                rate = (state.step - epoch_first_step) / (now - epoch_began)
                reporter.step(_news(state, epoch, rate, job.batch_size))
                if now - last_checkpoint > _CHECKPOINT_EVERY_SECONDS:
                    keeper.save_checkpoint(state)
                    last_checkpoint = now

        state.time_seconds = spent_before + time.perf_counter() - began
        if halt.asked() and state.step < epoch_end:
            _require_finite(state, job, keeper)
            keeper.save_checkpoint(state)
            keeper.save_last(state)
            return Ending.INTERRUPTED
        if state.step > epoch_first_step:
            _require_finite(state, job, keeper)
            steps_per_second = (state.step - epoch_first_step) / (time.perf_counter() - epoch_began)
            _end_epoch(job, state, keeper, epoch, lr, steps_per_second * job.batch_size)
            state.time_seconds = spent_before + time.perf_counter() - began
            keeper.save_epoch(state)
            keeper.save_checkpoint(state)
            last_checkpoint = time.perf_counter()
            reporter.epoch(state.history[-1])
        if state.step < state.total_steps:
            if _without_progress(state) >= (settings.early_stopping_epochs or math.inf):
                return Ending.EARLY
            if halt.asked():
                return Ending.INTERRUPTED
            if halt.late():
                return Ending.TIME_BUDGET
    return Ending.FINISHED


class _Halt:
    """Whether to stop before the work is done. Several processes stop after the same step: each gives its votes along
    with its gradients, and one is enough.

    asked: whether somebody wants this process to stop. deadline: of `time.perf_counter`, in seconds.
    """

    def __init__(self, world: World, asked: Callable[[], bool], deadline: float) -> None:
        self._world, self._asked, self._deadline = world, asked, deadline
        self._voted = [False, False]

    def asked(self) -> bool:
        """Whether somebody wants the training to stop."""
        return self._asked() if self._world.is_alone else self._voted[0]

    def late(self) -> bool:
        """Whether the time is up."""
        return time.perf_counter() >= self._deadline if self._world.is_alone else self._voted[1]

    def votes(self, like: Tensor) -> Tensor:
        """This process's votes, float32 [2]."""
        return like.new_tensor([self._asked(), time.perf_counter() >= self._deadline])

    def count(self, votes: Tensor, step: int) -> None:
        """Take note of all votes; on a GPU, which that waits for, not after every step."""
        if votes.device.type == "cpu" or step % _LOOK_EVERY_STEPS == 0:
            self._voted = [vote > 0 for vote in votes.tolist()]


def _loss(
    job: Job,
    logits: Tensor,
    pixels: Tensor,
    targets: Tensor,
    class_weights: Tensor | None,
    log_priors: Tensor | None,
    smoothing: Tensor | None,
) -> Tensor:
    """Mean loss of images, against their targets and, where there are teachers, against their answers."""
    if not len(targets):  # the part of a process that has none of a small batch; layers still meet the others' here
        return logits.sum()
    settings = job.recipe.training
    adjusted = logits if log_priors is None else logits + log_priors
    # Not by cross_entropy's own weights: with these, what smoothing gives to a rare class would count for as much as
    # its images, in every image of the others.
    weights = None if class_weights is None else class_weights[targets]
    if smoothing is None:
        each = F.cross_entropy(adjusted, targets, label_smoothing=settings.label_smoothing, reduction="none")
    else:
        losses = -F.log_softmax(adjusted, dim=1)
        own = losses.gather(1, targets[:, None])[:, 0]
        each = (1 - smoothing.sum()) * own + losses @ smoothing.to(losses.dtype)
    loss = each.mean() if weights is None else (each * weights).sum() / weights.sum()
    if job.teachers is None:
        return loss
    taught = distillation_loss(logits, job.teachers.probs(pixels), weights)
    return torch.lerp(loss, taught, settings.effective("distillation"))


def _end_epoch(job: Job, state: TrainingState, keeper: Keeper, epoch: int, lr: float, images_per_second: float) -> None:
    """Judge the network on the validation images and add the epoch's row; a partial epoch's row is replaced later.

    `RunError`, with nothing changed, where the loss is not finite: weights that still are may give logits that are not.
    """
    loss_sum, correct, count = state.sums.tolist()
    accuracy = loss = None
    if len(job.validation):
        part = job.validation[job.world.share_of(len(job.validation))]
        logits = predict(state.result, job.images, part)
        targets = job.targets[part].cpu()
        # In double precision, which for all of a million images at once would take more memory than the images.
        chunks = [slice(start, start + _LOSSES_AT_ONCE) for start in range(0, len(part), _LOSSES_AT_ONCE)]
        losses = [F.cross_entropy(logits[chunk].double(), targets[chunk], reduction="sum") for chunk in chunks]
        judged = torch.stack([sum(losses, torch.zeros((), dtype=torch.float64)), (logits.argmax(1) == targets).sum()])
        job.world.sum(judged)
        loss, accuracy = (judged / len(job.validation)).tolist()
        if not math.isfinite(loss):
            raise _diverged(state, job, keeper)
        if state.plateau is not None and state.step % job.steps_per_epoch == 0:  # the rest of an epoch is not another
            state.plateau.update(loss)
        newest_counts = job.recipe.training.keep == "last"
        if state.best is None or newest_counts or state.best.beaten_by(accuracy, loss):
            state.best = Best(epoch + 1, accuracy, loss)
    images_seen = epoch * job.images_per_epoch + int(count)
    state.history = [row for row in state.history if row.epoch <= epoch]
    state.history.append(
        EpochMetrics(
            epoch=epoch + 1,
            step=state.step,
            images_seen=images_seen,
            lr=lr,
            train_loss=loss_sum / count,
            train_accuracy=correct / count,
            validation_loss=loss,
            validation_accuracy=accuracy,
            time_seconds=round(state.time_seconds, 3),
            images_per_second=round(images_per_second, 1),
        )
    )
    if state.step % job.steps_per_epoch == 0:
        state.sums.zero_()


def _require_finite(state: TrainingState, job: Job, keeper: Keeper) -> None:
    """Stop before anything spoilt is saved; the last checkpoint stays as it is."""
    if not (bool(torch.isfinite(state.sums).all()) and state.is_finite()):
        raise _diverged(state, job, keeper)


def _diverged(state: TrainingState, job: Job, keeper: Keeper) -> DivergedError:
    return DivergedError(
        f"the loss is no longer finite at step {state.step:,} (epoch {(state.step - 1) // job.steps_per_epoch + 1}); "
        f"the last good state is {keeper.kept_in}. "
        f"Lower training.lr (now {job.recipe.training.lr:g}) or set training.clip_norm = 1.0"
    )


def _news(state: TrainingState, epoch: int, steps_per_second: float, batch_size: int) -> StepNews:
    loss_sum, correct, count = state.sums.tolist()
    return StepNews(
        epoch=epoch + 1,
        step=state.step,
        train_loss=loss_sum / count,
        train_accuracy=correct / count,
        images_per_second=steps_per_second * batch_size,
        remaining_seconds=(state.total_steps - state.step) / steps_per_second,
    )


def _without_progress(state: TrainingState) -> int:
    """Epochs since the best one."""
    return state.history[-1].epoch - state.best.epoch if state.best and state.history else 0
