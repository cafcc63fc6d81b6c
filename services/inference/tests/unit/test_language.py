import pytest
from weirworks_inference.core.language import ModelTable, table_choice
from weirworks_inference.language import language_of

TABLE = ModelTable({"tr": "turkish"}, "usual")


@pytest.mark.parametrize(
    ("text", "language"),
    [
        pytest.param("Merhaba dünya", "tr", id="short Turkish"),
        pytest.param("Günaydın", "tr", id="one Turkish word"),
        pytest.param("Bu göğüs röntgeninde pnömoni var mı?", "tr", id="medical Turkish"),
        pytest.param("IŞIK NEREDE", "tr", id="Turkish capitals"),
        pytest.param("siparisim nerede", "tr", id="Turkish without its letters"),
        pytest.param("Hello world", "en", id="short English"),
        pytest.param("thanks", "en", id="one English word"),
        pytest.param("cancel my order", "en", id="an English order"),
        pytest.param("GOOD MORNING", "en", id="English capitals"),
        pytest.param("Guten Morgen, wie geht es Ihnen?", "de", id="German"),
        pytest.param("bonjour à tous", "fr", id="French"),
        pytest.param("¿dónde está mi pedido?", "es", id="Spanish"),
        pytest.param("доброе утро", "ru", id="Russian"),
        pytest.param("おはようございます", "ja", id="Japanese"),
        pytest.param("12345 !!", "", id="no letters"),
        pytest.param("", "", id="nothing"),
    ],
)
def test_the_language_of_a_short_text_is_told(text: str, language: str) -> None:
    assert language_of(text) == language


@pytest.mark.parametrize(
    ("languages", "prefer", "model"),
    [
        pytest.param(["en", "en"], False, "usual", id="English"),
        pytest.param(["tr"], False, "turkish", id="Turkish"),
        pytest.param(["tr", "en"], False, "turkish", id="mixed: the one that knows both"),
        pytest.param(["", "tr"], False, "turkish", id="unknown follows the others"),
        pytest.param([""], False, "usual", id="unknown"),
        pytest.param([""], True, "turkish", id="unknown, Turkish preferred"),
        pytest.param(["de", "en"], True, "turkish", id="mixed, Turkish preferred"),
        pytest.param(["en"], True, "usual", id="clear English stays, whatever is preferred"),
    ],
)
def test_one_model_embeds_all_texts_of_a_request(languages: list[str], prefer: bool, model: str) -> None:
    assert table_choice(TABLE, languages, prefer_turkish=prefer) == model
