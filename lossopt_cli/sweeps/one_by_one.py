"""Stand-in for the stack engine: one trial after the other behind its interface."""

from lossopt_cli.training import running
from lossopt_cli.training.loop import train


def prepare_stack(configs, problem, user):
    return [running.prepare(config, problem, user) for config in configs]


def train_stack(runs, recorders, *, stopping=None, stepped=None, width=None):
    return [
        train(run.examination.program, run.examination, run.plan, recorder, run.state, stopping)
        for run, recorder in zip(runs, recorders, strict=True)
    ]


def widest(run):
    return 1
