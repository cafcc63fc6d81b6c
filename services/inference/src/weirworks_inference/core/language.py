"""Which text model answers for which languages."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_TURKISH = "tr"


@dataclass(frozen=True, slots=True)
class ModelTable:
    """Language → model; `usual` is the model of every language that has none."""

    models: Mapping[str, str]
    usual: str

    def of(self, language: str) -> str:
        """The model of one language."""
        return self.models.get(language, self.usual)


def table_choice(table: ModelTable, languages: Sequence[str], *, prefer_turkish: bool = False) -> str:
    """One model for all texts of a request, since vectors of different models do not compare.

    Texts whose language is unknown follow the others. Where languages disagree the model for one of them that
    has a model of its own is taken: it was chosen for a language that the usual model does not know.
    """
    known = [language for language in languages if language]
    if prefer_turkish and len(set(known)) != 1:
        return table.of(_TURKISH)
    chosen = {table.of(language) for language in known}
    special = sorted(chosen - {table.usual})
    return special[0] if special else table.usual
