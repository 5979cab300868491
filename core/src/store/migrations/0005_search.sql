-- Words of mail, in the clear: filled in stores whose content is clear, empty in all others. A row's id is that of its message.
CREATE VIRTUAL TABLE search USING fts5 (subject, people, text, tokenize = 'unicode61 remove_diacritics 2');
-- What is deleted leaves the index at once, and not only when its part of it is merged.
INSERT INTO search (search, rank) VALUES ('secure-delete', 1);
