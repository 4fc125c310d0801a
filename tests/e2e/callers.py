"""Callers in threads of their own, who go on until they are told to stop."""

import threading
from typing import Self


class Callers:
    """Asks again and again while the context lasts; a subclass says what is asked."""

    def __init__(self, count: int) -> None:
        self.stop = threading.Event()
        """Set once nobody shall ask any more."""
        self._threads = [threading.Thread(target=self._go_on) for _ in range(count)]

    def ask(self) -> None:
        """Ask once, and note what came back."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        for thread in self._threads:
            thread.join(60)

    def _go_on(self) -> None:
        while not self.stop.is_set():
            self.ask()
