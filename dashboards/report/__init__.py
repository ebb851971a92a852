"""Documents on paper: the page of evidence that a lawyer reads, and the monthly report. Scenarios, too, as files.

Doors: document, document_html, document_pdf, pdf, scenario_files. All other modules are private.
"""
