"""The contribution: what an affiliate hands over for a product and a period, and what is checked of it.

Doors: contract, validation, completeness, stated_texts, untrusted_files, parquet_limits. All other modules are private. A
stranger's file is decoded here, and never by the C++ library. Every refusal for lgK is in `lg_k`.
"""
