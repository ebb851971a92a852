"""Where a product's events lie, and how they are read: files, object stores, databases.

Doors: resolve, protocol, places, file_formats, file_checks, file_contents, files, leftovers, long_lines, parquet_metadata. All
other modules are private. Nothing is counted here, and no key is made.

To add a kind of source, such as a message queue:

1. `affiliates.manifests.source.Source` gets the keys that describe the source, and a validator that refuses them beside
   `files` and `table`. `_definition` in `affiliates.manifests.product` leaves them out where they aren't used: else the
   digest of every other source would change, and every store's past would be computed again.
2. A new module beside `files.py` gets a frozen dataclass that fulfils `protocol.EventSource`, and a function
   `find(source, directory, subject, ...)` that gives one, or raises `RefusedError` where the source isn't there. A source
   of named parts (files, objects) starts from `file_names.NamedFiles`; a library of an extra stays inside the module.
3. `resolve._find` gets one more `if` that imports the module, inside `_extra` where the library belongs to an extra; and
   `places.of_source` gives null for the kind, unless a look at files shows each change of what the kind answers.
4. A library that not every affiliate needs becomes an extra in `pyproject.toml`, and `tests/system/test_core_only.py` sees
   that the core runs without it.
5. `.importlinter` lists the module as private, and its library as imported there alone. `tests/affiliates/sources/` gets
   its tests: first of all that the kind gives the same contributions as the same events in a file.

No other code changes: counting, `mauwatch run` and `mauwatch doctor` know a source by `EventSource` alone.
"""
