"""A study as one zip file: all that others need to check its figures, to draw them anew and to repeat it.

    README.md       what it is and which commands redraw, import and repeat it
    bundle.json     what it was made with: packages, revision, seeds, graders, figures
    SHA256SUMS      of every other file
    study.toml      the study file, where it has one
    tables/         the study as it lies in the database: what `import bundle` and `figures --bundle` read
    data/           the same for people and other programs: Parquet, JSON lines
    figures/        every figure in every format
    models.json     cards of models and verifiers, and the SHA-256 of their files

The same study, program and options give the same bytes. The sums find damage; whoever changes a file on purpose can
change its sum too.
"""

FORMAT = "ttc-bundle-1"
