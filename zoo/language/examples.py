"""Sentences to try a model on, by language and type of entity: invented for this project."""

from __future__ import annotations

from zoo.language import primary

_ENGLISH = {
    "Disease": "She was treated for type 2 diabetes and chronic kidney disease.",
    "Cancer": "Biopsy showed a squamous cell carcinoma next to the old melanoma scar.",
    "Chemical": "Aspirin was stopped and the patient was given clopidogrel and atorvastatin.",
    "Simple_chemical": "Cells were kept in glucose and glutamine before cisplatin was added.",
    "Amino_acid": "A switch from leucine to proline at this site ended its activity.",
    "Gene": "Mutations of BRCA1 and TP53 were found in two of the families.",
    "Gene_or_gene_product": "Loss of PTEN raised the level of VEGF in these cells.",
    "Protein": "Binding of NF-kappa B to the interleukin-2 receptor was blocked.",
    "DNA": "The IL-2 promoter holds two binding sites that both were deleted.",
    "RNA": "Levels of c-fos mRNA rose within an hour.",
    "Species": "Mice were infected with Escherichia coli and Candida albicans.",
    "Organism": "Rats were fed for six weeks before the virus was given.",
    "Cell_line": "HeLa and MCF-7 cells were grown side by side.",
    "Cell_type": "Human T lymphocytes and monocytes were kept overnight.",
    "Cell": "Endothelial cells and fibroblasts grew into the graft.",
    "Anatomy": "The left ventricle and the aortic valve were normal.",
    "Organ": "Metastases were found in the liver and in both lungs.",
    "Tissue": "Sections of bone marrow and muscle were stained.",
}
_SPANISH = {
    "Disease": "Fue tratada por diabetes tipo 2 y enfermedad renal crónica.",
    "Chemical": "Se retiró la aspirina y se pautó clopidogrel con atorvastatina.",
    "Protein": "La hemoglobina y la albúmina eran normales; la ferritina estaba elevada.",
    "Gene": "Se hallaron mutaciones de BRCA1 y TP53 en dos de las familias.",
    "Species": "En el esputo creció Streptococcus pneumoniae, sin Candida albicans.",
    "Anatomy": "El ventrículo izquierdo y la válvula aórtica eran normales.",
}
_GERMAN = {
    "Disease": "Sie wurde wegen Diabetes mellitus Typ 2 und chronischer Niereninsuffizienz behandelt.",
    "Chemical": "Aspirin wurde abgesetzt, und der Patient bekam Clopidogrel und Atorvastatin.",
    "Protein": "Hämoglobin und Albumin waren normal, Ferritin war erhöht.",
    "Gene": "In zwei der Familien fanden sich Mutationen von BRCA1 und TP53.",
    "Species": "Im Sputum wuchs Streptococcus pneumoniae, aber keine Candida albicans.",
    "Anatomy": "Die linke Herzkammer und die Aortenklappe waren unauffällig.",
}
_FRENCH = {
    "Disease": "Elle était traitée pour un diabète de type 2 et une maladie rénale chronique.",
    "Chemical": "L'aspirine a été arrêtée ; le patient a reçu du clopidogrel et de l'atorvastatine.",
    "Protein": "L'hémoglobine et l'albumine étaient normales, la ferritine élevée.",
    "Gene": "Des mutations de BRCA1 et de TP53 ont été trouvées dans deux familles.",
    "Species": "Streptococcus pneumoniae a poussé dans les crachats, sans Candida albicans.",
    "Anatomy": "Le ventricule gauche et la valve aortique étaient normaux.",
}
_RUSSIAN = {
    "Disease": "Она лечилась от сахарного диабета 2 типа и хронической болезни почек.",
    "Chemical": "Аспирин отменили, пациенту назначили клопидогрел и аторвастатин.",
    "Protein": "Гемоглобин и альбумин были в норме, ферритин повышен.",
    "Gene": "В двух семьях нашли мутации генов BRCA1 и TP53.",
    "Species": "В мокроте выросла Streptococcus pneumoniae, Candida albicans не было.",
    "Anatomy": "Левый желудочек и аортальный клапан были без изменений.",
}
_CHINESE = {
    "Disease": "她因2型糖尿病和慢性肾脏病接受治疗。",
    "Chemical": "停用阿司匹林，改用氯吡格雷和阿托伐他汀。",
    "Protein": "血红蛋白和白蛋白正常，铁蛋白升高。",
    "Gene": "在两个家系中发现了BRCA1和TP53突变。",
    "Species": "痰培养出肺炎链球菌，未见白色念珠菌。",
    "Anatomy": "左心室和主动脉瓣未见异常。",
}
_ARABIC = {
    "Disease": "عولجت من داء السكري من النوع الثاني ومرض الكلى المزمن.",
    "Chemical": "أوقف الأسبرين وأعطي المريض كلوبيدوغريل وأتورفاستاتين.",
    "Protein": "كان الهيموغلوبين والألبومين طبيعيين والفيريتين مرتفعا.",
    "Gene": "وجدت طفرات في BRCA1 و TP53 لدى عائلتين.",
    "Species": "نمت العقدية الرئوية في البلغم ولم تنم المبيضة البيضاء.",
    "Anatomy": "كان البطين الأيسر والصمام الأبهري طبيعيين.",
}
_SENTENCES = {
    "en": _ENGLISH,
    "es": _SPANISH,
    "de": _GERMAN,
    "fr": _FRENCH,
    "ru": _RUSSIAN,
    "zh": _CHINESE,
    "ar": _ARABIC,
}


def example_sentence(entity_type: str, language: str) -> str | None:
    """An invented sentence with mentions of a type; None where there is none in the language.

    Args:
        entity_type: Type of the label space.
        language: BCP 47 tag.
    """
    return _SENTENCES.get(primary(language), {}).get(entity_type)
