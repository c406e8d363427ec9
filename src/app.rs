//! The composition root: opens the journal, binds every door, owns every task, maps signals.
