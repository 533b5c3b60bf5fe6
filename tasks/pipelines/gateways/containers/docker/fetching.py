"""Fetching images, once for each and stage, stopped by a cancel and by the clock."""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Final

from tasks.pipelines.gateways.containers.base import ContainerRefused, ImageRefused, ImageUnavailable
from tasks.pipelines.gateways.containers.docker.engine import Engine
from tasks.pipelines.gateways.containers.docker.place import Place
from tasks.pipelines.gateways.containers.images import ImageRules
from tasks.pipelines.gateways.containers.waiting import Waiting
from tasks.pipelines.gateways.sandbox.base import OnOutput

MOST_VOLUMES: Final = 50


@dataclass(frozen=True, slots=True)
class Image:
    """An image that is there: its whole name, and the folders that it wants volumes at."""

    name: str
    volumes: tuple[str, ...] = ()


@dataclass(slots=True)
class Fetching:
    """The images of one stage. Of steps that run at once one fetches, and the others wait."""

    place: Place
    rules: ImageRules
    _lock: Lock = field(default_factory=Lock)
    _fetched: dict[str, Image] = field(default_factory=dict)

    def fetch(self, image: str, waiting: Waiting, on_output: OnOutput) -> Image:
        """See to it that an image is there and return it; raises Stopped, ImageRefused, ImageUnavailable or
        ContainersUnavailable. Its time counts as the step's."""
        whole = self.rules.admit(image)
        while not self._lock.acquire(timeout=0.1):
            waiting()
        try:
            if whole not in self._fetched:
                self._fetched[whole] = self._fetch(whole, self.place.connect(waiting), on_output)
            return self._fetched[whole]
        finally:
            self._lock.release()

    def _fetch(self, image: str, engine: Engine, on_output: OnOutput) -> Image:
        try:
            told = self._ensure(image, engine, lambda line: on_output("system", f"{line}\n".encode()))
        finally:
            engine.close()
        volumes = dict.fromkeys(posixpath.normpath(volume) for volume in told.get("Volumes") or ())
        if len(volumes) > MOST_VOLUMES:
            raise ImageRefused(f"The image {image} wants {len(volumes)} volumes; at most {MOST_VOLUMES} are made.")
        return Image(image, tuple(volumes))

    def _ensure(self, image: str, engine: Engine, say: Callable[[str], None]) -> dict[str, Any]:
        if self.rules.pull != "always" and (told := engine.find_image(image)) is not None:
            return told
        if self.rules.pull == "never":
            raise ImageUnavailable(f"The image {image} is not here, and this installation fetches none.")
        say(f"Fetching the image {image}.")
        try:
            engine.pull(image)
        except ImageUnavailable:
            raise
        except ContainerRefused as error:
            raise ImageUnavailable(f"The image {image} cannot be had: {error.message}") from error
        if (fetched := engine.find_image(image)) is None:
            raise ImageUnavailable(f"The image {image} cannot be had: the engine did not say why.")
        return fetched
