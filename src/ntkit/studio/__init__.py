"""The studio: a local web page on which one sees what the theory says of one's own signal (extra `studio`).

`ntkit studio` starts it. The server is thin: it parses what the page asks, calls the library, and sends arrays. A
view is one file here, `views/NAME.py`, and one of the page, `web/src/views/NAME.ts`; it is found by its name.
"""
