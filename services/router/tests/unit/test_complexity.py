import pytest
from hypothesis import given
from hypothesis import strategies as st
from weirworks_router.core.complexity import complexity, fold
from weirworks_router.core.plan import band_of
from weirworks_router.core.types import Band, Thresholds


@pytest.mark.parametrize(
    ("prompt", "band"),
    [
        pytest.param("Merhaba", Band.LOCAL, id="greeting"),
        pytest.param("Bu göğüs röntgeninde pnömoni var mı?", Band.EXPERIMENT, id="medical question"),
        pytest.param("Bu gogus rontgeninde pnomoni var mi?", Band.EXPERIMENT, id="typed without diacritics"),
        pytest.param("BU GÖĞÜS RÖNTGENİNDE PNÖMONİ VAR MI?", Band.EXPERIMENT, id="capitals with İ and I"),
        pytest.param(
            "Hasta verilerini analiz ederek COVID-19, pnömoni ve normal akciğer dokusu arasındaki farkları karşılaştır",
            Band.PROVIDER,
            id="analysis",
        ),
        pytest.param("What is the capital of France?", Band.LOCAL, id="fact"),
        pytest.param("Is there pneumonia in this chest x-ray of the patient?", Band.EXPERIMENT, id="in english"),
    ],
)
def test_golden_prompts_keep_their_band(prompt: str, band: Band) -> None:
    assert band_of(complexity(prompt).score, Thresholds()) is band


@given(st.text(max_size=500))
def test_the_score_is_0_to_100_and_the_sum_of_its_features(prompt: str) -> None:
    found = complexity(prompt)
    assert 0 <= found.score <= 100
    assert found.score == pytest.approx(min(100, sum(found.features.values())), abs=0.05)


@given(st.text(max_size=200), st.text(max_size=200))
def test_more_text_never_makes_a_prompt_easier(first: str, second: str) -> None:
    assert complexity(f"{first}\n{second}").score >= complexity(first).score - 0.01


def test_all_i_letters_agree() -> None:
    assert fold("İIıi") == "iiii"


def test_code_counts_by_its_form() -> None:
    assert complexity("```\nx = 1\n```").features["code"] > 20
