"""How far a training is: a live line on a terminal, and one plain line per epoch, rate-limited where they are many."""

import time
from collections.abc import Callable

from lossopt_cli.console import Console, bar, write
from lossopt_cli.rendering import duration

REDRAW_SECONDS = 0.1
LINE_SECONDS = 2.0
FEW_EPOCHS = 20


class Progress:
    """The progress of one training of `epochs` times `steps` steps of `examples` examples each; unit: what one
    calls those (images, rows). Time counts from the construction.

    `step` may be called for every batch: it looks at the clock and mostly returns. `epoch` takes the line that sums an
    epoch up: every one of at most FEW_EPOCHS is printed, also to a file; of more the first, the last, and at most one
    in LINE_SECONDS (on a terminal all of the first FEW_EPOCHS). `close` prints the last line that was held back, so
    that no training ends unseen.
    """

    def __init__(
        self,
        console: Console,
        epochs: int,
        steps: int,
        examples: int,
        clock: Callable[[], float] = time.monotonic,
        unit: str = "examples",
    ):
        self.console, self.epochs, self.steps, self.examples = console, epochs, steps, examples
        self.clock, self.unit = clock, unit
        self.started_at = clock()
        self.drawn_at = self.line_at = float("-inf")
        self.held = ""
        self.on_screen = False

    def wants_step(self) -> bool:
        """Whether `step` would draw now: lets a caller read the running loss from the device only then."""
        return self.console.live and self.clock() - self.drawn_at >= REDRAW_SECONDS

    def step(self, epoch: int, step: int, loss: float | None = None) -> None:
        """epoch counts from 1, step from 1 within the epoch; loss: the running loss."""
        if not self.wants_step():
            return
        self.drawn_at = self.clock()
        done, steps = (epoch - 1) * self.steps + step, self.epochs * self.steps
        seconds = max(self.drawn_at - self.started_at, 1e-9)
        left = seconds / done * (steps - done)
        rate = done * self.examples / seconds
        text = f"epoch {epoch}/{self.epochs}  {bar(done / steps)}  {rate:,.0f} {self.unit}/s  {duration(left)} left"
        if loss is not None:
            text += f"  loss {loss:.4g}"
        self._clear()
        write(self.console.err, text[: self.console.width - 1])
        self.on_screen = True

    def epoch(self, epoch: int, text: str) -> None:
        """The line of an epoch that has ended, printed now or held back."""
        self._clear()
        now = self.clock()
        few = self.epochs <= FEW_EPOCHS or (self.console.live and epoch <= FEW_EPOCHS)
        if epoch in (1, self.epochs) or few or now - self.line_at >= LINE_SECONDS:
            self.console.note(text)
            self.line_at, self.held = now, ""
        else:
            self.console.told.append(text)
            self.held = text

    def close(self) -> None:
        """Leaves a clean line, and the last epoch on the screen."""
        self._clear()
        if self.held and not self.console.quiet:
            write(self.console.err, self.held + "\n")
        self.held = ""

    def _clear(self) -> None:
        if self.on_screen:
            write(self.console.err, "\r\x1b[K")
            self.on_screen = False
