"""Every version that is on disk, and which of a model's answers when none is named."""

import time
from collections.abc import Callable, Mapping

from weirworks_inference.core.types import State
from weirworks_inference.core.versions import Registered, preferred
from weirworks_inference.model import Model
from weirworks_inference.repository import Repository, Stamp

_RESCAN = 1.0


class Shelf:
    """Follows the repository on disk. Nothing here loads or unloads."""

    def __init__(self, repository: Repository, registered: Callable[[str], Mapping[str, Registered]]) -> None:
        self._repository = repository
        self._registered = registered
        self._models: dict[str, dict[str, Model]] = {}
        self._current: dict[str, Model] = {}
        self._fresh: dict[tuple[str, str], Stamp] = {}
        self._changed: list[Model] = []
        self._looked = 0.0
        self.look()

    def models(self) -> list[Model]:
        """All versions by name, then number."""
        return [self._models[name][version] for name in sorted(self._models) for version in self.versions(name)]

    def names(self) -> list[str]:
        """The models."""
        return sorted(self._models)

    def versions(self, name: str) -> list[str]:
        """A model's versions, the lowest first."""
        return sorted(self._models.get(name, {}), key=int)

    def known(self, name: str, version: str) -> Model | None:
        """One version; looks at the disk when it is new."""
        model = self._models.get(name, {}).get(version)
        if model is None and self._look_again():
            model = self._models.get(name, {}).get(version)
        return model

    def default(self, name: str) -> Model | None:
        """The version that answers when none is named."""
        if name not in self._models and not self._look_again():
            return None
        current = self._current.get(name)
        # A version that loaded before goes on answering while a newer one does not load.
        if current is None or (current.loaded is None and current.state in (State.FAILED, State.WITHDRAWN)):
            current = self.wanted(name) or current
            if current is not None:
                self._current[name] = current
        return current

    def current(self, name: str) -> Model | None:
        """The version that answers now, without a look at the disk."""
        return self._current.get(name)

    def wanted(self, name: str) -> Model | None:
        """The version that should answer: the best that is not known to fail."""
        versions = self._models.get(name, {})
        order = [versions[version] for version in preferred(versions, self._registered(name))]
        usable = [model for model in order if model.state is not State.FAILED]
        return next(iter(usable or order), None)

    def best(self, name: str) -> Model | None:
        """The version that would answer if every load went well."""
        versions = self._models.get(name, {})
        order = preferred(versions, self._registered(name))
        return versions[order[0]] if order else None

    def promote(self, model: Model) -> None:
        """From now on this version answers when none is named."""
        self._current[model.name] = model

    def take_changed(self) -> list[Model]:
        """Versions in memory whose files changed, each told once."""
        changed, self._changed = self._changed, []
        return changed

    def look(self) -> None:
        """Reads the disk."""
        self._looked = time.monotonic()
        found = self._repository.scan()
        for (name, version), each in found.items():
            versions = self._models.setdefault(name, {})
            if version in versions:
                self._compare(versions[version], each.stamp)
            else:
                versions[version] = Model(name, version, each.folder, each.stamp)
        for name in list(self._models):
            self._models[name] = {v: model for v, model in self._models[name].items() if (name, v) in found}
            if name in self._current and (name, self._current[name].version) not in found:
                del self._current[name]
            if not self._models[name]:
                del self._models[name]

    def _compare(self, model: Model, stamp: Stamp) -> None:
        if model.stamp == stamp:
            return
        # Twice the same: a copy that is still under way is not read.
        if self._fresh.get(model.key) != stamp:
            self._fresh[model.key] = stamp
            return
        model.stamp = stamp
        del self._fresh[model.key]
        if model.loaded is not None:
            self._changed.append(model)
        elif model.state is State.FAILED:
            model.state, model.failures = State.LOADABLE, 0

    def _look_again(self) -> bool:
        if time.monotonic() - self._looked < _RESCAN:
            return False
        self.look()
        return True
