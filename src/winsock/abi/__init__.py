"""The header files: constants, structure layouts, GUIDs and control codes.  Imports nothing of winsock."""
