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
