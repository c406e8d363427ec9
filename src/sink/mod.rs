//! Where records go beside the journal.
