//! Crypt strings, and the files that hold them: text in, text out. Nothing here touches a file.
