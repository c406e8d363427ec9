//! What the decoder must see, restated from what engines were observed to do.

mod json;
