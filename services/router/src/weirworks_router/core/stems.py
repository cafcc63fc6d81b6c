"""Stems of words that make a prompt hard, by group, in Turkish and English, without diacritics.

A stem matches every word that begins with it, since Turkish inflects at the end.
"""

_MEDICAL = """
akciger anamnez antibiyotik ameliyat biyopsi covid diyabet doku doz endikasyon gogus hasta hemoglobin ilac kalp
kanser kemoterapi klinik lezyon metastaz mri patoloji pnomoni prognoz radyoloji rontgen semptom sendrom tani
tansiyon tedavi teshis tomografi tumor anemia antibiotic biopsy cancer cardiac chemotherapy clinical diabetes
diagnos disease dosage lesion lung metasta patholog patient pneumonia prognosis radiolog surgery symptom syndrome
therap tomograph tumour x-ray xray
"""
_LEGAL = """
avukat ceza dava dilekce hukuk icra ihtarname kanun kira sozlesme madde mahkeme mevzuat miras tazminat temyiz
vekalet yargi yasal yonetmelik attorney clause compliance contract copyright court damages defendant gdpr
jurisdiction kvkk law legal liabilit litigation plaintiff regulation statute tort
"""
_REASONING = """
acikla analiz cikarim degerlendir fark hesapla ispat kanitla karsilastir neden nicin optimize ozetle planla sentez
tasarla tartis yorumla adim analy argue assess compare contrast critique deduce demonstrat deriv design difference
evaluat explain infer interpret justif optimi plan prove reason step-by-step strateg summar synthes trade-off
tradeoff why
"""
_CODE = """
algoritma derle fonksiyon kod programla refaktor sorgu yazilim algorithm api async bug code compil debug docker
function golang implement java javascript kubernetes python refactor regex rust sql stacktrace typescript unittest
"""

STEMS: dict[str, tuple[str, ...]] = {
    "medical": tuple(_MEDICAL.split()),
    "legal": tuple(_LEGAL.split()),
    "reasoning": tuple(_REASONING.split()),
    "code": tuple(_CODE.split()),
}
