"""Texts to try the models on, written for this project; the people in them do not exist."""

from __future__ import annotations

EXAMPLES: dict[str, str] = {
    "Literature abstract": (
        "BACKGROUND: Metformin is the usual first treatment of type 2 diabetes mellitus, but its effect on chronic "
        "kidney "
        "disease is debated. METHODS: We treated diabetic mice with metformin or dapagliflozin for twelve weeks and "
        "measured TGF-beta1 and podocin in the kidney. RESULTS: Albuminuria fell in both groups. Expression of "
        "TGF-beta1 "
        "was lower after dapagliflozin, and renal fibrosis was milder. In HK-2 cells, knock-down of SGLT2 "
        "abolished this "
        "effect. Two animals died of lactic acidosis. CONCLUSION: In mice, dapagliflozin slows diabetic nephropathy "
        "independently of blood glucose. Whether this holds in patients infected with hepatitis C virus is not known."
    ),
    "Clinical note": (
        "Reason for admission: 71-year-old man with dyspnea on exertion and ankle oedema.\n"
        "History: hypertension, atrial fibrillation, NSTEMI four years ago, gout. No history of asthma.\n"
        "Medication: apixaban 5 mg twice daily, bisoprolol 2.5 mg, allopurinol 100 mg, ibuprofen as needed.\n"
        "Findings: BP 158/94, bilateral crackles, NT-proBNP 4,120 ng/L, creatinine 148 umol/L. Sputum grew "
        "Streptococcus "
        "pneumoniae.\n"
        "Assessment: acute decompensated heart failure with community-acquired pneumonia; acute kidney injury, "
        "probably "
        "from ibuprofen.\n"
        "Plan: stop ibuprofen, furosemide 40 mg i.v., amoxicillin/clavulanic acid, daily weight, repeat creatinine."
    ),
    "Patient language": (
        "hi, i was put on sertraline about 3 weeks ago for anxiety and since then i get awful headaches and my "
        "stomach is "
        "all over the place. my gran had a stroke and bowel cancer so i worry a lot. took some paracetamol and it "
        "helped "
        "a bit but the migraine came back at night. also my hay fever is really bad this year, loratadine does "
        "nothing. "
        "should i stop the sertraline or is the nausea normal?"
    ),
}

NESTED: dict[str, str] = {
    "Nested names": (
        "The human IL-2 receptor alpha chain gene promoter is silent in resting T and B cells. Stimulation of CD4+ "
        "peripheral blood T lymphocytes brings NF-kappa B to an enhancer of the IL-2 receptor alpha chain gene, and "
        "its mRNA rises within hours. In cells that lack the NF-kappa B p65 subunit, neither the promoter nor the "
        "interferon gamma gene answered."
    ),
}
"""For boards with a model of several heads."""

OF_LANGUAGES: dict[str, dict[str, str]] = {
    "es": {
        "Caso clínico": (
            "Mujer de 58 años con diabetes mellitus tipo 2 e hipertensión arterial, en tratamiento con metformina y "
            "enalapril, que acude por disnea y edemas. En la analítica destacan creatinina 2,1 mg/dl, albúmina baja, "
            "ferritina elevada y LDH normal. En la biopsia renal se observa nefropatía diabética. Se retira la "
            "metformina y se inicia furosemida e insulina glargina, con buena evolución."
        ),
    },
    "ru": {
        "Выписка": (
            "Пациентка 58 лет с сахарным диабетом 2 типа и артериальной гипертензией, принимает метформин и эналаприл. "
            "Жалобы на одышку и отёки. Креатинин 186 мкмоль/л, альбумин снижен, ферритин повышен. Диагноз: "
            "диабетическая нефропатия. Метформин отменён, назначены фуросемид и инсулин гларгин."
        ),
    },
    "zh": {
        "病历": (
            "女，58岁，患2型糖尿病和高血压，长期服用二甲双胍和依那普利。因气促、双下肢水肿入院。化验：肌酐186 μmol/L，"
            "白蛋白降低，铁蛋白升高，乳酸脱氢酶正常。肾活检提示糖尿病肾病。停用二甲双胍，给予呋塞米和甘精胰岛素，病情好转。"
            "出院后继续控制血压和血糖，两周后门诊复查肾功能、血常规及尿蛋白。"
        ),
    },
    "ar": {
        "تقرير طبي": (
            "مريضة عمرها 58 عاما لديها داء السكري من النوع الثاني وارتفاع ضغط الدم، تتناول الميتفورمين والإنالابريل. "
            "حضرت بسبب ضيق النفس والوذمة. الكرياتينين 186 ميكرومول/لتر، والألبومين منخفض، والفيريتين مرتفع. أظهرت "
            "خزعة الكلية اعتلال الكلية السكري. أوقف الميتفورمين وأعطيت فوروسيميد وأنسولين غلارجين."
        ),
    },
}
"""By BCP 47 tag; each for boards with a model of that language."""
