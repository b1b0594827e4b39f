//! The connections around the page: many, slow, hostile; bounded in number, bytes and time.
