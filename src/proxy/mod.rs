//! Joins the rooms: a connection, the pipeline each call goes through, and the one place where an error becomes HTTP.
