"""A loss, an optimizer and its factory written for torch."""

import torch


class Pinball(torch.nn.Module):
    """max(q r, (q - 1) r) with r = target - input: not symmetric, so that a wrong order shows."""

    def __init__(self, quantile=0.5):
        super().__init__()
        self.quantile = quantile

    def forward(self, input, target):
        residual = target - input
        return torch.maximum(self.quantile * residual, (self.quantile - 1) * residual).mean()


def pinball(input, target, quantile=0.5):
    return Pinball(quantile)(input, target)


class PlainDescent(torch.optim.Optimizer):
    """w <- w - lr * g."""

    def __init__(self, params, lr=0.1):
        super().__init__(params, {"lr": lr})

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter -= group["lr"] * parameter.grad


def adam(params, learning_rate=0.001, betas=(0.9, 0.999)):
    return torch.optim.Adam(params, lr=learning_rate, betas=betas)
